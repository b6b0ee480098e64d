/**
 * Reasons in stream-agreement.tsv that are proven by the packets of the row's own capture: what
 * either side has is put together here once more, without any of the engine's code.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Said, saidIn } from '../src/capture/flow.ts';
import { readCapture } from '../src/capture/read.ts';
import type { CaptureRecord } from '../src/capture/record.ts';
import { readAgreement } from './support/agreement.ts';
import { addressHex, capturesMissing, pcapFolder } from './support/shared-captures.ts';

const skip = capturesMissing;
const flags = { syn: 2, ack: 16 };

interface Row {
  readonly file: string;
  /** Both ends as `Said.by` has them. */
  readonly ends: readonly [string, string];
  /** "bytes beginning of SHA-256", there and back. */
  readonly theirs: readonly string[];
  readonly ours: readonly string[];
}

function rowsOf(reason: string): Row[] {
  const rows = [...readAgreement('test/stream-agreement.tsv').rows];
  const end = (node = ''): string => {
    const at = node.lastIndexOf(':');
    return `${addressHex(node.slice(0, at))}.${node.slice(at + 1)}`;
  };
  return rows
    .filter(([, why]) => why === reason)
    .map(([key]) => {
      const [file = '', stream = '', theirs = '', ours = ''] = key.split('\t');
      const [, one, other] = stream.split(' ');
      const ends = [end(one), end(other)] as const;
      return { file, ends, theirs: theirs.split(' / '), ours: ours.split(' / ') };
    });
}

/** How far one sequence number is ahead of another. */
const ahead = (a: number, b: number): number => (a - b) | 0;

/** What one end said from `start` on: bytes and SHA-256, as the table has them. */
function streamOf(said: readonly Said[], start: number): string {
  // A SYN takes a number, which is before its data.
  const own = said
    .filter(({ payload }) => payload.length > 0)
    .map((one) => ({ ...one, sequence: one.sequence + (one.flags & flags.syn ? 1 : 0) }));
  const ends = own.map(({ sequence, payload }) => ahead(sequence, start) + payload.length);
  const bytes = Buffer.alloc(Math.max(0, ...ends));
  const isThere = new Uint8Array(bytes.length);
  for (const { sequence, payload } of own) {
    const at = ahead(sequence, start);
    for (let i = Math.max(0, -at); i < payload.length; i++) {
      if (isThere[at + i]) continue;
      bytes[at + i] = payload[i] as number;
      isThere[at + i] = 1;
    }
  }
  assert.ok(isThere.every(Boolean), 'bytes are missing between others');
  if (bytes.length === 0) return '0 -';
  return `${bytes.length} ${createHash('sha256').update(bytes).digest('hex').slice(0, 8)}`;
}

/** Of each end, what it says. */
function saidBy(records: readonly CaptureRecord[], { ends }: Row): [Said[], Said[]] {
  const ports = ends.map((end) => Number(end.slice(end.lastIndexOf('.') + 1))).sort();
  const all = records
    .map((record) => saidIn(record))
    .filter((said) => said?.isTcp && String([...said.ports].sort()) === String(ports)) as Said[];
  return [all.filter(({ by }) => by === ends[0]), all.filter(({ by }) => by === ends[1])];
}

const read = ({ file }: Row): readonly CaptureRecord[] =>
  readCapture(join(pcapFolder, file)).records;

test('second-syn-ack: ours are the bytes that the client acknowledged, all of them', {
  skip,
}, () => {
  const rows = rowsOf('second-syn-ack');
  assert.ok(rows.length > 0);
  for (const row of rows) {
    const [client, server] = saidBy(read(row), row);
    const isn = client.find((one) => one.flags === flags.syn)?.sequence ?? 0;
    const answers = server.filter((one) => one.flags === flags.syn + flags.ack);
    const numbers = [...new Set(answers.map(({ sequence }) => sequence))];
    const [first = 0, second = 0] = numbers;
    assert.equal(numbers.length, 2, 'answered with two numbers');
    assert.ok(answers.every(({ acknowledgment }) => acknowledgment === (isn + 1) >>> 0));
    // What the client acknowledges is of the first answer's stream: its end is our last byte.
    const acks = client
      .filter((one) => one.flags & flags.ack)
      .map(({ acknowledgment }) => acknowledgment);
    const last = Math.max(...acks.map((ack) => ahead(ack, first + 1)));
    assert.equal(`${last}`, row.ours[1]?.split(' ')[0]);
    assert.ok(!acks.includes((second + 1) >>> 0), 'the second number is never acknowledged');
    assert.equal(streamOf(server, first + 1), row.ours[1]);
    assert.equal(streamOf(client, isn + 1), row.ours[0]);
    assert.deepEqual(row.theirs[1], '0 -');
  }
});

