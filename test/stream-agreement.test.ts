/**
 * `bricks streams` over the captures of the shared collection, against the bytes that tshark puts
 * together (follow,tcp,raw). Every direction of a stream that tshark calls complete has the same
 * bytes here, or a row with its reason in stream-agreement.tsv (test/support/agreement.ts).
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { faultsOf } from './support/agreement.ts';
import {
  addressHex,
  capturesMissing,
  pcapFolder,
  type Row,
  rowsOf,
  table,
} from './support/shared-captures.ts';
import { root } from './support/source-tree.ts';

const skip = capturesMissing;
const program = join(root, 'native/build/release/bricks-streams');

/** "bytes sha256" of one direction after the other, from a to b and back. */
type Stream = { readonly tuple: string; readonly from: string; readonly sides: string[] };

const endText = (address: string, port: string) => `${addressHex(address)}.${port}`;

function ourStreams(file: string): Stream[] {
  const { status, stdout, stderr } = spawnSync(program, ['--tsv', join(pcapFolder, file)], {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  });
  assert.ok(status === 0 || status === 3, `${file}: exit code ${status}: ${stderr}`);
  const rows = stdout === '' ? [] : rowsOf(stdout);
  const streams: Stream[] = [];
  for (let i = 0; i + 1 < rows.length; i += 2) {
    const [row, back] = [rows[i], rows[i + 1]];
    if (!row || !back) break;
    const a = endText(row['ip_a'] ?? '', row['port_a'] ?? '');
    const b = endText(row['ip_b'] ?? '', row['port_b'] ?? '');
    streams.push({
      tuple: [a, b].sort().join(' '),
      from: a,
      sides: [row, back].map((side) => `${side['bytes']} ${side['sha256']}`),
    });
  }
  return streams;
}

/** `1.2.3.4:80`, `[2001::1]:80` or `2001::1:80`. */
function nodeEnd(node: string): string {
  const at = node.lastIndexOf(':');
  return endText(node.slice(0, at).replace(/^\[|\]$/g, ''), node.slice(at + 1));
}

type Difference = readonly [file: string, stream: string, theirs: string, ours: string];

/** A row of tshark's against the stream of ours with those ports that comes in the same place. */
function compare(file: string, rows: readonly Row[]): { compared: number; found: Difference[] } {
  const left = new Map<string, Stream[]>();
  for (const stream of ourStreams(file)) {
    const group = left.get(stream.tuple);
    if (group) group.push(stream);
    else left.set(stream.tuple, [stream]);
  }
  const found: Difference[] = [];
  let compared = 0;
  for (const row of rows) {
    const [from, to] = [nodeEnd(row['node0'] ?? ''), nodeEnd(row['node1'] ?? '')];
    const theirs = [
      `${row['bytes_0to1']} ${row['sha256_0to1']}`,
      `${row['bytes_1to0']} ${row['sha256_1to0']}`,
    ];
    const ours = left.get([from, to].sort().join(' '))?.shift();
    if (row['complete'] !== 'complete') continue;
    compared += 1;
    const sides =
      ours === undefined ? [] : ours.from === from ? ours.sides : ours.sides.toReversed();
    const isNothing = ours === undefined && theirs.every((side) => side === '0 -');
    if (isNothing || theirs.join(' ') === sides.join(' ')) continue;
    const text = (list: readonly string[]) =>
      list.map((side) => side.replace(/ (\w{8})\w+/, ' $1')).join(' / ') || '-';
    const name = `${row['tcp_stream']} ${row['node0']} ${row['node1']}`;
    found.push([file, name, text(theirs), text(sides)]);
  }
  return { compared, found };
}

test('every complete stream of tshark has the same bytes here, or a reason', { skip }, (t) => {
  const files = new Map<string, Row[]>();
  for (const row of table('tshark-tcp-streams.tsv')) {
    const group = files.get(row['file'] ?? '');
    if (group) group.push(row);
    else files.set(row['file'] ?? '', [row]);
  }
  const all = [...files].map(([file, rows]) => compare(file, rows));
  const compared = all.reduce((sum, one) => sum + one.compared, 0);
  assert.ok(compared > 2400, `only ${compared} streams were compared`);
  const found = all.flatMap((one) => one.found);
  const faults = faultsOf('test/stream-agreement.tsv', found);
  t.diagnostic(`${files.size} captures, ${compared} streams, ${found.length} differ`);
  assert.equal(faults.slice(0, 60).join('\n'), '', `${faults.length} faults`);
});
