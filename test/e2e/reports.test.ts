import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { flowOf } from '../../src/capture/flow.ts';
import { parseCapture } from '../../src/capture/read.ts';
import type { Stats } from '../../src/engine/stats.ts';
import type { Status } from '../../src/engine/status.ts';
import { until, useWorld, type World } from './world.ts';

async function startServer(world: World): Promise<void> {
  const script = world.file(
    'start.lua',
    `lb = Brick.new("LoadBalancer")
     lb:connect_input("gen:60?flows=100&seed=1&count=1000")
     lb:connect_output("null:", "pcap:out.pcap")
     pe = PktEngine.new("e0") pe:link(lb) pe:start() pe:wait()`,
  );
  const { code, stderr } = await world.run('bricks-server', ['-f', script]);
  assert.equal(code, 0, stderr);
}

async function json<T>(world: World, command: string): Promise<T> {
  const { code, stdout, stderr } = await world.run('bricks', [command, '--json']);
  assert.deepEqual([code, stderr], [0, '']);
  return JSON.parse(stdout) as T;
}

test('status, stats and ledger agree, as JSON and as tables', async (t) => {
  const world = useWorld(t);
  await startServer(world);
  const [status, stats, ledger] = [
    await json<Status>(world, 'status'),
    await json<Stats>(world, 'stats'),
    await world.ledger(),
  ];
  assert.deepEqual(
    [status.online, status.engines[0]?.name, status.engines[0]?.drained],
    [true, 'e0', true],
  );
  assert.deepEqual([stats.total.packets, stats.total.dropped], [1000, 0]);
  assert.deepEqual([ledger.received, ledger.delivered, ledger.difference], [1000, 1000, 0]);
  const delivered = ledger.outputs.map((output) => output.delivered);
  assert.deepEqual(
    stats.engines[0]?.outputs.map(({ packets }) => packets),
    delivered,
  );
  for (const [command, pattern] of [
    ['status', /e0 +running +yes +yes/],
    ['stats', /e0 +input +gen:60\S* +1,000 +60,000 +0/],
    ['ledger', /DIFFERENCE\n *1,000 +0 +1,000 +0 +0 +0\n/],
  ] as const) {
    const { stdout, stderr } = await world.run('bricks', [command]);
    assert.match(stdout, pattern);
    assert.equal(stderr, '');
    assert.ok(!stdout.includes('\x1b'), 'colours where there is no terminal');
  }
});

test('stats --watch goes on until Ctrl-C, and says so when the daemon goes', async (t) => {
  const world = useWorld(t);
  await startServer(world);
  const [first, second] = ['0.1', '60'].map((seconds) =>
    world.start('bricks', ['stats', '--watch', seconds, '--json']),
  );
  assert.ok(first && second);
  await first.says(/\n.*\n.*\n/);
  first.kill('SIGINT');
  await first.ended;
  await second.says(/\n/);
  assert.equal((await world.run('bricks-kill-server', [])).code, 0);
  const { code, stderr } = await second.ended;
  assert.equal(code, 4);
  assert.match(stderr, /has gone/);
});

const isRoot = process.getuid?.() === 0;
const options = { skip: !isRoot && 'opening an interface takes root' };

test('bricks-load-balance lo 2: what arrives is at one consumer', options, async (t) => {
  const world = useWorld(t);
  const { code, stderr } = await world.run('bricks-load-balance', ['lo', '2']);
  assert.equal(code, 0, stderr);
  const files = [0, 1].map((index) => {
    const file = join(world.folder, `out-${index}.pcap`);
    world.start('bricks', ['cat', `lo}${index}`, '-w', file, '--follow']);
    return file;
  });
  // Both are there before the first packet.
  await until('both consumers are attached', async () => {
    const { engines } = await json<Status>(world, 'status');
    return engines[0]?.outputs.every(({ consumer }) => consumer > 0) === true;
  });
  const socket = createSocket('udp4').unref();
  t.after(() => socket.close());
  const target = 48_213;
  for (let count = 0; count < 20; count++) {
    socket.send('hello', target, '127.0.0.1');
  }
  const received = (): number[] =>
    files.map((file) => {
      const bytes = readFileSync(file);
      const records = bytes.length === 0 ? [] : parseCapture(bytes, file).records;
      const port = `.${target}`;
      return records.filter(
        (record) =>
          flowOf(record, { outer: true })?.startsWith('udp ') &&
          flowOf(record, { outer: true })?.includes(port),
      ).length;
    });
  await until('all have arrived', () => received().reduce((sum, count) => sum + count, 0) >= 20);
  assert.deepEqual(
    received().toSorted((a, b) => a - b),
    [0, 20],
  );
});
