/** Two mirror ports show the same traffic; a Deduplicator lets each packet through once. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { readCapture } from '../../src/capture/read.ts';
import type { Status } from '../../src/engine/status.ts';
import { makeTraffic, pcapOf } from '../../src/traffic/traffic.ts';
import { root } from '../support/source-tree.ts';
import { noNetwork, useNetwork } from '../support/veth-network.ts';
import { until, useWorld, type World } from './world.ts';

/** As a port behind a router shows it, in a VLAN: tagged, another MAC, TTL less one. */
function secondView(frame: Buffer): Buffer {
  const type = frame.readUInt16BE(12);
  const tagged = type === 0x8100 || type === 0x88a8;
  const made = tagged
    ? Buffer.from(frame)
    : Buffer.concat([frame.subarray(0, 12), Buffer.from([0x81, 0, 0, 9]), frame.subarray(12)]);
  made.writeUInt8(made.readUInt8(5) ^ 0x55, 5);
  let ip = 12;
  while ([0x8100, 0x88a8].includes(made.readUInt16BE(ip))) ip += 4;
  const version = made.readUInt16BE(ip);
  ip += 2;
  if (version === 0x0800) {
    made.writeUInt8(made.readUInt8(ip + 8) - 1, ip + 8);
    // RFC 1624: the TTL is the upper half of its word.
    const sum = made.readUInt16BE(ip + 10) + 0x100;
    made.writeUInt16BE((sum & 0xffff) + (sum >> 16), ip + 10);
  } else if (version === 0x86dd) {
    made.writeUInt8(made.readUInt8(ip + 7) - 1, ip + 7);
  }
  return made;
}

async function statusOf(world: World): Promise<Status> {
  return JSON.parse((await world.run('bricks', ['status', '--json'])).stdout) as Status;
}

test('the same traffic from two mirror ports, one tagged and behind a router', async (t) => {
  const world = useWorld(t);
  const seed = 71;
  const traffic = makeTraffic({ seed, flows: 300, packets: 6000 });
  // What a sender repeats with the same IP identification within the window is a copy, too.
  const delayUs = 137;
  const a = world.file('a.pcap', pcapOf(traffic));
  const b = world.file(
    'b.pcap',
    pcapOf(
      traffic.map(({ timeUs, frame }) => ({ timeUs: timeUs + delayUs, frame: secondView(frame) })),
    ),
  );
  const script = world.file(
    'dedup.lua',
    `
    merge = Brick.new("Merge", { window = 1 })
    merge:connect_input("pcap:${a}", "pcap:${b}")
    merge:connect_output("all{0")
    dedup = Brick.new("Deduplicator", { window = 0.5 })
    dedup:connect_input("all}0")
    dedup:connect_output("pcap:${world.folder}/out.pcap")
    merge:link(dedup)
    pe = PktEngine.new("e")
    pe:link(merge)
    pe:start()
    print("over", pe:wait(30))`,
  );
  const shell = world.start('bricks', ['-f', script]);
  await shell.says(/over\ttrue/);
  const { engines } = await statusOf(world);
  const ledger = await world.ledger();
  const text = (await world.run('bricks', ['status'])).stdout;
  shell.endInput();
  assert.equal((await shell.ended).code, 0);
  const out = readCapture(`${world.folder}/out.pcap`).records;
  const kept = out.map(({ data }) => Buffer.from(data).toString('hex'));
  const wanted = traffic.map(({ frame }) => frame.toString('hex'));
  assert.deepEqual(kept, wanted, `seed ${seed}: each once, as the first port showed it, in order`);
  assert.equal(ledger.difference, 0);
  assert.equal(ledger.dropped['duplicate'], traffic.length);
  const figures = engines[0]?.bricks.find(({ kind }) => kind === 'Deduplicator')?.figures;
  assert.equal(figures?.['duplicates'], traffic.length);
  assert.equal(figures?.['duplicates_per_million'], 500_000);
  for (const name of ['median', 'p90', 'p99', 'largest']) {
    const far = figures?.[`distance_${name}_us`] ?? 0;
    assert.ok(
      Math.abs(far - delayUs) < delayUs / 7,
      `${name} is ${far}, the ports are ${delayUs} apart`,
    );
  }
  assert.match(text, /Deduplicator-\d+ +duplicates [\d,]+, .*distance_largest_us 1\d\d/);
});

test('two live interfaces: the window is measured, then set while it runs', {
  skip: noNetwork,
}, async (t) => {
  const network = useNetwork(t, [{ name: 'm0' }, { name: 'm1' }]);
  const world = useWorld(t);
  const traffic = makeTraffic({ seed: 72, flows: 100, packets: 1500 });
  const first = world.file('a.pcap', pcapOf(traffic));
  const second = world.file(
    'b.pcap',
    pcapOf(traffic.map(({ timeUs, frame }) => ({ timeUs, frame: secondView(frame) }))),
  );
  const script = world.file(
    'dedup.lua',
    `
    dedup = Brick.new("Deduplicator", { window = 60000, measure = true })
    dedup:connect_input("m0", "m1")
    dedup:connect_output("null:")
    pe = PktEngine.new("e")
    pe:link(dedup)
    pe:start()
    print("it runs")`,
  );
  const [command, args] = network.command(join(root, 'bin/bricks'), ['-f', script]);
  const shell = world.startProgram(command, args);
  await shell.says(/it runs/);
  const figure = async (name: string): Promise<number> =>
    (await statusOf(world)).engines[0]?.bricks[0]?.figures[name] ?? 0;
  const count = traffic.length;
  network.send('m0', first);
  await until('one view is in', async () => (await world.ledger()).received === count);
  network.send('m1', second);
  await until('and the other', async () => (await world.ledger()).received === 2 * count);
  // Some retransmissions are the same to the last bit: in so wide a window they are copies, too.
  const distinct = new Set(traffic.map(({ frame }) => frame.toString('hex'))).size;
  assert.equal(await figure('duplicates'), 2 * count - distinct);
  assert.equal((await world.ledger()).delivered, 2 * count, 'measuring drops nothing');
  assert.ok((await figure('distance_largest_us')) >= (await figure('distance_median_us')));
  assert.ok((await figure('distance_median_us')) > 0);
  const script2 = 'Brick.find("Deduplicator-1"):set{ measure = false }';
  assert.equal((await world.run('bricks-shell', ['-c', script2])).code, 0);
  network.send('m0', first);
  await until('it comes again', async () => (await world.ledger()).received === 3 * count);
  const ledger = await world.ledger();
  assert.equal(ledger.dropped['duplicate'], count, 'what came before the change is remembered');
  assert.equal(ledger.difference, 0);
  shell.endInput();
  assert.equal((await shell.ended).code, 0);
});
