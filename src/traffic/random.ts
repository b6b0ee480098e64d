/**
 * A seeded generator of numbers (xorshift32 after a mixing step): the same seed, the same traffic.
 */
export class Random {
  #state: number;

  constructor(seed: number) {
    // Neighbouring seeds must not give neighbouring streams; 0 is xorshift's only fixed point.
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0 || 1;
    for (let i = 0; i < 8; i++) {
      this.next();
    }
  }

  /** 0 up to 2^32 - 1. */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }

  /** minimum up to and including maximum. */
  between(minimum: number, maximum: number): number {
    return minimum + (this.next() % (maximum - minimum + 1));
  }

  /** True once in `times`, on average. */
  oneIn(times: number): boolean {
    return this.next() % times === 0;
  }

  bytes(length: number): Buffer {
    const out = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i += 4) {
      const word = this.next();
      for (let j = i; j < Math.min(i + 4, length); j++) {
        out[j] = (word >>> ((j - i) * 8)) & 255;
      }
    }
    return out;
  }
}
