/**
 * IP headers found in frames by their addresses alone, wherever they are: for tests that want to
 * know what a capture holds without believing any decoder, that of the witness included.
 */
import type { CaptureRecord } from '../../src/capture/record.ts';
import { addressHex } from './shared-captures.ts';

export interface SeenHeader {
  readonly record: CaptureRecord;
  readonly data: Buffer;
  /** Where the IP header begins. */
  readonly at: number;
  readonly version: 4 | 6;
  /** IPv6: the next header, which may be an extension. */
  readonly protocol: number;
  /** Where what comes behind the fixed header, or IPv4's options, begins. */
  readonly body: number;
}

function headerAt(record: CaptureRecord, at: number, version: 4 | 6): SeenHeader | undefined {
  const { data } = record;
  if (at < 0 || (data[at] ?? 0) >> 4 !== version) return undefined;
  const protocol = data[at + (version === 4 ? 9 : 6)] ?? 0;
  const body = at + (version === 4 ? ((data[at] ?? 0) & 15) * 4 : 40);
  return { record, data, at, version, protocol, body };
}

function found(record: CaptureRecord, addresses: Buffer): SeenHeader[] {
  const version = addresses.length === 8 ? 4 : 6;
  const before = version === 4 ? 12 : 8;
  const headers: SeenHeader[] = [];
  for (let at = record.data.indexOf(addresses); at >= 0; ) {
    const header = headerAt(record, at - before, version);
    if (header !== undefined) headers.push(header);
    at = record.data.indexOf(addresses, at + 1);
  }
  return headers;
}

/** Every IP header from one to the other, both ways, in the capture's order. */
export function seenHeaders(
  records: readonly CaptureRecord[],
  one: string,
  other: string,
): SeenHeader[] {
  const [a, b] = [addressHex(one), addressHex(other)];
  const ways = [...new Set([a + b, b + a])].map((hex) => Buffer.from(hex, 'hex'));
  return records.flatMap((record) => ways.flatMap((way) => found(record, way)));
}

/** A number of the header behind IP's, or -1 where the frame ends before it. */
export const bodyU8 = ({ data, body }: SeenHeader, offset: number): number =>
  data[body + offset] ?? -1;
export const bodyU16 = ({ data, body }: SeenHeader, offset: number): number =>
  body + offset + 2 <= data.length ? data.readUInt16BE(body + offset) : -1;

function sum16(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2)
    sum += ((bytes[at] ?? 0) << 8) + (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

/** Of a TCP or UDP packet that is all there. */
export function hasWrongChecksum(header: SeenHeader): boolean {
  const { data, at, version, protocol, body } = header;
  const end = version === 4 ? at + data.readUInt16BE(at + 2) : body + data.readUInt16BE(at + 4);
  if ((protocol !== 6 && protocol !== 17) || end > data.length || body >= end) return false;
  const addresses = version === 4 ? data.subarray(at + 12, at + 20) : data.subarray(at + 8, body);
  const pseudo = Buffer.from([0, protocol, (end - body) >> 8, (end - body) & 255]);
  return sum16(Buffer.concat([addresses, pseudo, data.subarray(body, end)])) !== 0xffff;
}