/** A fragment's datagram, where in that it belongs, and whether it is the last. */
interface Fragment {
  readonly datagram: string;
  readonly header: Buffer;
  readonly at: number;
  readonly isLast: boolean;
  readonly bytes: Buffer;
}

/** Of the outermost IP header of an Ethernet frame. */
function fragmentOf({ linkType, data }: CaptureRecord): Fragment | undefined {
  let at = 12;
  while (linkType === 1 && data.readUInt16BE(at) === 0x8100) at += 4;
  const ip = data.subarray(linkType === 1 ? at + 2 : 0);
  const version = (ip[0] ?? 0) >> 4;
  if (version === 4) {
    const [size, word] = [((ip[0] ?? 0) & 15) * 4, ip.readUInt16BE(6)];
    if ((word & 0x3fff) === 0) return undefined;
    const header = Buffer.from(ip.subarray(0, size));
    header.writeUInt16BE(0, 6);
    const datagram =
      ip.toString('hex', 4, 6) + ip.toString('hex', 9, 10) + ip.toString('hex', 12, 20);
    const bytes = ip.subarray(size, ip.readUInt16BE(2));
    return { datagram, header, at: (word & 0x1fff) * 8, isLast: (word & 0x2000) === 0, bytes };
  }
  if (version !== 6 || ip[6] !== 44) return undefined;
  const header = Buffer.from(ip.subarray(0, 40));
  header[6] = ip[40] ?? 0;
  const word = ip.readUInt16BE(42);
  const datagram = ip.toString('hex', 8, 40) + ip.toString('hex', 44, 48);
  const bytes = ip.subarray(48, 40 + ip.readUInt16BE(4));
  return { datagram, header, at: word & 0xfff8, isLast: (word & 1) === 0, bytes };
}

/** Records with the datagrams of their outermost IP headers put together, where all is there. */
function putTogether(records: readonly CaptureRecord[]): CaptureRecord[] {
  const waiting = new Map<string, Fragment[]>();
  return records.flatMap((record) => {
    const fragment = fragmentOf(record);
    if (fragment === undefined) return [record];
    const parts = waiting.get(fragment.datagram) ?? [];
    waiting.set(fragment.datagram, parts);
    parts.push(fragment);
    parts.sort((a, b) => a.at - b.at);
    const ends = parts.map(({ at, bytes }) => at + bytes.length);
    const isWhole = parts.every(({ at }, index) => at === (ends[index - 1] ?? 0));
    if (!isWhole || !parts.at(-1)?.isLast) return [];
    waiting.delete(fragment.datagram);
    const header = parts[0]?.header as Buffer;
    const data = Buffer.concat([header, ...parts.map(({ bytes }) => bytes)]);
    const isFour = (header[0] ?? 0) >> 4 === 4;
    data.writeUInt16BE(data.length - (isFour ? 0 : 40), isFour ? 2 : 4);
    return [{ ...record, linkType: 101, data, wireLength: data.length }];
  });
}

test('outer-fragments: put together outside, the tunnel has what tshark has', { skip }, () => {
  const rows = rowsOf('outer-fragments');
  assert.ok(rows.length > 0);
  for (const row of rows) {
    const records = read(row);
    const sides = saidBy(putTogether(records), row);
    sides.forEach((said, side) => {
      const first = said.find((one) => one.flags & flags.syn);
      const data = said.filter(({ payload }) => payload.length > 0);
      const start = data.reduce(
        (low, one) => (ahead(one.sequence, low) < 0 ? one.sequence : low),
        data[0]?.sequence ?? 0,
      );
      const stream = streamOf(said, first === undefined ? start : first.sequence + 1);
      assert.equal(stream, row.theirs[side], `${row.file}, side ${side}`);
    });
    // Fragments as they are do not have it.
    assert.notDeepEqual(row.ours, row.theirs);
    assert.ok(records.some((record) => fragmentOf(record) !== undefined));
  }
});
