/** A part of a frame, read with care: what is not there is `undefined`, never an exception. */
export class Bytes {
  readonly data: Buffer;
  readonly at: number;
  readonly end: number;

  constructor(data: Buffer, at = 0, end: number = data.length) {
    this.data = data;
    this.at = Math.min(at, data.length);
    this.end = Math.max(this.at, Math.min(end, data.length));
  }

  get length(): number {
    return this.end - this.at;
  }

  u8(offset: number): number | undefined {
    return offset < this.length ? this.data.readUInt8(this.at + offset) : undefined;
  }

  u16(offset: number): number | undefined {
    return offset + 2 <= this.length ? this.data.readUInt16BE(this.at + offset) : undefined;
  }

  u32(offset: number): number | undefined {
    return offset + 4 <= this.length ? this.data.readUInt32BE(this.at + offset) : undefined;
  }

  hex(offset: number, length: number): string {
    const from = Math.min(this.at + offset, this.end);
    return this.data.toString('hex', from, Math.min(from + length, this.end));
  }

  /** From `offset` on, `length` bytes at most. */
  from(offset: number, length: number = this.length): Bytes {
    const at = Math.min(this.at + offset, this.end);
    return new Bytes(this.data, at, Math.min(at + length, this.end));
  }
}
