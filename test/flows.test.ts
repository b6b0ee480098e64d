/**
 * `bricks flows`: packets of our own in every encapsulation, against test/flows.golden
 * (UPDATE_GOLDEN=1 rewrites it; look at the difference), and the command line.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { membershipsOf } from '../src/capture/flow.ts';
import { parseCapture } from '../src/capture/read.ts';
import { makeTraffic, pcapOf } from '../src/traffic/traffic.ts';
import { bothWays, encapsulations, errorAbout, fragmentsOf } from './support/encapsulated.ts';
import { rowsOf } from './support/shared-captures.ts';
import { root } from './support/source-tree.ts';

const folder = mkdtempSync(join(tmpdir(), 'bricks-flows-'));
after(() => rmSync(folder, { recursive: true }));
const golden = join(root, 'test/flows.golden');
const bricks = join(root, 'bin/bricks');

/** Frames as a capture, a millisecond apart. */
const captureOf = (frames: readonly Buffer[]): Buffer =>
  pcapOf(frames.map((frame, index) => ({ timeUs: index * 1000, frame })));

function file(name: string, content: Buffer | string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const run = (args: readonly string[], input?: Buffer) =>
  spawnSync(bricks, ['flows', ...args], {
    encoding: 'utf8',
    timeout: 60_000,
    ...(input ? { input } : {}),
  });

const cases: Readonly<Record<string, readonly Buffer[]>> = {
  ...Object.fromEntries(
    Object.entries(encapsulations).map(([name, wrap]) => [name, bothWays(wrap)]),
  ),
  'icmp error': [...bothWays(encapsulations['plain'] ?? assert.fail()), errorAbout(4)],
  'icmpv6 error': [...bothWays(encapsulations['qinq'] ?? assert.fail()), errorAbout(6)],
  fragments: fragmentsOf(4),
  'fragments, last first': fragmentsOf(6).toReversed(),
};

test('every encapsulation, as rows', () => {
  const parts = Object.entries(cases).map(([name, frames]) => {
    const { status, stdout, stderr } = run(['--tsv', file('case.pcap', captureOf(frames))]);
    assert.equal(status, 0, stderr);
    assert.equal(stderr, '');
    const [, ...rows] = stdout.trimEnd().split('\n');
    return `--- ${name}\n${rows.join('\n')}\n`;
  });
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, parts.join(''));
  else assert.equal(parts.join(''), readFileSync(golden, 'utf8'));
});

test('the witness of captures finds the same flow in each of them', () => {
  for (const [name, frames] of Object.entries(cases)) {
    const { records } = parseCapture(captureOf(frames), name);
    const members = membershipsOf(records, { fragments: true });
    const flows = new Set(members.map((member) => member?.flow));
    assert.equal(flows.size, 1, `${name}: ${[...flows].join(', ')}`);
    assert.match([...flows][0] ?? '', /^(tcp|udp) \w+\.40000 \w+\.443$/, name);
  }
});

const traffic = captureOf(makeTraffic({ seed: 11, flows: 300 }).map(({ frame }) => frame));

test('JSON and TSV say the same, and the same every time', () => {
  const path = file('traffic.pcap', traffic);
  const [json, again, said, tsv] = [[path], [path], ['--json', path], ['--tsv', path]].map((args) =>
    run(args),
  );
  assert.equal(json?.stdout, again?.stdout);
  assert.equal(json?.stdout, said?.stdout);
  const objects = (json?.stdout ?? '')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const rows = rowsOf(tsv?.stdout ?? '');
  assert.ok(rows.length >= 300);
  assert.equal(objects.length, rows.length);
  rows.forEach((row, i) => {
    assert.deepEqual(Object.keys(objects[i]), Object.keys(row));
    for (const [column, cell] of Object.entries(row)) {
      const value: unknown = objects[i][column];
      assert.equal(
        typeof value === 'number' ? value : String(value),
        typeof value === 'number' ? Number(cell) : cell,
      );
    }
  });
});

