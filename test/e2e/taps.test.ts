import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { readCapture } from '../../src/capture/read.ts';
import type { Status } from '../../src/engine/status.ts';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import { until, useWorld, type World } from './world.ts';

async function statusOf(world: World): Promise<Status> {
  return JSON.parse((await world.run('bricks', ['status', '--json'])).stdout) as Status;
}

test('taps of an input, a fused link and an output, with a filter: copies, whole', async (t) => {
  const world = useWorld(t);
  const path = join(world.folder, 'in.pcap');
  const { packets } = writeTraffic(path, { seed: 11, flows: 40 });
  const script = world.file(
    'start.lua',
    `d = Brick.new("Duplicator") d:connect_input("pcap:${path}")
     d:connect_output("a{0", "a{1")
     lb = Brick.new("LoadBalancer") lb:connect_input("a}0") lb:connect_output("zeek{0", "zeek{1")
     f = Brick.new("Filter") f:connect_input("a}1") f:connect_output("null:")
     d:link(lb, f)
     pe = PktEngine.new("e0") pe:link(d)`,
  );
  assert.equal((await world.run('bricks-server', ['-f', script])).code, 0);
  const before = await statusOf(world);
  assert.deepEqual(before.engines[0]?.links.slice(0, 5), [
    `pcap:${path}`,
    'a{0',
    'a{1',
    'zeek{0',
    'zeek{1',
  ]);
  const file = (name: string): string => join(world.folder, name);
  const cat = (...words: string[]) => world.start('bricks', ['cat', '-q', ...words]);
  // The pipes' own consumers, then a second look at one of them, and links that are no pipes.
  const readers = [cat('zeek}0', '-w', file('z0')), cat('zeek}1', '-w', file('z1'))];
  await until('both are attached', async () => {
    const outputs = (await statusOf(world)).engines[0]?.outputs ?? [];
    return outputs.filter(({ consumer }) => consumer > 0).length === 2;
  });
  readers.push(
    cat('zeek}0', '-w', file('copy')), // held by the first: a copy then
    cat(`pcap:${path}`, '-w', file('all')),
    cat('a{0', '-w', file('link')),
    cat('--tap', 'a}1', '-f', 'udp', '-w', file('udp')),
  );
  await until('all taps are read', async () => {
    const taps = (await statusOf(world)).engines[0]?.taps ?? [];
    return taps.filter(({ consumer }) => consumer > 0).length === 4;
  });
  assert.equal((await world.run('bricks-shell', ['-c', 'pe:start() pe:wait()'])).code, 0);
  for (const reader of readers) {
    const { code, stderr } = await reader.ended;
    assert.equal(code, 0, stderr);
  }
  const hex = (name: string): string[] =>
    readCapture(file(name)).records.map(
      ({ data, timestampNs }) => `${timestampNs}${data.toString('hex')}`,
    );
  const input = hex('in.pcap');
  assert.deepEqual(hex('all'), input);
  assert.deepEqual(hex('link'), input);
  assert.deepEqual(hex('copy'), hex('z0'));
  assert.equal(hex('z0').length + hex('z1').length, packets);
  const udp = hex('udp');
  assert.ok(udp.length > 0 && udp.length < packets);
  await until('taps go with their readers', async () => {
    const { engines } = await statusOf(world);
    return engines[0]?.taps.length === 0;
  });
  const ledger = await world.ledger();
  assert.deepEqual([ledger.received, ledger.difference], [packets, 0]);
  assert.equal(ledger.copies, packets, 'taps are no part of it');
});

test('a tap that nobody empties loses its own packets, and holds up no replay', async (t) => {
  const world = useWorld(t);
  const path = join(world.folder, 'in.pcap');
  const { packets } = writeTraffic(path, { seed: 12, flows: 6000 });
  const script = world.file(
    'start.lua',
    `d = Brick.new("Dummy") d:connect_input("pcap:${path}") d:connect_output("null:")
     pe = PktEngine.new("e0") pe:link(d)`,
  );
  assert.equal((await world.run('bricks-server', ['-f', script])).code, 0);
  const reader = world.start('bricks', ['cat', '--tap', `pcap:${path}`, '-q', '-w', 'never.pcap']);
  await until('the tap is read', async () => {
    return ((await statusOf(world)).engines[0]?.taps[0]?.consumer ?? 0) > 0;
  });
  const pid = (await statusOf(world)).engines[0]?.taps[0]?.consumer ?? 0;
  assert.ok(pid > 0);
  process.kill(pid, 'SIGSTOP');
  assert.equal((await world.run('bricks-shell', ['-c', 'pe:start() pe:wait()'])).code, 0);
  const tap = (await statusOf(world)).engines[0]?.taps[0];
  assert.equal(tap?.passed, packets);
  assert.ok((tap?.dropped['ring_full'] ?? 0) > 0, JSON.stringify(tap));
  assert.deepEqual(
    [(await world.ledger()).delivered, (await world.ledger()).difference],
    [packets, 0],
  );
  process.kill(pid, 'SIGCONT');
  await reader.ended;
  const refused = await world.run('bricks', ['cat', '--tap', 'nowhere{3']);
  assert.equal(refused.code, 6);
  assert.match(refused.stderr, /no link 'nowhere\{3'/);
  const wrong = await world.run('bricks', ['cat', '--tap', `pcap:${path}`, '-f', 'tcp prt 1']);
  assert.equal(wrong.code, 3, wrong.stderr);
});
