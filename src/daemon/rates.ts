/** Remembers where the counters stood a moment ago, so that rates can be told at any time. */
import { type Stats, statsOf } from '../engine/stats.ts';
import type { EngineSnapshot } from '../native/binding.ts';

const intervalMs = 1000;

interface Sample {
  readonly timeMs: number;
  readonly engines: readonly EngineSnapshot[];
}

export class Rates {
  readonly #read: () => readonly EngineSnapshot[];
  readonly #timer: NodeJS.Timeout;
  /** The last two: the older one is between one and two intervals old. */
  #older: Sample | undefined;
  #newer: Sample;

  constructor(read: () => readonly EngineSnapshot[]) {
    this.#read = read;
    this.#newer = this.#take();
    this.#timer = setInterval(() => {
      this.#older = this.#newer;
      this.#newer = this.#take();
    }, intervalMs).unref();
  }

  #take(): Sample {
    return { timeMs: performance.now(), engines: this.#read() };
  }

  /** Counters of now, rates over the last one to two seconds. */
  stats(): Stats {
    const now = this.#take();
    const before = this.#older ?? this.#newer;
    return statsOf(before.engines, now.engines, (now.timeMs - before.timeMs) / 1000);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
