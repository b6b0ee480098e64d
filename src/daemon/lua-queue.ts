/**
 * The one Lua machine, shared by the startup script, the prompt and every shell: chunks run one
 * after the other, and an interrupt reaches only the chunk of whoever asks.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChunkResult, OutputListener } from '../shell/evaluator.ts';

/** What the queue needs of a Lua machine (src/lua/host.ts is one). */
export interface Machine {
  execute(
    code: string,
    name: string,
    interactive: boolean,
    onOutput: OutputListener,
  ): Promise<ChunkResult>;
  runFile(path: string, onOutput: OutputListener): Promise<ChunkResult>;
  /** Makes the running chunk raise an error. */
  interrupt(): void;
  /** Candidates to complete `line` at its end. */
  complete(line: string): Promise<string[]>;
}

/** A chunk of Lua, or a file of it, and whom it belongs to. */
export type Chunk = {
  /** Compared by identity: a connection, the daemon itself. */
  readonly owner: object;
  readonly onOutput: OutputListener;
} & (
  | { readonly file: string }
  | {
      readonly code: string;
      /** For messages: "stdin". */
      readonly name: string;
      /** Try it as an expression first and print its values; report `incomplete` chunks. */
      readonly interactive: boolean;
    }
);

interface Entry {
  readonly chunk: Chunk;
  readonly settle: (result: ChunkResult) => void;
  readonly over: Promise<ChunkResult>;
}

/** Chunks that may wait at once, over all connections. */
export const chunksWaitingMax = 256;

const interrupted: ChunkResult = {
  ok: false,
  error: { code: 'interrupted', message: 'interrupted before it ran' },
};

export class LuaQueue {
  readonly #machine: Machine;
  #waiting: Entry[] = [];
  #running: Entry | undefined;
  #closed = false;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** Runs a chunk when its turn has come. Never rejects. */
  execute(chunk: Chunk): Promise<ChunkResult> {
    if (this.#closed) {
      const error = { code: 'interrupted', message: 'the daemon is shutting down' } as const;
      return Promise.resolve({ ok: false, error });
    }
    if (this.#waiting.length >= chunksWaitingMax) {
      const message = `${chunksWaitingMax} chunks of Lua are waiting already; try again later`;
      return Promise.resolve({ ok: false, error: { code: 'limit_reached', message } });
    }
    let settle: (result: ChunkResult) => void = () => {};
    const over = new Promise<ChunkResult>((resolve) => {
      settle = resolve;
    });
    this.#waiting.push({ chunk, settle, over });
    this.#next();
    return over;
  }

  /** Interrupts the owner's running chunk and forgets those it has waiting. */
  interrupt(owner: object): void {
    const mine = this.#waiting.filter((entry) => entry.chunk.owner === owner);
    this.#waiting = this.#waiting.filter((entry) => entry.chunk.owner !== owner);
    for (const entry of mine) {
      entry.settle(interrupted);
    }
    if (this.#running?.chunk.owner === owner) {
      this.#machine.interrupt();
    }
  }

  /** Candidates for `line`; none while the machine is busy, so that no prompt hangs on a Tab. */
  complete(line: string): Promise<string[]> {
    return this.#running === undefined && !this.#closed
      ? this.#machine.complete(line)
      : Promise.resolve([]);
  }

  /**
   * Interrupts whatever runs, forgets what waits, takes nothing more. Settles when nothing runs, or
   * after `graceMs`: Lua that waits for the system does not hear an interrupt.
   */
  close(graceMs: number): Promise<void> {
    this.#closed = true;
    const idle = this.#idle();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const entry of waiting) {
      entry.settle(interrupted);
    }
    if (this.#running !== undefined) {
      this.#machine.interrupt();
    }
    return Promise.race([idle, sleep(graceMs, undefined, { ref: false })]);
  }

  async #idle(): Promise<void> {
    await this.#running?.over;
  }

  #next(): void {
    if (this.#running !== undefined) {
      return;
    }
    const entry = this.#waiting.shift();
    if (entry === undefined) {
      return;
    }
    this.#running = entry;
    const finish = (result: ChunkResult): void => {
      this.#running = undefined;
      entry.settle(result);
      this.#next();
    };
    this.#run(entry.chunk).then(finish, (error: unknown) => {
      const message = `the Lua machine failed: ${error instanceof Error ? error.message : error}`;
      finish({ ok: false, error: { code: 'failed', message } });
    });
  }

  #run(chunk: Chunk): Promise<ChunkResult> {
    return 'file' in chunk
      ? this.#machine.runFile(chunk.file, chunk.onOutput)
      : this.#machine.execute(chunk.code, chunk.name, chunk.interactive, chunk.onOutput);
  }
}
