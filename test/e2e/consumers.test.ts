/**
 * Consumers that die, stall, come early or come twice: nobody else notices, the ledger balances.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comparePartition } from '../../src/capture/compare.ts';
import { readCapture } from '../../src/capture/read.ts';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import { type Program, until, useWorld, type World } from './world.ts';

/** Packets without end, over two pipes. */
const live = `
lb = Brick.new("LoadBalancer")
lb:connect_input("gen:60?flows=1000&seed=1")
lb:connect_outputs("live", 2)
pe = PktEngine.new("e0")
pe:link(lb)
pe:start()
`;

async function serveLive(world: World): Promise<void> {
  const { code, stderr } = await world.run('bricks-server', ['-f', world.file('live.lua', live)]);
  assert.equal(code, 0, stderr);
}

function consume(world: World, pipe: string, ...args: string[]): Program {
  return world.start('bricks', ['cat', pipe, '-w', '/dev/null', ...args]);
}

/** Until the output has delivered more than it had at the call. */
async function moves(world: World, output: string): Promise<void> {
  const before = await world.delivered(output);
  await until(`${output} delivers`, async () => (await world.delivered(output)) > before);
}

test('one killed in mid-stream: the other goes on, a new one gets on', async (t) => {
  const world = useWorld(t);
  await serveLive(world);
  const [a, b] = [consume(world, 'live}0'), consume(world, 'live}1')];
  await moves(world, 'live{0');
  a.kill('SIGKILL');
  assert.equal((await a.ended).signal, 'SIGKILL');
  await moves(world, 'live{1');
  assert.equal((await world.ledger()).difference, 0);
  consume(world, 'live}0');
  await moves(world, 'live{0');
  assert.equal((await world.ledger()).difference, 0);
  assert.equal(b.isOver, false);
});

test('one that never reads costs only its own packets', async (t) => {
  const world = useWorld(t);
  await serveLive(world);
  const stalled = world.start('bricks', ['cat', 'live}0', '-w', '-', '--follow']);
  await stalled.says(/./s);
  stalled.kill('SIGSTOP');
  t.after(() => stalled.kill('SIGCONT'));
  consume(world, 'live}1');
  await moves(world, 'live{1');
  await until('the stalled pipe drops', async () => {
    const { outputs, difference } = await world.ledger();
    assert.equal(difference, 0);
    const drops = outputs.find(({ name }) => name === 'live{0')?.dropped ?? {};
    return Object.values(drops).some((count) => count > 0);
  });
  await moves(world, 'live{1');
});

test('one that comes before the daemon gets everything', async (t) => {
  const world = useWorld(t);
  writeTraffic(`${world.folder}/in.pcap`, { seed: 9, flows: 50 });
  const early = [0, 1].map((n) =>
    world.start('bricks', ['cat', `file}${n}`, '-w', `out-${n}.pcap`, '--timeout', '50']),
  );
  const script = world.file(
    'start.lua',
    `lb = Brick.new("LoadBalancer")
     lb:connect_input("pcap:in.pcap")
     lb:connect_outputs("file", 2)
     pe = PktEngine.new("e0") pe:link(lb) pe:start() print(pe:wait(50))`,
  );
  const home = await world.run('bricks', ['-f', script]);
  assert.deepEqual([home.code, home.stdout], [0, 'true\n'], home.stderr);
  for (const program of early) {
    const { code, stderr } = await program.ended;
    assert.equal(code, 0, stderr);
  }
  const [input, ...outputs] = ['in.pcap', 'out-0.pcap', 'out-1.pcap'].map(
    (name) => readCapture(`${world.folder}/${name}`).records,
  );
  const report = comparePartition(input ?? [], outputs);
  assert.ok(report.ok, report.faults.join('\n'));
});

test('a second one on the same pipe is told who has it, and gets a copy', async (t) => {
  const world = useWorld(t);
  await serveLive(world);
  const first = consume(world, 'live}0');
  await moves(world, 'live{0');
  const words = ['cat', 'live}0', '-w', '/dev/null', '-c', '1000'];
  const second = await world.run('bricks', words);
  assert.equal(second.code, 0, second.stderr);
  assert.match(second.stderr, new RegExp(`held by process ${first.pid}.*reading a copy`));
  await moves(world, 'live{0');
  const { engines } = JSON.parse((await world.run('bricks', ['status', '--json'])).stdout);
  assert.equal(engines[0].outputs[0].consumer, first.pid);
});

test('no daemon, no pipe, no packets: 124 after --timeout', async (t) => {
  const world = useWorld(t);
  const args = ['cat', 'quiet}0', '--timeout', '0.3', '-w', '/dev/null'];
  assert.equal((await world.run('bricks', args)).code, 124);
  await serveLive(world);
  assert.equal((await world.run('bricks', args)).code, 124);
  // Linked, so that the pipe is there, but never started.
  const linked = `
    quiet = Brick.new("LoadBalancer") quiet:connect_input("gen:60")
    quiet:connect_outputs("quiet", 1) PktEngine.new("e1"):link(quiet)`;
  assert.equal((await world.run('bricks-shell', ['-c', linked])).code, 0);
  assert.equal((await world.run('bricks', args)).code, 124);
});

test('a daemon that ends, ends its consumers; one with --follow waits for the next', async (t) => {
  const world = useWorld(t);
  await serveLive(world);
  const [a, b] = [consume(world, 'live}0'), consume(world, 'live}1', '--follow')];
  await moves(world, 'live{0');
  await moves(world, 'live{1');
  assert.equal((await world.run('bricks-kill-server', [])).code, 0);
  const { code, stderr } = await a.ended;
  assert.equal(code, 0, stderr);
  await serveLive(world);
  await moves(world, 'live{1');
  assert.equal(b.isOver, false);
});
