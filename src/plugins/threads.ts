/**
 * Starts and ends the threads of plugins in TypeScript, when native code says so. For the thread
 * that lives longest, and never waits long: the daemon's main one.
 */
import { Worker } from 'node:worker_threads';
import type { ScriptBinding } from '../native/scripts.ts';
import type { ThreadSetup } from './thread.ts';

/** How long a thread has for its plugin's stop() before it is ended. */
const graceMs = 2000;

type Log = (level: 'warning', message: string) => void;

function threadUrl(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url);
}

interface Running {
  readonly worker: Worker;
  /** Why it is ended, or has ended by itself. */
  why: string;
}

export class PluginThreads {
  readonly #binding: ScriptBinding;
  readonly #log: Log;
  /** By host and epoch. */
  readonly #running = new Map<string, Running>();

  constructor(binding: ScriptBinding, log: Log) {
    this.#binding = binding;
    this.#log = log;
    binding.servePlugins((what, host, epoch, text, memoryMb) => {
      if (what === 'start') this.#start({ host, epoch, path: text }, memoryMb);
      else this.#stop(`${host}/${epoch}`, text);
    });
  }

  /** Waits until all have ended, and ends those that do not. */
  async close(): Promise<void> {
    this.#binding.endPluginThreads();
    await Promise.all([...this.#running.values()].map(({ worker }) => this.#end(worker)));
  }

  #start(setup: ThreadSetup, memoryMb: number): void {
    const worker = new Worker(threadUrl(), {
      workerData: setup,
      name: `plugin ${setup.host}`,
      resourceLimits: { maxOldGenerationSizeMb: memoryMb },
    });
    worker.unref();
    const running: Running = { worker, why: '' };
    const key = `${setup.host}/${setup.epoch}`;
    this.#running.set(key, running);
    worker.on('error', (error: NodeJS.ErrnoException) => {
      const memory = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      running.why ||= memory ? `more memory than ${memoryMb} MiB (memory_mb)` : String(error);
    });
    worker.on('exit', (code) => {
      this.#running.delete(key);
      const why = running.why === '' && code !== 0 ? `it called exit(${code})` : running.why;
      const told = this.#binding.pluginExited(setup.host, setup.epoch, why);
      if (told !== '') this.#log('warning', told);
    });
  }

  #stop(key: string, why: string): void {
    const running = this.#running.get(key);
    if (running === undefined) return;
    running.why ||= why;
    if (why === '') void this.#end(running.worker);
    else void running.worker.terminate();
  }

  async #end(worker: Worker): Promise<void> {
    const late = setTimeout(() => void worker.terminate(), graceMs);
    worker.ref(); // or nothing might keep this thread waiting
    await new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    clearTimeout(late);
  }
}
