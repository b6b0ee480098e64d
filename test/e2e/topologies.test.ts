/**
 * Every topology that packet-bricks' scripts build, on interfaces named as the scripts name them,
 * a consumer on every pipe: each output has exactly what it is meant to have.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { comparePartition } from '../../src/capture/compare.ts';
import { flowOf } from '../../src/capture/flow.ts';
import { readCapture } from '../../src/capture/read.ts';
import type { CaptureRecord } from '../../src/capture/record.ts';
import type { Status } from '../../src/engine/status.ts';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import { judged } from '../support/judged.ts';
import { scriptSets } from '../support/packet-bricks-scripts.ts';
import { root } from '../support/source-tree.ts';
import { noNetwork, useNetwork } from '../support/veth-network.ts';
import { type Program, until, useWorld, type World } from './world.ts';

interface Topology {
  readonly method: string;
  readonly arguments: string;
  /** Interfaces that traffic arrives at. */
  readonly from: readonly string[];
  /** Consumers' ends of the pipes that end nowhere else. */
  readonly pipes: readonly string[];
  /** Groups of files; each group is a partition of all that came. Default: all pipes are one. */
  readonly partitions?: readonly (readonly string[])[];
  /** Lua to run before and after. */
  readonly before?: string;
  readonly after?: string;
}

function pipes(name: string, ...numbers: number[]): string[] {
  return numbers.map((number) => `${name}}${number}`);
}

const copies = (names: readonly string[]): string[][] => names.map((name) => [name]);

const four = pipes('ix1', 0, 1, 2, 3);
const three = pipes('ix1', 0, 1, 2);

/** What leaves through ix0 is seen at its far end. */
const tap = `
  tap = Brick.new("Dummy") tap:connect_input("far-ix0") tap:connect_output("pcap:far-ix0")
  PktEngine.new("tap"):link(tap):start()`;

const topologies: readonly Topology[] = [
  {
    method: 'lb_config',
    arguments: '"ix1", "ix0"',
    from: ['ix1'],
    pipes: four,
    partitions: [[...four, 'far-ix0']],
    after: tap,
  },
  { method: 'simple_lbconfig', arguments: '"ix1"', from: ['ix1'], pipes: four },
  { method: 'lbconfig', arguments: '"ix1", "3"', from: ['ix1'], pipes: three },
  {
    method: 'dup_config',
    arguments: '"ix1"',
    from: ['ix1'],
    pipes: four,
    partitions: copies(four),
  },
  {
    method: 'dupconfig',
    arguments: '"ix1", "3"',
    from: ['ix1'],
    pipes: three,
    partitions: copies(three),
  },
  {
    method: 'duplb_config',
    arguments: '"ix1"',
    from: ['ix1'],
    pipes: pipes('ix1', 1, 2, 3),
    partitions: [pipes('ix1', 1), pipes('ix1', 2, 3)],
  },
  { method: 'lbmrg_config', arguments: '"ix1"', from: ['ix1'], pipes: pipes('ix1', 3) },
  {
    method: 'lbmrgpcap_config',
    arguments: '"ix1"',
    from: ['ix1'],
    pipes: [],
    partitions: [['out.pcap']],
  },
  {
    method: 'mrg_config',
    arguments: '"ix1", "eth3"',
    from: ['ix1', 'eth3'],
    pipes: pipes('eth3', 2, 3, 4, 5),
  },
  {
    method: 'lbfilt_config',
    arguments: '"ix1"',
    from: ['ix1'],
    pipes: pipes('ix1', 1, 2, 3, 4),
  },
  {
    method: 'pcapw_config',
    arguments: '"ix1"',
    from: ['ix1'],
    pipes: pipes('ix1', 1, 3),
    partitions: [[...pipes('ix1', 1, 3), '0.pcap', '2.pcap']],
  },
  {
    method: 'pcapr_config',
    arguments: '"ix1"',
    from: [],
    pipes: pipes('ix1', 0),
    before: 'PCAPDIR = "captures/"',
  },
  { method: 'dummy_config', arguments: '"ix1"', from: ['ix1'], pipes: pipes('ix1', 0) },
];

/** Without times: what arrives from a wire has times of its own. */
function recordsOf(path: string): CaptureRecord[] {
  return readCapture(path).records.map((record) => ({ ...record, timestampNs: 0n }));
}

