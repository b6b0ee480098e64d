/**
 * The reasons in flow-agreement.tsv are true of each row: of the packets with the row's addresses,
 * found by these alone (test/support/seen-headers.ts), not by any decoder.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Sighting, sightingOf } from '../src/capture/flow.ts';
import { readCapture } from '../src/capture/read.ts';
import type { CaptureRecord } from '../src/capture/record.ts';
import { readAgreement } from './support/agreement.ts';
import { bodyU8, bodyU16, type SeenHeader, seenHeaders } from './support/seen-headers.ts';
import { capturesMissing, pcapFolder } from './support/shared-captures.ts';

interface Row {
  readonly file: string;
  readonly level: string;
  /** Both ends' addresses, and their ports. */
  readonly ends: readonly string[];
  readonly ports: readonly number[];
  readonly theirs: string;
  readonly ours: string;
  readonly reason: string;
}

function rows(): Row[] {
  return [...readAgreement('test/flow-agreement.tsv').rows].map(([key, reason]) => {
    const [, file = '', flow = '', theirs = '', ours = ''] = key.split('\t');
    const [level = '', , ...both] = flow.split(' ');
    const ends = both.map((end) => end.replace(/,\d+$/, ''));
    const ports = both.map((end) => Number(/,(\d+)$/.exec(end)?.[1]));
    return { file, level, ends, ports, theirs, ours, reason };
  });
}

/** What a capture says, read once. */
class Capture {
  readonly records: readonly CaptureRecord[];
  readonly magic: string;
  /** Datagrams of which the first fragment is there. */
  readonly begun = new Set<string>();
  readonly #sightings = new Map<CaptureRecord, readonly Sighting[]>();

  constructor(path: string) {
    this.magic = readFileSync(path).subarray(0, 5).toString('latin1');
    this.records = this.magic === 'snoop' ? [] : readCapture(path).records;
    for (const record of this.records) {
      const both = [sightingOf(record), sightingOf(record, { outer: true })];
      const seen = both.filter((one) => one !== undefined);
      this.#sightings.set(record, seen);
      for (const one of seen.flatMap(({ first }) => first)) this.begun.add(one);
    }
  }

  isFragment(record: CaptureRecord): boolean {
    const seen = this.#sightings.get(record) ?? [];
    return seen.some(({ part, first }) => part !== undefined || first.length > 0);
  }

  isOrphan(record: CaptureRecord): boolean {
    const seen = this.#sightings.get(record) ?? [];
    return seen.some(({ part }) => part !== undefined && !this.begun.has(part));
  }
}

/** A row, its capture, and the IP headers between its ends. */
interface Case extends Row {
  readonly capture: Capture;
  readonly headers: readonly SeenHeader[];
}

const u16 = (data: Buffer, at: number): number =>
  at + 2 <= data.length ? data.readUInt16BE(at) : -1;

/** The EtherType behind tags. */
function etherType({ linkType, data }: CaptureRecord): number {
  let at = 12;
  while (linkType === 1 && [0x8100, 0x88a8].includes(u16(data, at))) at += 4;
  return linkType === 1 ? u16(data, at) : -1;
}

/** Of IPv6 all extension headers' types, too. */
function protocols({ data, version, protocol, body }: SeenHeader): number[] {
  const all = [protocol];
  for (let at = body; version === 6 && [0, 43, 44, 51, 60].includes(all.at(-1) ?? -1); ) {
    const [next = 59, words = 0] = data.subarray(at, at + 2);
    at += all.at(-1) === 51 ? (words + 2) * 4 : (words + 1) * 8;
    all.push(next);
  }
  return all;
}

const has = (protocol: number) => (header: SeenHeader) => protocols(header).includes(protocol);
const udpPort = (port: number) => (header: SeenHeader) =>
  protocols(header).includes(17) && [bodyU16(header, 0), bodyU16(header, 2)].includes(port);
const greType = (type: number) => (header: SeenHeader) =>
  header.protocol === 47 && bodyU16(header, 2) === type;
const pimRegister = (header: SeenHeader) => header.protocol === 103 && bodyU8(header, 0) === 0x21;

/** The first IP header of an Ethernet or raw frame: the outermost one. */
function outermost(record: CaptureRecord): SeenHeader | undefined {
  const { data, linkType } = record;
  let at = linkType === 1 ? 14 : linkType === 0 ? 4 : 0;
  while (linkType === 1 && [0x8100, 0x88a8].includes(u16(data, at - 2))) at += 4;
  const version = (data[at] ?? 0) >> 4 === 6 ? 6 : 4;
  const body = at + (version === 6 ? 40 : ((data[at] ?? 0) & 15) * 4);
  const protocol = data[at + (version === 6 ? 6 : 9)] ?? 0;
  return (data[at] ?? 0) >> 4 === version
    ? { record, data, at, version, protocol, body }
    : undefined;
}

/** The packets between the row's ends are in frames whose outermost header is such a one. */
const within = (is: (header: SeenHeader) => boolean) => (one: Case) =>
  one.headers.some(({ record }) => {
    const outer = outermost(record);
    return outer !== undefined && is(outer);
  });

/** Some packet between the row's ends is such a one. */
const some = (is: (header: SeenHeader) => boolean) => (one: Case) => one.headers.some(is);
const inRecord = (is: (record: CaptureRecord) => boolean) => (one: Case) =>
  one.headers.some(({ record }) => is(record));

