/**
 * The main thread's side of the Lua machine: it runs in a worker, so no script blocks the daemon.
 */
import { Worker } from 'node:worker_threads';
import { BricksError } from '../errors.ts';
import type { Outcome } from './machine.ts';
import type { FromWorker, ToWorker, WorkerSetup } from './messages.ts';
import type { Stream } from './output.ts';
import { Signals } from './signals.ts';

export type { Outcome } from './machine.ts';
export type OnOutput = (stream: Stream, text: string) => void;

interface Pending {
  readonly onOutput: OnOutput;
  readonly done: (result: Outcome | string[]) => void;
  readonly failed: (error: Error) => void;
}

export interface HostOptions {
  /**
   * A script ended the program with this status (os.exit, BRICKS.shutdown): stop the engines in
   * order and leave.
   */
  readonly onExit?: (status: number) => void;
  /** The worker's module, for tests. */
  readonly workerUrl?: URL;
}

function workerUrl(): URL {
  // The same extension as this module has: .ts as written, .js as compiled.
  return new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);
}

export class LuaHost {
  readonly #worker: Worker;
  readonly #signals: Signals;
  readonly #pending = new Map<number, Pending>();
  readonly #onExit: (status: number) => void;
  #lastId = 0;
  #ended: Error | undefined;

  constructor(options: HostOptions = {}) {
    const memory = Signals.memory();
    this.#signals = new Signals(memory);
    this.#onExit = options.onExit ?? (() => {});
    const workerData: WorkerSetup = { signals: memory };
    this.#worker = new Worker(options.workerUrl ?? workerUrl(), { workerData });
    this.#worker.on('message', (message: FromWorker) => this.#receive(message));
    this.#worker.on('error', (error: Error) => this.#fail(error));
    this.#worker.on('exit', () =>
      this.#fail(new BricksError('failed', 'the Lua machine has ended; start bricks again')),
    );
  }

  /**
   * Runs a chunk; what it prints comes through `onOutput` while it runs, and never after. Chunks
   * run in the order of the calls. A script's failure is an outcome, not a rejection.
   */
  execute(code: string, name: string, interactive: boolean, onOutput: OnOutput): Promise<Outcome> {
    return this.#request(
      { type: 'execute', code, name, interactive },
      onOutput,
    ) as Promise<Outcome>;
  }

  /** Runs a script file. */
  runFile(path: string, onOutput: OnOutput): Promise<Outcome> {
    return this.#request({ type: 'file', path }, onOutput) as Promise<Outcome>;
  }

  /** Whole lines that `line` can become; waits for what runs. */
  complete(line: string): Promise<string[]> {
    return this.#request({ type: 'complete', line }, () => {}) as Promise<string[]>;
  }

  /** Ends the chunk that runs; without one it does nothing. */
  interrupt(): void {
    // Requests run in order: the one that runs is the oldest without an answer.
    const [running] = this.#pending.keys();
    if (running !== undefined) this.#signals.interrupt(running);
  }

  /** Ends the thread, whatever runs in it. */
  async close(): Promise<void> {
    this.#ended ??= new BricksError('failed', 'the Lua machine is closed');
    await this.#worker.terminate();
  }

  /** Does not keep the program alive by itself. */
  unref(): void {
    this.#worker.unref();
  }

  #request(
    message: DistributiveOmit<ToWorker, 'id'>,
    onOutput: OnOutput,
  ): Promise<Outcome | string[]> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((done, failed) => {
      this.#pending.set(id, { onOutput, done, failed });
      this.#worker.postMessage({ ...message, id });
    });
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        return;
      case 'exit':
        this.#onExit(message.status);
        return;
      case 'output':
        this.#pending.get(message.id)?.onOutput(message.stream, message.text);
        return;
      case 'done':
        this.#settle(message.id, message.outcome);
        return;
      case 'candidates':
        this.#settle(message.id, message.lines);
    }
  }

  #settle(id: number, result: Outcome | string[]): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.done(result);
  }

  #fail(error: Error): void {
    this.#ended ??= error;
    for (const pending of this.#pending.values()) pending.failed(this.#ended);
    this.#pending.clear();
  }
}

type DistributiveOmit<Union, Key extends PropertyKey> = Union extends unknown
  ? Omit<Union, Key>
  : never;
