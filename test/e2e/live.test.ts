/**
 * Packets from a device: a veth pair in a network namespace, tcpreplay at one end, a LoadBalancer
 * on `packet:` at the other, a consumer on each of its pipes.
 */
// Alone: it changes graphs under full load.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { comparePartition, type PartitionReport } from '../../src/capture/compare.ts';
import { readCapture } from '../../src/capture/read.ts';
import type { CaptureRecord } from '../../src/capture/record.ts';
import { type Ledger, sumOf } from '../../src/engine/ledger.ts';
import type { Status } from '../../src/engine/status.ts';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import { judged } from '../support/judged.ts';
import { root } from '../support/source-tree.ts';
import { noNetwork, useNetwork, type VethNetwork } from '../support/veth-network.ts';
import { type Program, until, useWorld, type World } from './world.ts';

const consumerCount = 4;
const pipes = Array.from({ length: consumerCount }, (_, n) => `live}${n}`);

const skip =
  noNetwork ||
  (spawnSync('tcpreplay', ['--version']).error !== undefined &&
    'tcpreplay is not installed; scripts/setup --tests installs it');

/** When a packet was sent is not when it was captured: contents alone are compared. */
function timeless(records: readonly CaptureRecord[]): CaptureRecord[] {
  return records.map((record) => ({ ...record, timestampNs: 0n }));
}

function recordsOf(world: World, name: string): CaptureRecord[] {
  return timeless(readCapture(join(world.folder, name)).records);
}

const tagTypes = new Set([0x8100, 0x88a8]);

function taggedIn(records: readonly CaptureRecord[]): number {
  return records.filter(({ data }) => tagTypes.has(data.readUInt16BE(12))).length;
}

/** Sends; returns how many packets tcpreplay says it has sent. */
function replay(network: VethNetwork, capture: string, ...options: string[]): number {
  const [command, args] = network.sender('tcpreplay', ['-i', 'far-wire', ...options, capture]);
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /Failed packets: +0$/m);
  return Number(/Successful packets: +(\d+)/.exec(stdout)?.[1]);
}

interface Live {
  readonly world: World;
  readonly network: VethNetwork;
  /** Until the ledger knows of that many packets and the consumers have all that is theirs. */
  settled(packets: number): Promise<Ledger>;
  /** Ends daemon and consumers; what each of them wrote. */
  end(): Promise<CaptureRecord[][]>;
}

async function goLive(t: TestContext, input: string, slots: number): Promise<Live> {
  const network = useNetwork(t, [{ name: 'wire' }]);
  const world = useWorld(t);
  const script = world.file(
    'live.lua',
    `lb = Brick.new("LoadBalancer")
     lb:connect_input("${input}")
     lb:connect_outputs("live", ${consumerCount})
     pe = PktEngine.new("e0", nil, nil, { pipe_slots = ${slots} })
     pe:link(lb)
     pe:start()`,
  );
  const [command, args] = network.command(join(root, 'bin/bricks'), ['-f', script]);
  const home = world.startProgram(command, args);
  const consumers: Program[] = pipes.map((pipe) =>
    world.start('bricks', ['cat', pipe, '-w', `${pipe}.pcap`]),
  );
  await until('the engine runs and every consumer reads', async () => {
    if (home.isOver) assert.fail(home.text);
    const { stdout } = await world.run('bricks', ['status', '--json']);
    if (stdout === '') return false;
    const engine = (JSON.parse(stdout) as Status).engines[0];
    const readers = engine?.outputs.filter(({ consumer }) => consumer !== 0) ?? [];
    return engine?.state === 'running' && readers.length === consumerCount;
  });
  const settled = async (packets: number): Promise<Ledger> => {
    let ledger = await world.ledger();
    await until(`all ${packets} packets are in the ledger`, async () => {
      ledger = await world.ledger();
      assert.equal(ledger.difference, 0);
      assert.ok(ledger.received <= packets, `${ledger.received} received, ${packets} sent`);
      return ledger.received === packets && ledger.held === 0;
    });
    return ledger;
  };
  const end = async (): Promise<CaptureRecord[][]> => {
    home.endInput();
    for (const program of [home, ...consumers]) {
      const { code, stderr } = await program.ended;
      assert.equal(code, 0, stderr);
    }
    return pipes.map((pipe) => recordsOf(world, `${pipe}.pcap`));
  };
  return { world, network, settled, end };
}

/** Fragments are judged with their datagram's flow. */
function judge(input: readonly CaptureRecord[], outputs: CaptureRecord[][]): PartitionReport {
  return comparePartition(input, outputs, judged);
}

test('at a rate that can be held, nothing is dropped', { skip }, async (t) => {
  // Pipes and ring hold a few seconds of this rate: a busy machine may look away that long.
  const { world, network, settled, end } = await goLive(t, 'packet:wire?ring=64', 16_384);
  const capture = join(world.folder, 'in.pcap');
  const { packets } = writeTraffic(capture, { seed: 70, flows: 1500 });
  assert.ok(packets > 10_000);
  assert.equal(replay(network, capture, '--pps=10000'), packets);
  const ledger = await settled(packets);
  assert.deepEqual([ledger.delivered, ledger.dropped], [packets, {}]);
  const input = recordsOf(world, 'in.pcap');
  const outputs = await end();
  const report = judge(input, outputs);
  assert.ok(report.ok, report.faults.join('\n'));
  // The kernel takes VLAN tags out of what it receives; they are back.
  assert.ok(taggedIn(input) > 100);
  assert.equal(taggedIn(outputs.flat()), taggedIn(input));
  for (const output of outputs) assert.ok(output.length > packets / 20, `only ${output.length}`);
});

test('at full speed, every packet is delivered or counted as dropped', { skip }, async (t) => {
  // The smallest ring and pipes: some of it is more than can be held.
  const { world, network, settled, end } = await goLive(t, 'packet:wire?ring=1', 256);
  const capture = join(world.folder, 'in.pcap');
  const { packets } = writeTraffic(capture, { seed: 71, flows: 1500 });
  const rounds = 10;
  const sent = replay(network, capture, '--topspeed', '--preload-pcap', `--loop=${rounds}`);
  assert.equal(sent, packets * rounds);
  const ledger = await settled(sent);
  const dropped = sumOf(ledger.dropped);
  assert.equal(ledger.delivered + dropped, sent);
  t.diagnostic(`${sent} sent, ${ledger.delivered} delivered, dropped ${json(ledger.dropped)}`);
  const known = ['kernel', 'ring_full', 'no_consumer'];
  assert.deepEqual(
    Object.keys(ledger.dropped).filter((reason) => !known.includes(reason)),
    [],
  );
  const round = recordsOf(world, 'in.pcap');
  const outputs = await end();
  // What was dropped is missing; what is there was sent, and no flow is in two outputs.
  const report = judge(Array.from({ length: rounds }, () => round).flat(), outputs);
  assert.deepEqual([report.missing, report.foreign, report.splitFlows], [dropped, 0, 0]);
  assert.deepEqual(
    ledger.outputs.map(({ delivered }) => delivered),
    outputs.map(({ length }) => length),
  );
});

function json(value: unknown): string {
  return JSON.stringify(value);
}
