/** `bricks lb`: what netmap's lb does, seen by consumers of its pipes. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { comparePartition, describePartition } from '../../src/capture/compare.ts';
import { readCapture } from '../../src/capture/read.ts';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import { until, useWorld, type World } from './world.ts';

/** What `-o` said last, when it had said all of it: a line for each output, and the sum's. */
function lastRows(text: string, outputs: number): Record<string, unknown>[] {
  const rows = text
    .slice(0, text.lastIndexOf('\n'))
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const sum = rows.findLastIndex((row) => row['output_ring'] === null);
  return rows.slice(Math.max(sum - outputs, 0), sum + 1);
}

function consumers(world: World, group: string, count: number) {
  return Array.from({ length: count }, (_, index) => {
    const file = join(world.folder, `${group}-${index}.pcap`);
    return { file, program: world.start('bricks', ['cat', `${group}}${index}`, '-w', file]) };
  });
}

test('two groups, each with all packets of a capture, each flow on one pipe', async (t) => {
  const world = useWorld(t);
  const capture = join(world.folder, 'in.pcap');
  const { packets } = writeTraffic(capture, { seed: 7, flows: 200 });
  const groups = [consumers(world, 'suricata', 3), consumers(world, 'zeek', 2)];
  const { code, stdout, stderr } = await world.run('bricks', [
    ...['lb', '-i', `pcap:${capture}`, '-p', 'suricata:3', '-p', 'zeek:2'],
  ]);
  assert.deepEqual([code, stderr], [0, '']);
  assert.equal(
    stdout,
    `${2 * packets} packets forwarded.  0 packets dropped. Total ${2 * packets}\n`,
  );
  const input = readCapture(capture);
  for (const group of groups) {
    const shares = [];
    for (const { file, program } of group) {
      assert.equal((await program.ended).code, 0, program.text);
      shares.push(readCapture(file).records);
    }
    const report = comparePartition(input.records, shares);
    assert.ok(report.ok, describePartition(report));
  }
});

test('extra buffers: a full pipe spills, the longest backlog gives way, -o tells', async (t) => {
  const world = useWorld(t);
  const lb = world.start('bricks', [
    ...[
      'lb',
      '-i',
      'gen:60?flows=50&seed=3&count=9000&lossless=0',
      '-p',
      'z:2',
      '-B',
      '4000',
      '-o',
      '1',
    ],
  ]);
  await until('it says that all is received', () => {
    if (lb.isOver) assert.fail(lb.text);
    return lastRows(lb.text, 2).at(-1)?.['packets_received'] === 9000;
  });
  const ledger = await world.ledger();
  assert.equal(ledger.difference, 0);
  const [one, two, all] = lastRows(lb.text, 2);
  assert.equal(one?.['interface'], 'netmap:z{0');
  assert.deepEqual([all?.['output_ring'], all?.['packets_received']], [null, 9000]);
  // 1,023 packets in either ring, 4,000 and a little less in the queues, the rest gave way.
  const queued = Number(one?.['overflow_queue_size']) + Number(two?.['overflow_queue_size']);
  assert.equal(queued + Number(all?.['free_buffer_slots']), 4000);
  assert.ok(Number(all?.['free_buffer_slots']) < 150);
  assert.equal(ledger.dropped['gave_way'], 9000 - 2 * 1023 - queued);
  assert.equal(all?.['packets_dropped'], ledger.dropped['gave_way']);
  const readers = consumers(world, 'z', 2);
  const { code, stdout } = await lb.ended;
  assert.equal(code, 0);
  assert.match(stdout, new RegExp(`\\n${2 * 1023 + queued} packets forwarded\\.  `));
  for (const { program } of readers) assert.equal((await program.ended).code, 0);
});

test('SIGTERM ends it in order, with lb’s last line', async (t) => {
  const world = useWorld(t);
  const lb = world.start('bricks', ['lb', '-i', 'gen:60?flows=5&seed=1', '-p', 'z:1', '-o', '1']);
  await lb.says(/"output_ring":null/);
  lb.kill('SIGTERM');
  const { code, stdout, stderr } = await lb.ended;
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /\n\d+ packets forwarded\. {2}\d+ packets dropped\. Total \d+\n$/);
});

test('an interface that is not there: 6; no interface: 2; nothing is left', async (t) => {
  const world = useWorld(t);
  const missing = await world.run('bricks', ['lb', '-i', 'nosuch0', '-w', '0']);
  assert.equal(missing.code, 6, missing.stderr);
  assert.match(missing.stderr, /^bricks: .*nosuch0/);
  assert.equal((await world.run('bricks', ['lb', '-p', 'zeek:4'])).code, 2);
  assert.equal(world.daemonPid, undefined);
});
