/**
 * The reasons in decoder-agreement.tsv are true of each row: of the two fingerprints, or of the
 * capture's bytes, or of what nDPI itself says of the flow.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readCapture } from '../src/capture/read.ts';
import { readAgreement } from './support/agreement.ts';
import { capturesMissing, pcapFolder, table } from './support/shared-captures.ts';

interface Row {
  readonly path: string;
  /** What nDPI prints of the capture. */
  readonly expected: string;
  /** nDPI's fingerprint, and those of the capture that are ours instead. */
  readonly theirs: string;
  readonly ours: readonly string[];
}

/** A flow with this fingerprint of which nDPI itself prints no server name. */
const lacksName = ({ expected, theirs }: Row): boolean =>
  readFileSync(join(pcapFolder, expected), 'latin1')
    .split('\n')
    .some((line) => line.includes(`[JA4: ${theirs}]`) && !line.includes('[Hostname/SNI:'));

const frames = ({ path }: Row): Buffer[] => readCapture(path).records.map(({ data }) => data);
const hasBytes = (row: Row, hex: string) =>
  frames(row).some((data) => data.includes(Buffer.from(hex, 'hex')));

/** A long header of QUIC, behind Ethernet or none, IPv4 or IPv6, and UDP. */
function versionsOfQuic(row: Row): number[] {
  return frames(row).flatMap((data) =>
    [42, 62, 28, 48, 46].flatMap((at) => {
      const isThere = at + 5 < data.length && ((data[at] ?? 0) & 0xc0) === 0xc0;
      return isThere ? [data.readUInt32BE(at + 1)] : [];
    }),
  );
}
const isDraft = (version: number) => version >>> 8 === 0xff0000 || version >>> 8 === 0xfaceb0;
const isGoogles = (version: number) => [0x51, 0x54].includes(version >>> 24);

const [ofNothing, none] = ['_e3b0c44298fc', '_000000000000'];
const withName = (ja4: string) => ja4.replace(/^(...)i/, '$1d');
const withoutLast = (ja4: string) => ja4.replace(/^(.{9})./, '$1');
const agrees = ({ theirs, ours }: Row, told: (ja4: string) => string) =>
  ours.some((ja4) => ja4 !== theirs && told(ja4) === told(theirs));

const isTrue: Readonly<Record<string, (row: Row) => boolean>> = {
  'no-name': (row) => agrees(row, withName) && lacksName(row),
  alpn: (row) => agrees(row, withoutLast),
  'no-name-alpn': (row) => agrees(row, (ja4) => withoutLast(withName(ja4))) && lacksName(row),
  'no-name-no-list': (row) =>
    agrees(row, (ja4) => withName(ja4).replace(ofNothing, none)) && lacksName(row),
  dtls: ({ theirs }) => theirs.startsWith('d'),
  'quic-draft': (row) =>
    row.theirs.startsWith('q') && versionsOfQuic(row).some((v) => isDraft(v) || isGoogles(v)),
  starttls: (row) =>
    frames(row).some((data) => /STARTTLS|STLS|AUTH TLS/i.test(data.toString('latin1'))),
  capwap: (row) => hasBytes(row, '147f'),
  malformed: (row) => hasBytes(row, '0010000bb889'),
};

test("reasons of the decoders' differences are true", { skip: capturesMissing }, () => {
  const all = [...readAgreement('test/decoder-agreement.tsv').rows].map(([key, reason]) => {
    const [, file = '', who = '', what = ''] = key.split('\t');
    return { file, who, what, reason };
  });
  const printed = new Map(
    table('MANIFEST.tsv').map(({ file, expected_facts = '' }) => [
      file,
      expected_facts.split(';').find((name) => name.startsWith('expected/nDPI/')) ?? '',
    ]),
  );
  const wrong = all
    .filter(({ who }) => who === 'they')
    .filter(({ file, what, reason }) => {
      const ours = all.filter((row) => row.file === file && row.who === 'we');
      const path = join(pcapFolder, 'pcap', file);
      const expected = printed.get(`pcap/${file}`) ?? '';
      const row = { path, expected, theirs: what, ours: ours.map((one) => one.what) };
      return isTrue[reason]?.(row) !== true;
    });
  assert.deepEqual(wrong, []);
  // What is ours has its counterpart, by the same reason.
  const alone = all.filter(
    (row) =>
      row.who === 'we' &&
      !all.some((o) => o.who === 'they' && o.file === row.file && o.reason === row.reason),
  );
  assert.deepEqual(alone, []);
  assert.ok(all.length > 50, `${all.length} rows`);
});
