/**
 * `bricks flows` over every capture of the shared collection, against what tshark says and against
 * what other projects publish and AGREEMENT.tsv calls exact. Whatever differs has a row with its
 * reason in flow-agreement.tsv (test/support/agreement.ts).
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { faultsOf } from './support/agreement.ts';
import { addRow, type Counts, type FlowRows, listFlows } from './support/flow-rows.ts';
import {
  addressHex,
  capturesMissing,
  type Row,
  type SharedCapture,
  sharedCaptures,
  table,
} from './support/shared-captures.ts';

const skip = capturesMissing;

/** capture -> what bricks says; undefined: it refuses the file. */
const listed = new Map<string, readonly Row[] | undefined>();

before(() => {
  if (skip) return;
  for (const { file, path } of sharedCaptures()) {
    const { code, rows, stderr } = listFlows(path);
    assert.ok(code === 0 || code === 3, `${file}: exit code ${code}: ${stderr}`);
    listed.set(file, code === 0 ? rows : undefined);
  }
});

/** capture -> its rows of a table. */
function grouped(rows: readonly Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(row['file'] ?? '');
    if (group) group.push(row);
    else groups.set(row['file'] ?? '', [row]);
  }
  return groups;
}

/** One difference: against whom, in which capture, which flow, what they say, what we say. */
type Difference = readonly [
  against: string,
  file: string,
  flow: string,
  theirs: string,
  ours: string,
];

const textOf = (counts: Counts | undefined) => counts?.join('/') ?? '-';

function differences(against: string, file: string, theirs: FlowRows, ours: FlowRows) {
  const found: Difference[] = [];
  for (const name of [...new Set([...theirs.keys(), ...ours.keys()])].sort()) {
    const [their, our] = [textOf(theirs.get(name)), textOf(ours.get(name))];
    if (their !== our) found.push([against, file, name, their, our]);
  }
  return found;
}

function rowsAt(rows: readonly Row[], levelOf: (row: Row) => string | undefined): FlowRows {
  const sums: FlowRows = new Map();
  for (const row of rows) {
    const level = levelOf(row);
    if (level !== undefined) addRow(sums, row, level);
  }
  return sums;
}

function againstTshark(captures: readonly SharedCapture[]): Difference[] {
  const theirs = grouped(table('tshark-flows.tsv'));
  const level = (row: Row) => row['level'];
  return captures.flatMap(({ file }) => {
    const ours = rowsAt(listed.get(file) ?? [], level);
    return differences('tshark', file, rowsAt(theirs.get(file) ?? [], level), ours);
  });
}

const isTransport = (row: Row) => /^(tcp|udp|sctp)$/i.test(row['proto'] ?? '');

/** Who counts what is in a tunnel only, and who counts both ends. */
const levelsOf: Readonly<Record<string, RegExp>> = {
  arkime: /only|inner/,
  ipfixprobe: /only|inner/,
  nDPI: /only|inner/,
  zeek: /only|inner|outer/,
};

/** Whole frames' bytes where the peer counts these; its packets only where it counts others. */
function againstPeers(): { compared: number; found: Difference[] } {
  const flows = grouped(table('expected/peer-flows.tsv'));
  const exact = table('expected/AGREEMENT.tsv').filter(
    (row) => row['verdict'] === 'exact' && levelsOf[row['peer'] ?? ''] !== undefined,
  );
  const found = exact.flatMap(({ file = '', peer = '', expected_file, peer_flows }) => {
    const theirRows = (flows.get(file) ?? []).filter(
      (row) => row['peer'] === peer && row['expected_file'] === expected_file,
    );
    assert.equal(theirRows.length, Number(peer_flows), `${peer} ${file}: rows of the list`);
    assert.ok(listed.get(file) !== undefined, `${file} is refused`);
    const hasBytes = theirRows.every((row) => row['bytes_kind'] === 'frame');
    const levels = levelsOf[peer] ?? /./;
    const levelOf = (row: Row) =>
      isTransport(row) && levels.test(row['level'] ?? 'only') ? 'any' : undefined;
    const without = (rows: FlowRows): FlowRows =>
      hasBytes ? rows : new Map([...rows].map(([name, [p, , q]]) => [name, [p, 0, q, 0]]));
    const theirs = without(rowsAt(theirRows, levelOf));
    const ours = without(rowsAt(listed.get(file) ?? [], levelOf));
    return differences(peer, file, theirs, ours);
  });
  return { compared: exact.length, found };
}

/** Packets and bytes of all flows of a capture: all that is published of nfstream's. */
function againstTotals(): { compared: number; found: Difference[] } {
  const exact = table('expected/AGREEMENT.tsv').filter(
    (row) => row['verdict'] === 'exact' && row['peer'] === 'nfstream',
  );
  const found = exact.flatMap(({ file = '', peer_packets, peer_bytes }) => {
    const sum = (columns: readonly string[]) =>
      (listed.get(file) ?? [])
        .filter((row) => row['level'] !== 'outer')
        .reduce((total, row) => columns.reduce((n, c) => n + Number(row[c]), total), 0);
    const theirs = `${peer_packets}/${peer_bytes}`;
    const ours = `${sum(['pkts_ab', 'pkts_ba'])}/${sum(['bytes_ab', 'bytes_ba'])}`;
    const name = 'all packets/bytes';
    return theirs === ours ? [] : [['nfstream', file, name, theirs, ours] as Difference];
  });
  return { compared: exact.length, found };
}

test('every difference has its reason, and every reason its difference', { skip }, (t) => {
  const captures = sharedCaptures();
  const peers = againstPeers();
  const totals = againstTotals();
  const exact = table('expected/AGREEMENT.tsv').filter(({ verdict }) => verdict === 'exact');
  assert.equal(peers.compared + totals.compared, exact.length, 'lists that are called exact');
  assert.ok(exact.length >= 360, `${exact.length} lists`);
  const found = [...againstTshark(captures), ...peers.found, ...totals.found];
  const notSame = new Set(
    [...peers.found, ...totals.found].map(([peer, file]) => `${peer} ${file}`),
  );
  const faults = faultsOf('test/flow-agreement.tsv', found);
  t.diagnostic(
    `${captures.length} captures, ${exact.length} lists of peers called exact, of which ` +
      `${exact.length - notSame.size} are the same in every row; ${found.length} differences`,
  );
  assert.equal(faults.slice(0, 60).join('\n'), '', `${faults.length} faults`);
});

test("Community IDs are arkime's", { skip }, () => {
  const key = (row: Row) => {
    const end = (e: string) => `${addressHex(row[`ip_${e}`] ?? '')}.${row[`port_${e}`]}`;
    return `${row['file']} ${row['proto']?.toLowerCase()} ${[end('a'), end('b')].sort().join(' ')}`;
  };
  const ours = new Map<string, string>();
  for (const [file, rows] of listed)
    for (const row of rows ?? [])
      if (row['level'] !== 'outer') ours.set(key({ ...row, file }), row['community_id'] ?? '');
  let equal = 0;
  const wrong: string[] = [];
  for (const row of table('expected/peer-flows.tsv')) {
    const [, id] = /community_id=(\S+)/.exec(row['state'] ?? '') ?? [];
    const mine = ours.get(key(row));
    if (id === undefined || mine === undefined || !isTransport(row)) continue;
    if (id === mine) equal += 1;
    else wrong.push(`${key(row)}: ${id}, not ${mine}`);
  }
  assert.equal(wrong.join('\n'), '');
  assert.ok(equal > 400, `only ${equal} were found`);
});
