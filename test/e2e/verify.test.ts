import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import { root } from '../support/source-tree.ts';
import { until, useWorld, type World } from './world.ts';

interface Report {
  readonly ok: boolean;
  readonly reason?: string;
  readonly packets: number;
  readonly groups: {
    readonly matched: number;
    readonly outputs: string[];
    readonly unobservable: string[];
    readonly counts: Record<string, number>;
    readonly faults: { kind: string; flow?: string; outputs: string[]; time: string }[];
  }[];
}

/** A capture replayed for ever at its own pace, balanced into three pipes that are read. */
async function serve(world: World, fault?: string): Promise<void> {
  writeTraffic(join(world.folder, 'in.pcap'), { seed: 21, flows: 200 });
  if (fault !== undefined)
    Object.assign(world.env, { BRICKS_BUILD: 'faults', BRICKS_FAULT: fault });
  const script = world.file(
    'start.lua',
    `lb = Brick.new("LoadBalancer") lb:connect_input("pcap:${world.folder}/in.pcap?loop=0&speed=1")
     lb:connect_output("v{0", "v{1", "v{2")
     pe = PktEngine.new("e0") pe:link(lb) pe:start()`,
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
  for (const [fault, kind] of [
    ['flip:300', 'split'],
    ['drop:300', 'lost'],
    ['swap:100', 'reordered'],
    ['bit:300', 'changed'],
  ] as const) {
    await t.test(fault, async (each) => {
      const world = useWorld(each);
      await serve(world, fault);
      const { code, report } = await verify(world);
      const found = report.groups[0]?.faults.find((one) => one.kind === kind);
      assert.ok(found, JSON.stringify(report));
      assert.equal(code, 8);
      assert.match(found.time, /^\d{4}-\d\d-\d\dT/);
      assert.ok(found.outputs.length > 0 && found.outputs.every((name) => /^v\{/.test(name)));
    });
  }
});
