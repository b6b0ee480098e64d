/** `bricks streams`: the command line; its bytes are stream-agreement.test.ts and test/native. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeTraffic, pcapOf } from '../src/traffic/traffic.ts';
import { rowsOf } from './support/shared-captures.ts';
import { root } from './support/source-tree.ts';

const folder = mkdtempSync(join(tmpdir(), 'bricks-streams-'));
after(() => rmSync(folder, { recursive: true }));
const capture = join(folder, 'traffic.pcap');
writeFileSync(
  capture,
  pcapOf(
    makeTraffic({ seed: 11, flows: 100 }).map(({ frame }, i) => ({ timeUs: i * 1000, frame })),
  ),
);
const run = (...args: string[]) =>
  spawnSync(join(root, 'bin/bricks'), ['streams', ...args], { encoding: 'utf8', timeout: 60_000 });

test('JSON and TSV say the same, two rows a stream', () => {
  const rows = rowsOf(run('--tsv', capture).stdout);
  const objects = run(capture)
    .stdout.trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.ok(rows.length > 20 && rows.length % 2 === 0, `${rows.length} rows`);
  assert.deepEqual(Object.keys(rows[0] ?? {}), Object.keys(objects[0] ?? {}));
  assert.equal(
    Object.keys(rows[0] ?? {}).join(' '),
    'ip_a port_a ip_b port_b bytes sha256 complete gaps missing',
  );
  assert.deepEqual(
    rows.map((row) => Object.values(row)),
    objects.map((object) => Object.values(object).map(String)),
  );
  for (let i = 0; i < rows.length; i += 2) {
    assert.equal(rows[i]?.['ip_a'], rows[i + 1]?.['ip_b']);
    assert.equal(rows[i]?.['port_a'], rows[i + 1]?.['port_b']);
  }
});

for (const [what, args, exit, message] of [
  ['no file', [], 2, /^usage: bricks streams FILE/],
  ['an unknown option', ['--tsw', 'x'], 2, /no option --tsw; see bricks streams -h/],
  ['an unknown policy', ['--policy', 'beos', 'x'], 2, /wants the name of an overlap policy/],
  ['two formats', ['--tsv', '--json', 'x'], 2, /choose one/],
  ['a file that is not there', ['/no/such/file'], 6, /no\/such\/file/],
  ['more streams than allowed', ['--streams', '3', capture], 3, /more streams than 3/],
] as const) {
  test(`${what}: exit code ${exit}`, () => {
    const { status, stderr } = run(...args);
    assert.equal(status, exit, stderr);
    assert.match(stderr, message);
  });
}

test('-h is the usage, on stdout', () => {
  const { status, stdout } = run('-h');
  assert.equal(status, 0);
  assert.match(stdout, /^usage: bricks streams FILE/);
});
