/**
 * Consumers that stop, hang, die and come back: what the operator sees of them, and that a tool's
 * restart loses nothing where its pipe waits for it.
 */
// Alone: it looks at who keeps up in which second.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCapture } from '../../src/capture/read.ts';
import type { Status, StatusOutput } from '../../src/engine/status.ts';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import { type Program, until, useWorld, type World } from './world.ts';

async function serve(world: World, script: string): Promise<void> {
  const { code, stderr } = await world.run('bricks-server', ['-f', world.file('s.lua', script)]);
  assert.equal(code, 0, stderr);
}

async function outputOf(world: World, name: string): Promise<StatusOutput> {
  const { stdout } = await world.run('bricks', ['status', '--json']);
  const { engines } = JSON.parse(stdout) as Status;
  const found = engines[0]?.outputs.find((output) => output.name.startsWith(name));
  assert.ok(found, stdout);
  return found;
}

function consume(world: World, pipe: string, ...args: string[]): Program {
  return world.start('bricks', ['cat', pipe, '-w', '/dev/null', ...args]);
}

test('stopped, continued, killed, restarted: status says so each time', async (t) => {
  const world = useWorld(t);
  // At a pace that any consumer keeps up with: one that does not counts as lost, too.
  writeTraffic(`${world.folder}/in.pcap`, { seed: 76, flows: 300 });
  await serve(
    world,
    `lb = Brick.new("LoadBalancer")
     lb:connect_input("pcap:${world.folder}/in.pcap?lossless=0&speed=1&loop=1000")
     lb:connect_output("live{0?heartbeat=1.5", "live{1?heartbeat=1.5")
     pe = PktEngine.new("e0") pe:link(lb) pe:start()`,
  );
  const isReady = (ready: boolean): Promise<void> =>
    until(`live{0 is ${ready ? 'ready' : 'lost'}`, async () => {
      assert.equal((await world.ledger()).difference, 0);
      return (await outputOf(world, 'live{0')).ready === ready;
    });
  assert.deepEqual(
    (({ ready, consumer, heartbeat_ms }) => ({ ready, consumer, heartbeat_ms }))(
      await outputOf(world, 'live{0'),
    ),
    { ready: false, consumer: 0, heartbeat_ms: null },
  );
  const [first, other] = [consume(world, 'live}0', '--follow'), consume(world, 'live}1')];
  await isReady(true);
  let alive = await outputOf(world, 'live{0');
  assert.ok(alive.consumer > 0);
  await until('its heart beats', async () => {
    alive = await outputOf(world, 'live{0');
    return alive.heartbeat_ms !== null && alive.heartbeat_ms < 1500;
  });
  process.kill(alive.consumer, 'SIGSTOP');
  t.after(() => !first.isOver && process.kill(alive.consumer, 'SIGCONT'));
  await isReady(false);
  const stopped = await outputOf(world, 'live{0');
  assert.equal(stopped.consumer, alive.consumer);
  const text = (await world.run('bricks', ['status'])).stdout;
  assert.match(text, new RegExp(`live\\{0\\S* +LoadBalancer-1 +${alive.consumer} +lost`));
  process.kill(alive.consumer, 'SIGCONT');
  await isReady(true);
  process.kill(alive.consumer, 'SIGKILL');
  await until('it is gone', async () => (await outputOf(world, 'live{0')).consumer === 0);
  await isReady(false);
  consume(world, 'live}0');
  await isReady(true);
  await until('the other is ready', async () => (await outputOf(world, 'live{1')).ready);
  assert.equal(other.isOver, false);
});

test('a tool restarted again and again gets every packet once, in order', async (t) => {
  const world = useWorld(t);
  writeTraffic(`${world.folder}/in.pcap`, { seed: 77, flows: 300 });
  const input = readCapture(`${world.folder}/in.pcap`).records;
  const [begin, end] = [input[0]?.timestampNs ?? 0n, input.at(-1)?.timestampNs ?? 0n];
  const speed = Number(end - begin) / 1e9 / 16; // that many seconds, live: nobody waits for anybody
  await serve(
    world,
    `lb = Brick.new("LoadBalancer")
     lb:connect_input("pcap:${world.folder}/in.pcap?lossless=0&speed=${speed.toFixed(3)}")
     lb:connect_output("t{0?slots=16&restart_buffer=60")
     pe = PktEngine.new("e0") pe:link(lb)`,
  );
  const output = 't{0?slots=16&restart_buffer=60';
  const files = ['part-0.pcap', 'part-1.pcap', 'part-2.pcap'];
  for (const [n, file] of files.entries()) {
    const tool = world.start('bricks', ['cat', 't}0', '-w', file, '--timeout', '50']);
    if (n === 0) {
      await until('it is there', async () => (await outputOf(world, output)).consumer > 0);
      assert.equal((await world.run('bricks-shell', ['-c', 'pe:start()'])).code, 0);
    }
    const before = await world.delivered(output);
    if (n < 2) {
      await until('it reads', async () => (await world.delivered(output)) > before);
      tool.kill('SIGTERM');
    }
    const { code, stderr } = await tool.ended;
    assert.equal(code, n < 2 ? 143 : 0, stderr);
    if (n === 2) break;
    await until('more packets wait than its ring holds', async () => {
      const { held, ready } = await outputOf(world, output);
      assert.ok(ready, 'a tool that restarts counts as lost');
      return held > 15;
    });
  }
  const got = files.flatMap((name) => readCapture(`${world.folder}/${name}`).records);
  assert.deepEqual(
    got.map(({ data }) => data.toString('hex')),
    input.map(({ data }) => data.toString('hex')),
  );
  const { difference, dropped } = await world.ledger();
  assert.deepEqual({ difference, dropped }, { difference: 0, dropped: {} });
});