function hostsOf(record: CaptureRecord): string | undefined {
  const [, ...ends] = flowOf(record)?.split(' ') ?? [];
  return ends.length === 0 ? undefined : ends.map((end) => end.replace(/\.\d+$/, '')).join(' ');
}

function consume(world: World, pipe: string): Program {
  return world.start('bricks', ['cat', pipe, '-w', pipe, '--timeout', '50']);
}

/** Until a consumer is on each pipe, so that the first packet finds it there. */
async function attached(world: World, count: number): Promise<void> {
  await until(`${count} consumers are attached`, async () => {
    const { code, stdout } = await world.run('bricks', ['status', '--json']);
    const engines = code === 0 ? (JSON.parse(stdout) as Status).engines : [];
    const outputs = engines.flatMap((engine) => engine.outputs);
    return outputs.filter(({ consumer }) => consumer > 0).length === count;
  });
}

async function settled(world: World, packets: number): Promise<void> {
  await until(`${packets} packets are through`, async () => {
    const { engines } = JSON.parse((await world.run('bricks', ['stats', '--json'])).stdout);
    const ledger = await world.ledger();
    assert.deepEqual([ledger.difference, ledger.dropped], [0, {}]);
    return engines[0].packets === packets && ledger.held === 0;
  });
}

async function runTopology(t: TestContext, topology: Topology, prefix: string): Promise<void> {
  const network = useNetwork(t, [{ name: 'ix1' }, { name: 'ix0' }, { name: 'eth3' }]);
  const world = useWorld(t);
  const input: CaptureRecord[] = [];
  const sources = topology.from.length === 0 ? ['captures/a.pcap'] : topology.from;
  world.folderOf('captures');
  sources.forEach((name, index) => {
    writeTraffic(join(world.folder, name), { seed: 40 + index, flows: 100 });
    input.push(...recordsOf(join(world.folder, name)));
  });
  const script = world.file(
    'topology.lua',
    `${prefix}
     utilObj = dofile(prefix .. "bricks-scripts/utils.lua")
     sampleSetup = dofile(prefix .. "bricks-scripts/configs/single-threaded-setups.lua")
     ${topology.before ?? ''}
     local pe = PktEngine.new("e0", BUFFER_SZ)
     sampleSetup:${topology.method}(pe, ${topology.arguments})
     ${topology.after ?? ''}
     while not file_exists("go") do BRICKS.sleep(0.02) end
     pe:start()`,
  );
  const consumers = topology.pipes.map((pipe) => consume(world, pipe));
  const [command, args] = network.command(join(root, 'bin/bricks'), ['-f', script]);
  const home = world.startProgram(command, args);
  await attached(world, topology.pipes.length);
  world.file('go', '');
  await until('the engine runs', async () => {
    const { stdout } = await world.run('bricks', ['status', '--json']);
    return (JSON.parse(stdout) as Status).engines[0]?.state === 'running';
  });
  for (const name of topology.from) network.send(name, join(world.folder, name));
  await settled(world, input.length);
  home.endInput();
  for (const program of [home, ...consumers]) {
    const { code, stderr } = await program.ended;
    assert.equal(code, 0, stderr);
  }
  for (const group of topology.partitions ?? [topology.pipes]) {
    const outputs = group.map((name) => recordsOf(join(world.folder, name)));
    const report = comparePartition(input, outputs, judged);
    assert.ok(report.ok, `${group.join(', ')}: ${report.faults.join('\n')}`);
    assert.ok(
      outputs.every((records) => records.length > 0),
      'an output without packets',
    );
    if (topology.method === 'lb_config') assertHostsTogether(outputs);
  }
}

/** By 2-tuple: all that two hosts say to each other is in one output. */
function assertHostsTogether(outputs: readonly (readonly CaptureRecord[])[]): void {
  const places = new Map<string, number>();
  outputs.forEach((records, index) => {
    for (const hosts of records.flatMap((record) => hostsOf(record) ?? [])) {
      assert.equal(places.get(hosts) ?? index, index, `${hosts} are in two outputs`);
      places.set(hosts, index);
    }
  });
  assert.ok(places.size > 50);
}

for (const { name, prefix, missing } of scriptSets) {
  const skip = missing || noNetwork;
  test(`every topology, ${name}`, { skip }, async (t) => {
    for (const topology of topologies) {
      const call = `${topology.method}(${topology.arguments})`;
      await t.test(call, (part) => runTopology(part, topology, prefix));
    }
  });
}
