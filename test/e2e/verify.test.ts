// Alone: it samples at full rate.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import type { TimedFrame } from '../../src/traffic/conversations.ts';
import { type Host, ip, protocols, udp } from '../../src/traffic/frames.ts';
import { makeTraffic, pcapOf } from '../../src/traffic/traffic.ts';
import { frameOfIp, vxlan } from '../../src/traffic/tunnels.ts';
import { makeWebTraffic } from '../../src/traffic/web.ts';
import { root } from '../support/source-tree.ts';
import { until, useWorld, type World } from './world.ts';

interface Report {
  readonly ok: boolean;
  readonly reason?: string;
  readonly packets: number;
  readonly received: number;
  readonly groups: {
    readonly matched: number;
    readonly inputs: string[];
    readonly outputs: string[];
    readonly unobservable: string[];
    readonly counts: Record<string, number>;
    readonly faults: { kind: string; flow?: string; outputs: string[]; time: string }[];
  }[];
}

interface Setup {
  readonly fault?: string;
  /** Lua: options of the balancer. */
  readonly options?: string;
  /** A libpcap expression: packets that pass a Filter before the balancer. */
  readonly filter?: string;
  /** A Session brick before the balancer says what flows speak. */
  readonly sessions?: boolean;
  readonly frames?: readonly TimedFrame[];
}

/** As seen between two gateways that choose a source port for each direction of each flow. */
function inVxlan(frame: Buffer): Buffer {
  const end = (last: number, port: number): Host => ({
    mac: Buffer.from([2, 0, 0, 0, 1, last]),
    address: Buffer.from([192, 0, 2, last]),
    port,
  });
  const [from, to] = [end(1, 49_152 + (crc32(frame.subarray(22, 38)) % 16_000)), end(2, 4789)];
  return frameOfIp(from, to, ip(from, to, protocols.udp, udp(from, to, vxlan(frame, 77))));
}

/** A capture replayed for ever at its own pace, balanced into three pipes that are read. */
async function serve(world: World, setup: Setup = {}): Promise<void> {
  const { fault, options = '{}', filter, sessions = false, frames } = setup;
  const first = sessions
    ? 'Brick.new("Session", { identify = true })'
    : `Brick.new("Filter", { expression = "${filter ?? ''}" })`;
  const traffic = frames ?? makeTraffic({ seed: 21, flows: 200 });
  world.file('in.pcap', pcapOf(traffic));
  const port = `pcap:${world.folder}/in.pcap?loop=0&speed=1`;
  if (fault !== undefined)
    Object.assign(world.env, { BRICKS_BUILD: 'faults', BRICKS_FAULT: fault });
  const script = world.file(
    'start.lua',
    `first = ${first}
     first:connect_input("${port}") first:connect_output("link{0")
     lb = Brick.new("LoadBalancer", ${options})
     lb:connect_output("v{0", "v{1", "v{2")
     pe = PktEngine.new("e0")
     if ${filter !== undefined || sessions} then
       lb:connect_input("link}0") first:link(lb) pe:link(first)
     else
       lb:connect_input("${port}") pe:link(lb)
     end
     pe:start()`,
  );
  const { code, stderr } = await world.run('bricks-server', ['-f', script]);
  assert.equal(code, 0, stderr);
  for (const n of [0, 1, 2]) world.start('bricks', ['cat', `v}${n}`, '-q', '-w', '/dev/null']);
  await until('packets are delivered', async () => (await world.ledger()).delivered > 100);
}

async function verify(
  world: World,
  seconds = '2',
): Promise<{ code: number | null; report: Report }> {
  const words = ['verify', '--for', seconds, '--json'];
  const { code, stdout, stderr } = await world.run('bricks', words);
  assert.notEqual(stdout, '', stderr);
  return { code, report: JSON.parse(stdout) as Report };
}

test('verify: a balancer that does right is verified', async (t) => {
  const world = useWorld(t);
  await serve(world);
  const { code, report } = await verify(world);
  assert.equal(code, 0, JSON.stringify(report));
  assert.ok(report.packets > 100 && (report.groups[0]?.matched ?? 0) > 100);
  const ledger = await world.ledger();
  assert.equal(ledger.difference, 0);
});

test('verify: a balancer by outer flows is held against outer flows', async (t) => {
  const world = useWorld(t);
  const frames = makeTraffic({ seed: 22, flows: 200 }).map(({ timeUs, frame }) => ({
    timeUs,
    frame: inVxlan(frame),
  }));
  await serve(world, { frames, options: '{ key = "outer" }' });
  const { code, report } = await verify(world);
  assert.equal(code, 0, JSON.stringify(report));
  assert.ok((report.groups[0]?.matched ?? 0) > 100);
});

function tagged(vlan: number, frame: Buffer): Buffer {
  const tag = Buffer.from([0x81, 0, 0, vlan]);
  return Buffer.concat([frame.subarray(0, 12), tag, frame.subarray(12)]);
}

