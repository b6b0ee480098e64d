/** A Lua machine for tests: chunks stay open until the test settles them. */
import type { Machine } from '../../../src/daemon/lua-queue.ts';
import type { ChunkResult, OutputListener } from '../../../src/shell/evaluator.ts';

interface Started {
  readonly code: string;
  readonly onOutput: OutputListener;
  readonly settle: (result: ChunkResult) => void;
}

export class ScriptedMachine implements Machine {
  readonly started: Started[] = [];
  interrupts = 0;
  /** Called whenever a chunk begins. */
  onStart: (chunk: Started) => void = () => {};

  execute(
    code: string,
    _name: string,
    _interactive: boolean,
    onOutput: OutputListener,
  ): Promise<ChunkResult> {
    return new Promise((settle) => {
      const chunk = { code, onOutput, settle };
      this.started.push(chunk);
      this.onStart(chunk);
    });
  }

  runFile(path: string, onOutput: OutputListener): Promise<ChunkResult> {
    return this.execute(`file ${path}`, path, false, onOutput);
  }

  interrupt(): void {
    this.interrupts += 1;
    const error = { code: 'interrupted', message: 'interrupted' } as const;
    this.started.at(-1)?.settle({ ok: false, error });
  }

  complete(line: string): Promise<string[]> {
    return Promise.resolve([`${line}!`]);
  }
}
