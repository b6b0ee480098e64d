/**
 * Outputs that drain, that spill, and whose flows go to others when they are lost: the ledger
 * balanced at every look.
 */
// Alone: it fills pipes by rate.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { membershipsOf } from '../../src/capture/flow.ts';
import { readCapture } from '../../src/capture/read.ts';
import type { Ledger } from '../../src/engine/ledger.ts';
import type { Status } from '../../src/engine/status.ts';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import { type Program, until, useWorld, type World } from './world.ts';

async function serve(world: World, script: string): Promise<void> {
  const { code, stderr } = await world.run('bricks-server', ['-f', world.file('s.lua', script)]);
  assert.equal(code, 0, stderr);
}

async function lua(world: World, code: string): Promise<string> {
  const { code: exit, stdout, stderr } = await world.run('bricks-shell', ['-c', code]);
  assert.equal(exit, 0, stderr);
  return stdout.trim();
}

async function refused(world: World, code: string, why: RegExp): Promise<void> {
  const { code: exit, stderr } = await world.run('bricks-shell', ['-c', code]);
  assert.notEqual(exit, 0);
  assert.match(stderr, why);
}

async function balanced(world: World): Promise<Ledger> {
  const ledger = await world.ledger();
  assert.equal(ledger.difference, 0);
  return ledger;
}

function dropsOf({ outputs }: Ledger, name: string): number {
  const row = outputs.find((output) => output.name === name);
  return Object.values(row?.dropped ?? {}).reduce((sum, count) => sum + count, 0);
}

test('a drained output gets no new flows, says how many it still has, and can go', async (t) => {
  const world = useWorld(t);
  await serve(
    world,
    `lb = Brick.new("LoadBalancer")
     lb:connect_input("gen:60?flows=300")
     lb:connect_output("d{0?slots=64", "d{1", "d{2")
     pe = PktEngine.new("e0") pe:link(lb) pe:start()`,
  );
  await until('it has its flows', async () => (await world.ledger()).received > 20_000);
  const statusOf = async (): Promise<Status> =>
    JSON.parse((await world.run('bricks', ['status', '--json'])).stdout) as Status;
  assert.deepEqual((await statusOf()).engines[0]?.draining, []);
  const before = Date.now() / 1000;
  await lua(world, 'lb:drain("d{0")');
  const [row] = (await statusOf()).engines[0]?.draining ?? [];
  assert.deepEqual([row?.brick, row?.output], ['LoadBalancer-1', 'd{0']);
  assert.ok((row?.sessions ?? 0) > 50 && (row?.sessions ?? 0) < 160, `${row?.sessions} of 300`);
  assert.ok((row?.since ?? 0) >= Math.floor(before) - 1);
  assert.equal(await lua(world, 'lb:draining()["d{0"].sessions'), String(row?.sessions));
  await lua(world, 'lb:drain("d{1")');
  const rows = (await statusOf()).engines[0]?.draining ?? [];
  assert.deepEqual(
    rows.map(({ output }) => output),
    ['d{0', 'd{1'],
  );
  assert.equal(rows[0]?.since, row?.since);
  await refused(world, 'lb:drain("d{2")', /no output would be left/);
  await refused(world, 'lb:drain("d{7")', /must be outputs of LoadBalancer-1, got "d\{7"/);
  await refused(world, 'Brick.new("Merge"):drain("d{0")', /a Merge gives no flows to outputs/);
  await lua(world, 'lb:undrain("d{1")');
  await lua(world, 'lb:disconnect_output("d{0")');
  assert.deepEqual((await statusOf()).engines[0]?.draining, []);
  await balanced(world);
});

