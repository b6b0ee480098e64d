/** What decoders have read out of a session (native/abi/bricks_protocols.h), as plain objects. */
import type { PluginLayouts, RecordFieldLayout } from '../native/scripts.ts';

/** By bricks_protocol. */
export const protocolNames = [
  undefined,
  'dns',
  'http',
  'tls',
  'quic',
  'ssh',
  'sip',
  'rtp',
  'ftp',
  'dhcp',
  'ntp',
] as const;
export type ProtocolName = Exclude<(typeof protocolNames)[number], undefined>;

/** By bricks_record. */
export const recordKinds = [
  undefined,
  'dns',
  'httpRequest',
  'httpResponse',
  'httpBody',
  'httpEnd',
  'tlsClientHello',
  'tlsServerHello',
  'quicInitial',
  'sshBanner',
  'sshKexinit',
  'sipRequest',
  'sipResponse',
  'rtp',
  'rtcp',
  'ftpCommand',
  'ftpReply',
  'dhcp4',
  'dhcp6',
  'ntp',
] as const;
export type RecordKind = Exclude<(typeof recordKinds)[number], undefined>;

export type FieldValue =
  | number
  | bigint
  | string
  | Uint8Array
  | readonly number[]
  | readonly string[]
  | readonly Fields[];
export interface Fields {
  readonly [field: string]: FieldValue;
}

/**
 * The fields are those of the header's struct, in camelCase, without the counts of lists. Text is a
 * string with a character for each byte that was sent.
 */
export interface ProtocolRecord {
  readonly protocol: ProtocolName;
  readonly kind: RecordKind;
  readonly fields: Fields;
}

const camel = (name: string): string =>
  name.replace(/_+$/, '').replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

type Reader = (bytes: Buffer, base: number) => FieldValue;

function text(bytes: Buffer, at: number): string {
  const begin = bytes.readUInt32LE(at);
  return bytes.toString('latin1', begin, begin + bytes.readUInt32LE(at + 8));
}

function list<Item>(count: number, item: (index: number) => Item): Item[] {
  return Array.from({ length: count }, (_, index) => item(index));
}

function readerOf({ type, at, size, countAt, inner, innerSize }: RecordFieldLayout): Reader {
  switch (type) {
    case 'u8':
      return (bytes, base) => bytes.readUInt8(base + at);
    case 'u16':
      return (bytes, base) => bytes.readUInt16LE(base + at);
    case 'u32':
      return (bytes, base) => bytes.readUInt32LE(base + at);
    case 'u64':
      return (bytes, base) => bytes.readBigUInt64LE(base + at);
    case 'i8':
      return (bytes, base) => bytes.readInt8(base + at);
    case 'i64':
      return (bytes, base) => bytes.readBigInt64LE(base + at);
    case 'bytes':
      return (bytes, base) => Uint8Array.from(bytes.subarray(base + at, base + at + size));
    case 'text':
      return (bytes, base) => text(bytes, base + at);
    case 'u16List':
      return (bytes, base) => {
        const begin = bytes.readUInt32LE(base + at);
        return list(bytes.readUInt32LE(base + countAt), (i) => bytes.readUInt16LE(begin + i * 2));
      };
    case 'textList':
      return (bytes, base) => {
        const begin = bytes.readUInt32LE(base + at);
        return list(bytes.readUInt32LE(base + countAt), (i) => text(bytes, begin + i * 16));
      };
    case 'recordList': {
      const read = fieldsReader(inner ?? []);
      return (bytes, base) => {
        const begin = bytes.readUInt32LE(base + at);
        const count = bytes.readUInt32LE(base + countAt);
        return list(count, (i) => read(bytes, begin + i * (innerSize ?? 0)));
      };
    }
    default:
      throw new Error(`the addon knows records with ${type}, this version does not`);
  }
}

function fieldsReader(layout: readonly RecordFieldLayout[]): (b: Buffer, base: number) => Fields {
  const readers = layout.map((field) => [camel(field.name), readerOf(field)] as const);
  return (bytes, base) =>
    Object.fromEntries(readers.map(([name, read]) => [name, read(bytes, base)]));
}

export class RecordReader {
  readonly #readers: ((bytes: Buffer, base: number) => Fields)[] = [];

  constructor(layouts: PluginLayouts['records']) {
    layouts.forEach((layout, kind) => {
      if (layout !== undefined) this.#readers[kind] = fieldsReader(layout.fields);
    });
  }

  /** `bytes`: the copy. Undefined: a protocol or kind of a later version. */
  read(protocol: number, kind: number, bytes: Uint8Array): ProtocolRecord | undefined {
    const name = protocolNames[protocol];
    const record = recordKinds[kind];
    const reader = this.#readers[kind];
    if (name === undefined || record === undefined || reader === undefined) return undefined;
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return { protocol: name, kind: record, fields: reader(view, 0) };
  }
}
