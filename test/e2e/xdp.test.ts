/**
 * Packets by AF_XDP, on veth pairs in a network namespace: tcpreplay at one end of `wire`, a
 * LoadBalancer in a shared region at the other, its outputs two pipes and the interface `out`.
 */
// Alone: rings of the kernel are filled by rate.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { comparePartition } from '../../src/capture/compare.ts';
import { readCapture } from '../../src/capture/read.ts';
import type { CaptureRecord } from '../../src/capture/record.ts';
import type { Status } from '../../src/engine/status.ts';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import { judged } from '../support/judged.ts';
import { root } from '../support/source-tree.ts';
import { noNetwork, useNetwork, type VethNetwork } from '../support/veth-network.ts';
import { type Program, until, useWorld, type World } from './world.ts';

const noReplay =
  spawnSync('tcpreplay', ['--version']).error !== undefined &&
  'tcpreplay is not installed; scripts/setup --tests installs it';
const skip = noNetwork || noReplay;

function startIn(world: World, network: VethNetwork, script: string): Program {
  const [command, args] = network.command(join(root, 'bin/bricks'), ['-f', script]);
  return world.startProgram(command, args);
}

async function statusOf(world: World): Promise<Status | undefined> {
  const { stdout } = await world.run('bricks', ['status', '--json']);
  return stdout === '' ? undefined : (JSON.parse(stdout) as Status);
}

/** When a packet was sent is not when it was captured: contents alone are compared. */
function recordsOf(world: World, name: string): CaptureRecord[] {
  const { records } = readCapture(join(world.folder, name));
  return records.map((record) => ({ ...record, timestampNs: 0n }));
}

/** Why AF_XDP cannot be had here, as the program says it; undefined: it can. */
function refused(text: string): string | undefined {
  return /xdp: unsupported: .*|this kernel was built without AF_XDP.*|takes no XDP program.*/.exec(
    text,
  )?.[0];
}

function hasProgram(network: VethNetwork, name: string): boolean {
  const [command, args] = network.command('ip', ['link', 'show', name]);
  return /\bxdp/.test(spawnSync(command, args, { encoding: 'utf8' }).stdout);
}

test('xdp: in and out, a shared region: every packet is where it belongs', { skip }, async (t) => {
  // One queue: of two, fragments of a flow come by another than its other packets, by their hash.
  const network = useNetwork(t, [{ name: 'wire' }, { name: 'out' }]);
  const world = useWorld(t);
  const script = world.file(
    'xdp.lua',
    `lb = Brick.new("LoadBalancer")
     lb:connect_input("xdp:wire")
     lb:connect_output("p{0", "p{1", "xdp:out")
     pe = PktEngine.new("e0", nil, nil, { shared = true, pipe_slots = 16384 })
     pe:link(lb)
     witness = Brick.new("Dummy")
     witness:connect_input("packet:far-out?ring=64")
     witness:connect_output("pcap:${world.folder}/out.pcap")
     pe1 = PktEngine.new("e1")
     pe1:link(witness)
     pe1:start()
     pe:start()
     print("it runs")`,
  );
  const home = startIn(world, network, script);
  await until('it runs', () => home.isOver || /it runs/.test(home.text));
  const reason = refused(home.text);
  if (reason !== undefined) return t.skip(reason);
  const consumers = [0, 1].map((n) => world.start('bricks', ['cat', `p}${n}`, '-w', `p${n}.pcap`]));
  await until('both consumers read', async () => {
    if (home.isOver) assert.fail(home.text);
    const engine = (await statusOf(world))?.engines.find(({ name }) => name === 'e0');
    return engine?.outputs.filter(({ consumer }) => consumer !== 0).length === 2;
  });
  assert.ok(hasProgram(network, 'wire') && !hasProgram(network, 'out'));
  const capture = join(world.folder, 'in.pcap');
  const { packets } = writeTraffic(capture, { seed: 90, flows: 200 });
  assert.ok(packets > 1000 && packets < 4096, `${packets}: more than the port's ring has room for`);
  network.send('wire', capture, 5000);
  await until('all is delivered, and seen behind the interface', async () => {
    const ledger = await world.ledger();
    assert.deepEqual([ledger.difference, ledger.dropped], [0, {}]);
    const forwarded = ledger.outputs.find(({ name }) => name === 'xdp:out')?.delivered ?? 0;
    return ledger.held === 0 && ledger.received === packets + forwarded && forwarded > 0;
  });
  home.endInput();
  for (const program of [home, ...consumers]) {
    const { code, stderr } = await program.ended;
    assert.equal(code, 0, stderr);
  }
  const outputs = ['p0.pcap', 'p1.pcap', 'out.pcap'].map((name) => recordsOf(world, name));
  const report = comparePartition(recordsOf(world, 'in.pcap'), outputs, judged);
  assert.ok(report.ok, report.faults.join('\n'));
  for (const output of outputs) assert.ok(output.length > packets / 20, `only ${output.length}`);
  assert.ok(!hasProgram(network, 'wire'));
});

test('xdp: one owner; a killed daemon leaves nothing on the interface', { skip }, async (t) => {
  const network = useNetwork(t, [{ name: 'wire' }]);
  const [first, second, third] = [useWorld(t), useWorld(t), useWorld(t)];
  const text = `
    d = Brick.new("Dummy")
    d:connect_input("xdp:wire")
    d:connect_output("null:")
    pe = PktEngine.new("e0")
    pe:link(d)
    pe:start()
    print("it runs")`;
  const run = (world: World) => startIn(world, network, world.file('x.lua', text));
  const owner = run(first);
  await until('it runs', () => owner.isOver || /it runs/.test(owner.text));
  const reason = refused(owner.text);
  if (reason !== undefined) return t.skip(reason);
  assert.ok(hasProgram(network, 'wire'));
  const input = (await statusOf(first))?.engines[0]?.inputs[0];
  assert.match(JSON.stringify(input), /AF_XDP on wire, copied by the kernel, .*queue 0/);
  const { code, stderr } = await run(second).ended;
  assert.equal(code, 7, stderr);
  assert.match(stderr, /wire is already received from through AF_XDP, by another bricks process/);
  assert.ok(hasProgram(network, 'wire'));
  process.kill(first.daemonPid ?? 0, 'SIGKILL');
  await owner.ended;
  assert.ok(!hasProgram(network, 'wire'));
  const heir = run(third);
  await heir.says(/it runs/);
  const capture = join(third.folder, 'in.pcap');
  const { packets } = writeTraffic(capture, { seed: 91, flows: 50 });
  network.send('wire', capture);
  await until('it receives', async () => (await third.ledger()).delivered === packets);
  heir.endInput();
  assert.equal((await heir.ended).code, 0);
  assert.ok(!hasProgram(network, 'wire'));
});