test('on_loss = spill: its outputs spill, others do not', async (t) => {
  const world = useWorld(t);
  await serve(
    world,
    `dup = Brick.new("Duplicator") dup:connect_input("gen:60?flows=100&count=2000&lossless=0")
     dup:connect_output("a{0", "b{0")
     spills = Brick.new("LoadBalancer", { on_loss = "spill" })
     spills:connect_input("a}0") spills:connect_output("kept{0?slots=16")
     drops = Brick.new("LoadBalancer")
     drops:connect_input("b}0") drops:connect_output("lost{0?slots=16")
     dup:link(spills, drops)
     pe = PktEngine.new("e0") pe:link(dup) pe:start()`,
  );
  await until('all is in', async () => (await balanced(world)).received === 2000);
  const ledger = await balanced(world);
  assert.equal(dropsOf(ledger, 'kept{0?slots=16'), 0);
  assert.equal(dropsOf(ledger, 'lost{0?slots=16'), 1985);
  const { code, stderr } = await world.run('bricks', ['cat', 'kept}0', '-w', '/dev/null']);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^2000 packets/m);
});

test('failover: the flows of a lost output go on, those of the others stay', async (t) => {
  const world = useWorld(t);
  writeTraffic(`${world.folder}/in.pcap`, { seed: 5, flows: 150 });
  const input = `${world.folder}/in.pcap?lossless=0&loop=0&speed=10`;
  await serve(
    world,
    `lb = Brick.new("LoadBalancer", { on_loss = "failover" })
     lb:connect_input("pcap:${input}")
     lb:connect_outputs("f", 4)
     pe = PktEngine.new("e0") pe:link(lb)`,
  );
  const tools = [0, 1, 2, 3].map((n) =>
    world.start('bricks', ['cat', `f}${n}`, '-w', `f${n}.pcap`, '--follow']),
  ) as [Program, Program, Program, Program];
  const ready = async (count: number): Promise<void> =>
    until(`${count} are ready`, async () => {
      const { stdout } = await world.run('bricks', ['status', '--json']);
      const { engines } = JSON.parse(stdout) as Status;
      await balanced(world);
      return engines[0]?.outputs.filter((output) => output.ready).length === count;
    });
  await ready(4);
  await lua(world, 'pe:start()');
  const rounds = readCapture(`${world.folder}/in.pcap`).records.length;
  const afterRound = async (): Promise<void> => {
    const { received } = await balanced(world);
    await until('a round', async () => (await balanced(world)).received > received + rounds);
  };
  await afterRound();
  const { stdout } = await world.run('bricks', ['status', '--json']);
  process.kill((JSON.parse(stdout) as Status).engines[0]?.outputs[0]?.consumer ?? 0, 'SIGKILL');
  await ready(3);
  const { outputs } = await balanced(world);
  const sent = (ledger: Ledger): number => {
    const row = ledger.outputs.find(({ name }) => name === 'f{0');
    return (row?.delivered ?? 0) + (row?.held ?? 0) + dropsOf(ledger, 'f{0');
  };
  assert.equal(outputs.length, 4);
  const given = sent(await balanced(world));
  await lua(world, 'lb:connect_output("f{4")'); // the graph changes meanwhile
  await afterRound();
  await lua(world, 'lb:disconnect_output("f{4")');
  await afterRound();
  assert.equal(sent(await balanced(world)), given, 'a lost output is given packets');
  // First the engine: a consumer that leaves while packets come is lost, and its flows move.
  await lua(world, 'pe:stop()');
  for (const tool of tools.slice(1)) {
    tool.kill('SIGTERM');
    assert.equal((await tool.ended).code, 143);
  }
  const flowsOf = (file: string): Set<string> => {
    const { records } = readCapture(`${world.folder}/${file}`);
    return new Set(membershipsOf(records).flatMap((member) => member?.flow ?? []));
  };
  const flows = ['f1.pcap', 'f2.pcap', 'f3.pcap'].map(flowsOf);
  const all = flows.flatMap((set) => [...set]);
  assert.ok(all.length > 100);
  const twice = all.filter((flow, i) => all.indexOf(flow) !== i);
  assert.deepEqual(twice, [], 'a flow of a surviving output moved');
});
