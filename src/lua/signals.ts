/**
 * How the main thread reaches a Lua thread that does not listen: a number in shared memory. It
 * holds the id of the request to interrupt, so that a late Ctrl-C cannot hit the request after.
 */
export class Signals {
  readonly #cell: Int32Array;
  /** Id of the request that runs; 0: none. */
  current = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#cell = new Int32Array(memory);
  }

  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  }

  interrupt(id: number): void {
    Atomics.store(this.#cell, 0, id);
    Atomics.notify(this.#cell, 0);
  }

  interrupted(): boolean {
    return this.current !== 0 && Atomics.load(this.#cell, 0) === this.current;
  }

  /** Blocks this thread; false when interrupted. */
  sleep(milliseconds: number): boolean {
    const end = performance.now() + milliseconds;
    for (;;) {
      if (this.interrupted()) return false;
      const left = end - performance.now();
      if (left <= 0) return true;
      Atomics.wait(this.#cell, 0, Atomics.load(this.#cell, 0), Math.min(left, 1000));
    }
  }
}