test('several files are one capture; - is standard input', () => {
  const records = makeTraffic({ seed: 12, flows: 50 }).map(({ frame }) => frame);
  const half = Math.floor(records.length / 2);
  const whole = file('whole.pcap', captureOf(records));
  const first = file('first.pcap', captureOf(records.slice(0, half)));
  const second = file('second.pcap', captureOf(records.slice(half)));
  const counts = (text: string) =>
    rowsOf(text)
      .map((row) => Object.values(row).slice(0, 12).join(' '))
      .sort();
  const expected = counts(run(['--tsv', whole]).stdout);
  assert.deepEqual(counts(run(['--tsv', first, second]).stdout), expected);
  assert.deepEqual(counts(run(['--tsv', '-'], captureOf(records)).stdout), expected);
});

test('a truncated capture gives what is whole, a warning, and exit code 0', () => {
  const path = file('cut.pcap', traffic.subarray(0, traffic.length - 5));
  const { status, stdout, stderr } = run([path]);
  assert.equal(status, 0);
  assert.match(stderr, /^bricks flows: warning: .*cut\.pcap is truncated/);
  assert.ok(stdout.split('\n').length > 300);
});

test('no packets: no rows', () => {
  const path = file('none.pcap', captureOf([]));
  assert.deepEqual([run([path]).status, run([path]).stdout, run([path]).stderr], [0, '', '']);
  assert.match(run(['--tsv', path]).stdout, /^level\tproto\t.*\tcommunity_id\n$/);
});

test('who reads may stop reading', () => {
  const path = file('traffic.pcap', traffic);
  const line = `'${bricks}' flows -q '${path}' | head -n 1; echo "\${PIPESTATUS[0]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', line], { encoding: 'utf8' });
  assert.match(stdout, /^\{.*\}\n0\n$/);
  assert.equal(stderr, '');
});

for (const [what, args, exit, message] of [
  ['no file', [], 2, /^usage: bricks flows FILE/],
  ['an unknown option', ['--tsw', 'x'], 2, /no option --tsw; see bricks flows -h/],
  ['a limit of 0', ['--flows', '0', 'x'], 2, /--flows wants a number from 1/],
  ['a limit without a number', ['--flows'], 2, /value is missing after --flows/],
  ['two formats', ['--json', '--tsv', 'x'], 2, /choose one/],
  ['standard input twice', ['-', '-'], 2, /only once/],
  ['an empty name', [''], 2, /empty/],
  ['no such capture', ['nowhere.pcap'], 6, /nowhere\.pcap/],
  ['a folder', ['/'], 1, /\//],
  ['no capture', ['/etc/passwd'], 3, /\/etc\/passwd is not a pcap or pcapng/],
] as const) {
  test(`${what}: exit code ${exit}`, () => {
    const { status, stdout, stderr } = run(args);
    assert.equal(status, exit, stderr);
    assert.match(stderr, message);
    assert.equal(stdout, '');
  });
}

test('more flows than are to be listed: the first ones, a message, exit code 3', () => {
  const { status, stdout, stderr } = run(['--flows', '7', file('traffic.pcap', traffic)]);
  assert.equal(status, 3);
  assert.equal(stdout.trimEnd().split('\n').length, 7);
  assert.match(stderr, /more flows than 7: \d+ packets of others are in no row; raise --flows/);
});

test('help, and packets without an IP header', () => {
  assert.match(run(['-h']).stdout, /^usage: bricks flows FILE/);
  const path = file('arp.pcap', captureOf([Buffer.alloc(60)]));
  const { status, stdout, stderr } = run([path]);
  assert.deepEqual([status, stdout], [0, '']);
  assert.match(stderr, /1 of 1 packets have no IP header; they are in no row/);
  assert.equal(run(['-q', path]).stderr, '');
});
