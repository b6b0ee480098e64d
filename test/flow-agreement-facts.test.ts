/**
 * The reasons in flow-agreement.tsv are true of each row's capture, where the bytes alone can tell:
 * read by the witness, not by the engine's decoder.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Sighting, sightingOf } from '../src/capture/flow.ts';
import { readCapture } from '../src/capture/read.ts';
import type { CaptureRecord } from '../src/capture/record.ts';
import { capturesMissing, pcapFolder } from './support/shared-captures.ts';
import { root } from './support/source-tree.ts';

interface Row {
  readonly file: string;
  /** Both ends' addresses. */
  readonly ends: readonly string[];
  readonly reason: string;
}

function rows(): Row[] {
  const lines = readFileSync(join(root, 'test/flow-agreement.tsv'), 'utf8').trimEnd().split('\n');
  return lines
    .filter((line) => !line.startsWith('#'))
    .map((line) => {
      const [, file = '', flow = '', , , reason = ''] = line.split('\t');
      const ends = flow.split(' ').slice(2);
      return { file, ends: ends.map((end) => end.replace(/,\d+$/, '')), reason };
    });
}

/** What a capture says, read once. */
class Facts {
  readonly records: readonly CaptureRecord[];
  readonly sightings: readonly Sighting[];
  readonly magic: string;
  readonly etherTypes = new Set<number>();

  constructor(path: string) {
    this.magic = readFileSync(path).subarray(0, 5).toString('latin1');
    this.records = this.magic === 'snoop' ? [] : readCapture(path).records;
    this.sightings = this.records.flatMap((record) => [
      ...[sightingOf(record)].filter((one) => one !== undefined),
      ...[sightingOf(record, { outer: true })].filter((one) => one !== undefined),
    ]);
    for (const { linkType, data } of this.records) {
      let at = 12;
      while (linkType === 1 && data.length >= at + 6 && [0x8100, 0x88a8].includes(u16(data, at)))
        at += 4;
      if (linkType === 1 && data.length >= at + 2) this.etherTypes.add(u16(data, at));
    }
  }

  hasPort(port: number): boolean {
    const end = new RegExp(`[.]${port}( |$)`);
    return this.sightings.some(({ flow }) => flow.startsWith('udp ') && end.test(flow));
  }
}

const u16 = (data: Buffer, at: number): number => data.readUInt16BE(at);

/** FDDI, 802.11, Frame Relay, radiotap, ARCNET, PPI, 802.15.4 (two), IPNET, NFLOG. */
const linkTypes = [10, 105, 107, 127, 129, 192, 195, 215, 226, 239];
/** FabricPath, CMD, Arista's timestamps, MACsec. */
const strangeTypes = [0x8903, 0x8909, 0xd28b, 0x88e5];

/** A later fragment whose IP options are cut off: the witness takes whole headers only. */
const seenByHand = ['pcap/tcpdump/ip_printroute_asan.pcap'];

const isTrue: Readonly<Record<string, (facts: Facts, row: Row) => boolean>> = {
  snoop: ({ magic }) => magic === 'snoop',
  'link-type': ({ records }) => records.some(({ linkType }) => linkTypes.includes(linkType)),
  oversize: ({ records }) => records.some(({ data }) => data.length > 65_535),
  'ether-type': ({ etherTypes }) => strangeTypes.some((type) => etherTypes.has(type)),
  fragments: ({ sightings }) =>
    sightings.some(({ part, first }) => part !== undefined || first.length > 0),
  orphans: ({ sightings }) => {
    const begun = new Set(sightings.flatMap(({ first }) => first));
    return sightings.some(({ part }) => part !== undefined && !begun.has(part));
  },
  sflow: (facts) => facts.hasPort(6343),
  'gtp-prime': (facts) => facts.hasPort(3386),
  'lisp-control': (facts) => facts.hasPort(4342),
  capwap: (facts) => facts.hasPort(5247),
};

test('reasons that bytes can tell are true of each row', { skip: capturesMissing }, () => {
  const known = new Map<string, Facts>();
  const wrong: string[] = [];
  let judged = 0;
  for (const row of rows()) {
    const check = isTrue[row.reason];
    if (check === undefined || seenByHand.includes(row.file)) continue;
    const facts = known.get(row.file) ?? new Facts(join(pcapFolder, row.file));
    known.set(row.file, facts);
    judged += 1;
    if (!check(facts, row)) wrong.push(`${row.file} ${row.ends.join(' ')}: ${row.reason}`);
  }
  assert.deepEqual(wrong, []);
  assert.ok(judged > 250, `${judged} rows`);
});
