/**
 * What plugins keep of sessions. While the engine waits, a session's number comes with its events
 * and goes back with the answer; else it cannot, and sessions are found by their id.
 */
import { at } from './layout.ts';
import { type Ring, wide } from './ring.ts';

export interface Contexts {
  readonly size: number;
  get(ring: Ring, base: number): unknown;
  set(ring: Ring, base: number, value: unknown): void;
  free(number: number): void;
}

const most = 1 << 24;

function refuse(): never {
  throw new RangeError(`more than ${most} sessions have a context; set fewer, or none`);
}

export class NumberedContexts implements Contexts {
  readonly #values: unknown[] = [undefined];
  readonly #free: number[] = [];
  size = 0;

  get(ring: Ring, base: number): unknown {
    return this.#values[ring.u32[(base + at.context) >>> 2] as number];
  }

  set(ring: Ring, base: number, value: unknown): void {
    const word = (base + at.context) >>> 2;
    const number = ring.u32[word] as number;
    if (value === undefined) {
      if (number !== 0) this.free(number);
      ring.u32[word] = 0;
    } else if (number !== 0) {
      this.#values[number] = value;
    } else {
      const fresh = this.#free.pop() ?? this.#values.length;
      if (fresh >= most) refuse();
      this.#values[fresh] = value;
      this.size += 1;
      ring.u32[word] = fresh;
    }
  }

  free(number: number): void {
    if (this.#values[number] === undefined) return;
    this.#values[number] = undefined;
    this.#free.push(number);
    this.size -= 1;
  }
}

export class ContextsById implements Contexts {
  readonly #values = new Map<number, unknown>();

  get size(): number {
    return this.#values.size;
  }

  get(ring: Ring, base: number): unknown {
    return this.#values.get(wide(ring.u32, base));
  }

  set(ring: Ring, base: number, value: unknown): void {
    const id = wide(ring.u32, base);
    if (value === undefined) this.#values.delete(id);
    else if (this.#values.size >= most && !this.#values.has(id)) refuse();
    else this.#values.set(id, value);
  }

  free(): void {}
}