/** IEEE 802.15.4, with and without its check sequence. */
const linkTypes = [195, 215];
/** FabricPath, CMD, Arista's timestamps, MACsec. */
const strangeTypes = [0x8903, 0x8909, 0xd28b, 0x88e5];
/** A loose or strict source route, maybe behind options that are there to fill up. */
const hasSourceRoute = ({ data, at, body }: SeenHeader) =>
  [131, 137].includes([...data.subarray(at + 20, body)].find((option) => option !== 1) ?? 0);
/** As the header says, also one whose options are cut off: the witness takes whole headers only. */
const saysFragment = ({ data, at, version }: SeenHeader) =>
  version === 4 && (u16(data, at + 6) & 0x3fff) !== 0;

const isTrue: Readonly<Record<string, (one: Case) => boolean>> = {
  snoop: ({ capture }) => capture.magic === 'snoop',
  // Compressed headers (6LoWPAN) have no addresses to be found by.
  'link-type': ({ capture, headers }) =>
    (headers.length > 0 ? headers.map(({ record }) => record) : capture.records).every(
      ({ linkType }) => linkTypes.includes(linkType),
    ),
  oversize: inRecord(({ data }) => data.length > 65_535),
  'ether-type': inRecord((record) => strangeTypes.includes(etherType(record))),
  fragments: ({ capture, headers }) =>
    headers.some((header) => capture.isFragment(header.record) || saysFragment(header)),
  orphans: ({ capture, headers }) =>
    headers.some(({ record }) => capture.isOrphan(record)) ||
    (headers.length > 0 && headers.every(saysFragment)),
  sflow: within(udpPort(6343)),
  'gtp-prime': within(udpPort(3386)),
  'lisp-control': within(udpPort(4342)),
  capwap: within(udpPort(5247)),
  'wlan-in-gre': within(greType(0x8240)),
  'nhrp-quote': within(greType(0x2001)),
  'pim-register': within(pimRegister),
  ah: some(has(51)),
  // Its packets are compressed: only the outer rows' addresses can be seen.
  ipcomp: ({ capture, headers, level }) =>
    (level === 'inner' ? capture.records.map(outermost) : headers).some(
      (header) => header !== undefined && bodyU8(header, 0) === 108 && has(51)(header),
    ),
  'bad-version': some(({ version, at, data }) => version === 6 && u16(data, at - 2) === 0x800),
  'mpls-guess': some(
    ({ record, version, data, at }) =>
      [0x8847, 0x8848].includes(etherType(record)) && version === 4 && u16(data, at + 2) === 0,
  ),
  // The addresses of its list are options, not header.
  'source-route': ({ capture, ends }) =>
    seenHeaders(capture.records, '10.0.0.6', '10.0.0.138').some(hasSourceRoute) &&
    ends.includes('10.0.0.6'),
  'pbb-deep': inRecord(
    ({ data }) => [...data.keys()].filter((at) => u16(data, at) === 0x88e7).length > 8,
  ),
  // Its payload is, or begins with what leads to, an IPv6 packet.
  'ndpi-teredo': ({ headers }) =>
    headers.every(udpPort(3544)) &&
    headers.some(({ data, body }) => [0x60, 0].includes(data[body + 8] ?? -1)),
  'arkime-direction': ({ headers, ends: [a], ports: [port] }) =>
    headers.length === 1 &&
    port === 80 &&
    headers.every((header) => bodyU16(header, 0) === 80 && a !== undefined),
  // NTP: the server's answer comes first, then the client's question.
  'zeek-turns': ({ headers }) =>
    headers.map((header) => bodyU8(header, 8) & 7).join() === '4,3' && headers.every(udpPort(123)),
  'zeek-sctp': ({ headers }) => headers.length > 0 && headers.every(has(132)),
};

test('reasons are true of each row', { skip: capturesMissing }, () => {
  const known = new Map<string, Capture>();
  const wrong: string[] = [];
  const all = rows();
  for (const row of all) {
    const capture = known.get(row.file) ?? new Capture(join(pcapFolder, row.file));
    known.set(row.file, capture);
    const [a = '', b = ''] = row.ends;
    const headers = a.includes('packets') ? [] : seenHeaders(capture.records, a, b);
    if (isTrue[row.reason]?.({ ...row, capture, headers }) !== true)
      wrong.push(`${row.reason}: ${row.file} ${row.level} ${row.ends.join(' ')}`);
  }
  assert.equal(wrong.join('\n'), '');
  assert.ok(all.length > 250, `${all.length} rows`);
});

/** Reasons by which a frame is in another row here, and none is left out. */
const movesOnly = ['fragments', 'orphans', 'ah', 'ipcomp', 'sflow', 'lisp-control', 'capwap'];

test('rows that differ by where packets count hold the same packets', {
  skip: capturesMissing,
}, () => {
  const sums = new Map<string, number[]>();
  const all = rows();
  for (const { file, level, theirs, ours } of all) {
    if (level === 'outer') continue;
    const isMove = all
      .filter((one) => one.file === file)
      .every((one) => movesOnly.includes(one.reason));
    if (!isMove) continue;
    const counts = (text: string) => (text === '-' ? [0, 0, 0, 0] : text.split('/').map(Number));
    const [their, our] = [counts(theirs), counts(ours)];
    const sum = sums.get(file) ?? [0, 0];
    for (const i of [0, 1, 2, 3]) sum[i & 1] = (sum[i & 1] ?? 0) + (their[i] ?? 0) - (our[i] ?? 0);
    sums.set(file, sum);
  }
  const lost = [...sums].filter(([, [packets, bytes]]) => packets !== 0 || bytes !== 0);
  assert.deepEqual(lost, []);
  assert.ok(sums.size > 30, `${sums.size} captures`);
});