test('verify: the same addresses in two VLANs are two flows where tenants count', async (t) => {
  const world = useWorld(t);
  const frames = makeTraffic({ seed: 23, flows: 200 }).flatMap(({ timeUs, frame }) =>
    [5, 6].map((vlan) => ({ timeUs, frame: tagged(vlan, frame) })),
  );
  await serve(world, { frames, options: '{ tenant = true }' });
  const { code, report } = await verify(world);
  assert.equal(code, 0, JSON.stringify(report));
  assert.ok((report.groups[0]?.matched ?? 0) > 100);
});

test('verify: behind a Filter that drops, the link is looked at, too', async (t) => {
  const world = useWorld(t);
  await serve(world, { filter: 'tcp' });
  const { code, report } = await verify(world);
  assert.equal(code, 0, JSON.stringify(report));
  assert.deepEqual(
    report.groups.map(({ inputs }) => inputs.map((name) => name.replace(/^pcap:.*/, 'pcap'))),
    [['pcap'], ['link{0']],
  );
  assert.ok(report.groups.every(({ matched }) => matched > 50));
});

test('verify: who saw nothing has verified nothing, and says where', async (t) => {
  const world = useWorld(t);
  const script = world.file(
    'start.lua',
    `d = Brick.new("Dummy") d:connect_input("gen:60?flows=4&seed=1") d:connect_output("null:")
     pe = PktEngine.new("e0") pe:link(d) pe:start()`,
  );
  assert.equal((await world.run('bricks-server', ['-f', script])).code, 0);
  const { code, report } = await verify(world, '0.5');
  assert.equal(code, 8);
  assert.equal(report.ok, false);
  assert.deepEqual(report.groups[0]?.unobservable, ['null:']);
});

const applications = '{ applications = { "tls=v{1", "dns=v{2", "http=v{0" } }';
const web = (): TimedFrame[] =>
  [...makeWebTraffic(24, 100), ...makeTraffic({ seed: 25, flows: 100 })].sort(
    (a, b) => a.timeUs - b.timeUs,
  );

test('verify: a flow that goes where its application does is not split', async (t) => {
  const world = useWorld(t);
  await serve(world, { sessions: true, options: applications, frames: web() });
  const { code, report } = await verify(world);
  assert.equal(code, 0, JSON.stringify(report));
  assert.ok((report.groups[0]?.matched ?? 0) > 100);
  const status = await world.run('bricks', ['status', '--json']);
  const { engines } = JSON.parse(status.stdout) as {
    engines: { bricks: { kind: string; figures: Record<string, number> }[] }[];
  };
  const figures = engines[0]?.bricks.find(({ kind }) => kind === 'LoadBalancer')?.figures;
  assert.ok((figures?.['steered'] ?? 0) > 10, JSON.stringify(figures));
});

const build = join('native', 'build', 'faults', 'bricks.node');

test('a normal build has no faults in it', () => {
  const addon = readFileSync(join(root, 'native', 'build', 'release', 'bricks.node'));
  assert.equal(addon.indexOf('BRICKS_FAULT'), -1);
});

test('verify finds and names each fault of a build that has some, and exits 8', async (t) => {
  const cache = spawnSync('ccache', ['--version']).status === 0 ? ['CXX=ccache g++'] : [];
  const made = spawnSync(
    'make',
    [
      '-C',
      'native',
      '-s',
      '-j2',
      'FAULTS=1',
      'BUILD=build/faults',
      ...cache,
      'build/faults/bricks.node',
    ],
    { cwd: root, encoding: 'utf8' },
  );
  assert.equal(made.status, 0, made.stderr);
  assert.notEqual(readFileSync(join(root, build)).indexOf('BRICKS_FAULT'), -1);
  for (const [fault, kind, filter] of [
    ['flip:300', 'split', undefined],
    // Among flows that may move.
    ['flip:300', 'split', 'applications'],
    ['drop:300', 'lost', undefined],
    ['swap:100', 'reordered', undefined],
    ['bit:300', 'changed', undefined],
    // Among what a Filter drops, a loss must not hide.
    ['drop:300', 'lost', 'tcp'],
  ] as const) {
    await t.test(`${fault} ${filter ?? ''}`, async (each) => {
      const world = useWorld(each);
      const moving = { fault, sessions: true, options: applications, frames: web() };
      const plain = filter === undefined ? { fault } : { fault, filter };
      await serve(world, filter === 'applications' ? moving : plain);
      const { code, report } = await verify(world);
      const found = report.groups.flatMap(({ faults }) => faults).find((one) => one.kind === kind);
      assert.ok(found, JSON.stringify(report));
      assert.equal(code, 8);
      assert.match(found.time, /^\d{4}-\d\d-\d\dT/);
      assert.ok(found.outputs.length > 0 && found.outputs.every((name) => /^v\{/.test(name)));
    });
  }
});
