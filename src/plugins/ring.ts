/** One worker's ring, as typed arrays over its memory. */
import { callBytes, eventBytes, positionBytes } from './layout.ts';

export class Ring {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i64: BigInt64Array;
  readonly u64: BigUint64Array;
  readonly f64: Float64Array;
  /** Where keys and values of calls are, and copied bytes of events. */
  readonly callAt: number;
  readonly dataAt: number;

  constructor(memory: ArrayBuffer, records: number) {
    this.u8 = new Uint8Array(memory);
    this.u16 = new Uint16Array(memory);
    this.u32 = new Uint32Array(memory);
    this.i64 = new BigInt64Array(memory);
    this.u64 = new BigUint64Array(memory);
    this.f64 = new Float64Array(memory);
    this.callAt = positionBytes + records * eventBytes;
    this.dataAt = this.callAt + callBytes;
  }
}

/** A 64-bit count as a number: exact up to 2^53. */
export function wide(u32: Uint32Array, byte: number): number {
  const word = byte >>> 2;
  return (u32[word] as number) + (u32[word + 1] as number) * 4294967296;
}
