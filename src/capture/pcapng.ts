/** The blocks of pcapng that carry packets; all others are stepped over. */
import type { Capture, CaptureRecord } from './record.ts';

const sectionHeader = 0x0a0d0d0a;
const byteOrderMagic = 0x1a2b3c4d;
const interfaceDescription = 1;
const obsoletePacket = 2;
const simplePacket = 3;
const enhancedPacket = 6;

interface Interface {
  readonly linkType: number;
  readonly snapLength: number;
  readonly toNanoseconds: (ticks: bigint) => bigint;
}

class Damage extends Error {}

/** One section's byte order and interfaces. */
class Section {
  readonly #file: Buffer;
  readonly #little: boolean;
  readonly interfaces: Interface[] = [];

  constructor(file: Buffer, little: boolean) {
    this.#file = file;
    this.#little = little;
  }

  u32(at: number): number {
    return this.#little ? this.#file.readUInt32LE(at) : this.#file.readUInt32BE(at);
  }

  u16(at: number): number {
    return this.#little ? this.#file.readUInt16LE(at) : this.#file.readUInt16BE(at);
  }

  i64(at: number): bigint {
    return this.#little ? this.#file.readBigInt64LE(at) : this.#file.readBigInt64BE(at);
  }

  addInterface(body: number, end: number): void {
    if (body + 8 > end) {
      throw new Damage('an interface description is too short');
    }
    let resolution = 6;
    let offsetSeconds = 0n;
    for (let at = body + 8; at + 4 <= end; ) {
      const code = this.u16(at);
      const length = this.u16(at + 2);
      if (code === 0 || at + 4 + length > end) {
        break;
      }
      if (code === 9 && length >= 1) {
        resolution = this.#file.readUInt8(at + 4);
      } else if (code === 14 && length >= 8) {
        offsetSeconds = this.i64(at + 4);
      }
      at += 4 + ((length + 3) & ~3);
    }
    const exponent = BigInt(resolution & 0x7f);
    const perSecond = resolution & 0x80 ? 2n ** exponent : 10n ** exponent;
    this.interfaces.push({
      linkType: this.u16(body),
      snapLength: this.u32(body + 4),
      toNanoseconds: (ticks) =>
        offsetSeconds * 1_000_000_000n + (ticks * 1_000_000_000n) / perSecond,
    });
  }

  interfaceAt(index: number): Interface {
    const found = this.interfaces[index];
    if (found === undefined) {
      throw new Damage(`a packet names interface ${index}, which is not described`);
    }
    return found;
  }

  record(type: number, body: number, end: number, bytesMax: number): CaptureRecord {
    const fixed = type === simplePacket ? 4 : 20;
    if (body + fixed > end) {
      throw new Damage('a packet block is too short');
    }
    const on = this.interfaceAt(
      type === simplePacket ? 0 : type === enhancedPacket ? this.u32(body) : this.u16(body),
    );
    const wireLength = this.u32(type === simplePacket ? body : body + 16);
    // A simple packet block has no captured length: it is what the interface kept.
    const simpleLength = Math.min(
      wireLength,
      on.snapLength === 0 ? wireLength : on.snapLength,
      end - body - 4,
    );
    const length = type === simplePacket ? simpleLength : this.u32(body + 12);
    if (length > bytesMax || body + fixed + length > end) {
      throw new Damage(`a packet of ${length} bytes does not fit its block`);
    }
    const ticks =
      type === simplePacket ? 0n : (BigInt(this.u32(body + 4)) << 32n) | BigInt(this.u32(body + 8));
    return {
      timestampNs: type === simplePacket ? 0n : on.toNanoseconds(ticks),
      linkType: on.linkType,
      data: this.#file.subarray(body + fixed, body + fixed + length),
      wireLength,
    };
  }
}

export function isPcapng(file: Buffer): boolean {
  return file.length >= 12 && file.readUInt32BE(0) === sectionHeader;
}

/** Interprets the section header at `at`. Throws `Damage` where it has no byte order. */
function openSection(file: Buffer, at: number): Section {
  if (file.readUInt32LE(at + 8) === byteOrderMagic) {
    return new Section(file, true);
  }
  if (file.readUInt32BE(at + 8) === byteOrderMagic) {
    return new Section(file, false);
  }
  throw new Damage('a section header without byte order');
}

/** All packets of a pcapng buffer; stops at the first damage, keeping what is whole. */
export function readPcapng(file: Buffer, recordBytesMax: number): Capture {
  const records: CaptureRecord[] = [];
  let at = 0;
  try {
    let section = openSection(file, 0);
    while (at < file.length) {
      if (at + 12 > file.length) {
        throw new Damage('a block header is cut short');
      }
      const isSection = file.readUInt32BE(at) === sectionHeader;
      if (isSection) {
        section = openSection(file, at);
      }
      const type = isSection ? sectionHeader : section.u32(at);
      const length = section.u32(at + 4);
      if (length < 12 || length % 4 !== 0 || at + length > file.length) {
        throw new Damage('a block is cut short');
      }
      const body = at + 8;
      const end = at + length - 4;
      if (type === interfaceDescription) {
        section.addInterface(body, end);
      } else if (type === enhancedPacket || type === simplePacket || type === obsoletePacket) {
        records.push(section.record(type, body, end, recordBytesMax));
      }
      at += length;
    }
  } catch (error) {
    if (error instanceof Damage) {
      return { records, damage: `${error.message} (offset ${at})` };
    }
    throw error;
  }
  return { records };
}
