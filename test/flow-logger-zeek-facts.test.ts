/**
 * The reasons in flow-logger-zeek.tsv are true of each row, as far as the capture's bytes and
 * Zeek's other logs of it can tell.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { sightingOf } from '../src/capture/flow.ts';
import { readCapture } from '../src/capture/read.ts';
import type { CaptureRecord } from '../src/capture/record.ts';
import { readAgreement } from './support/agreement.ts';
import {
  bodyU8,
  bodyU16,
  hasWrongChecksum,
  type SeenHeader,
  seenHeaders,
} from './support/seen-headers.ts';
import { capturesMissing, pcapFolder } from './support/shared-captures.ts';
import { factsText, turned, type ZeekLog, zeekLogs } from './support/zeek-logs.ts';

interface Row {
  readonly capture: string;
  readonly name: string;
  readonly ends: readonly string[];
  readonly field: string;
  readonly zeek: string;
  readonly ours: string;
  readonly reason: string;
}

function rows(): Row[] {
  return [...readAgreement('test/flow-logger-zeek.tsv').rows].map(([key, reason]) => {
    const [capture = '', name = '', ends = '', field = '', zeek = '', ours = ''] = key.split('\t');
    return { capture, name, ends: ends.split(' '), field, zeek, ours, reason };
  });
}

interface Facts {
  readonly records: readonly CaptureRecord[];
  /** Of the row's two addresses. */
  readonly headers: readonly SeenHeader[];
  /** Of the capture. */
  readonly logs: readonly ZeekLog[];
}

const icmpErrors = [3, 4, 5, 11, 12];
const tcpFlags = (header: SeenHeader) => bodyU8(header, 13);
const hasPorts = (header: SeenHeader, ports: readonly (string | undefined)[]) =>
  [bodyU16(header, 0), bodyU16(header, 2)].every((port) => ports.includes(String(port)));

/** All IP headers behind Ethernet, a tunnel of UDP included: those whose addresses are in it. */
const anyHeaders = (records: readonly CaptureRecord[]): SeenHeader[] =>
  records.flatMap(({ data, ...rest }) =>
    [...data.keys()].flatMap((at) => {
      const length =
        (data[at] ?? 0) === 0x45 && at + 20 <= data.length ? data.readUInt16BE(at + 2) : 0;
      const header = { data, record: { data, ...rest }, at, version: 4 as const, body: at + 20 };
      const fits = length > 20 && at + length <= data.length;
      return fits ? [{ ...header, protocol: data[at + 9] ?? 0 }] : [];
    }),
  );

/** Of the same capture, a log that says what we say. */
const isElsewhere = ({ logs }: Facts, row: Row): boolean => {
  const [, a, , b] = row.ends;
  const said = logs
    .filter(({ name }) => name !== row.name)
    .flatMap((log) => log.rows)
    .filter((one) => one['id.orig_h'] === a && one['id.resp_h'] === b)
    .filter((one) => row.ends[2] === '*' || one['id.orig_p'] === row.ends[2]);
  return said.some((one) =>
    row.field === 'connection' ? factsText(one) === row.ours : one[row.field] === row.ours,
  );
};

/** The wrong way round in one log, and right in another. */
const isTurnedElsewhere = ({ logs }: Facts, { ends: [, a, , b] }: Row): boolean =>
  logs.some((log) =>
    log.rows.map(turned).some((one) => one['id.orig_h'] === a && one['id.resp_h'] === b),
  );

const isTrue: Readonly<Record<string, (facts: Facts, row: Row) => boolean>> = {
  'analyser-stopped': ({ logs }, { name, zeek }) => {
    const log = logs.find((one) => one.name === name);
    return /X/.test(zeek) || log?.rows.some((row) => /X/.test(row['history'] ?? '')) === true;
  },
  checksum: ({ records }) => anyHeaders(records).some(hasWrongChecksum),
  filtered: isElsewhere,
  'lone-answer': (facts, row) =>
    isTurnedElsewhere(facts, row) &&
    facts.headers.length === 1 &&
    facts.headers.every((header) => (tcpFlags(header) & 0x12) === 0x12),
  'server-port': ({ records, headers }) =>
    (headers.length > 0 ? headers : anyHeaders(records)).some(
      (header) => !(tcpFlags(header) & 2) && [80, 524].includes(bodyU16(header, 0)),
    ),
  'zeek-turns': ({ headers: [first, second] }) =>
    first !== undefined &&
    second !== undefined &&
    (bodyU8(first, 8) & 7) === 4 &&
    (bodyU8(second, 8) & 7) === 3,
  'dns-answer': ({ records }) =>
    records.length === 1 && anyHeaders(records).some((header) => bodyU8(header, 10) >> 7 === 1),
  'icmp-error': ({ headers }, { ends: [, , type] }) =>
    icmpErrors.includes(Number(type)) &&
    headers.some((header) => header.protocol === 1 && bodyU8(header, 0) === Number(type)),
  'unknown-transport': ({ headers }, { field }) =>
    headers.every(({ protocol }) => [132, 253].includes(protocol)) && /bytes/.test(field),
  middle: ({ headers }, { ends: [, , one, , other] }) =>
    headers.some((header) => header.at > 34 && hasPorts(header, [one, other, '3544'])),
  bubble: ({ headers }) => headers.length > 0 && headers.every(({ protocol }) => protocol === 59),
  datagrams: ({ records }) =>
    records.some((record) => sightingOf(record, { outer: true })?.part !== undefined),
  'wlan-in-gre': ({ records }) => records.some(({ data }) => data.includes('00008240', 0, 'hex')),
  'cut-header': ({ headers }) =>
    headers.every(({ data, body }) => body + ((data[body + 12] ?? 0) >> 4) * 4 > data.length),
};

test("reasons of the flow logger's differences are true", { skip: capturesMissing }, () => {
  const logs = zeekLogs();
  const wrong: string[] = [];
  const all = rows();
  for (const row of all) {
    const check = isTrue[row.reason];
    const { records } = readCapture(join(pcapFolder, row.capture));
    const [, one = '', , other = ''] = row.ends;
    const headers = one === '*' ? [] : seenHeaders(records, one, other);
    const facts = { records, headers, logs: logs.filter((log) => log.capture === row.capture) };
    if (check?.(facts, row) !== true)
      wrong.push(`${row.reason}: ${row.capture} ${row.name} ${row.ends.join(' ')} ${row.field}`);
  }
  assert.equal(wrong.join('\n'), '');
  assert.ok(all.length > 100, `${all.length} rows`);
});
