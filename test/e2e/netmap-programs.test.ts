/**
 * Programs of netmap, unmodified, on pipes: by libbricks-netmap.so, without the kernel module. Ours
 * (test/programs) always; netmap's own pkt-gen, lb and bridge where there is a checkout of it.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { root } from '../support/source-tree.ts';
import { type Ended, type Program, until, useWorld, type World } from './world.ts';

const built = join(root, 'native/build/release');
const traffic = join(built, 'netmap-traffic');

/** Starts it as `bricks run` would, with so many microseconds of spinning. */
function preloaded(world: World, spin: number, command: string, ...args: string[]): Program {
  const settings = [`LD_PRELOAD=${join(built, 'libbricks-netmap.so')}`, `BRICKS_SPIN_US=${spin}`];
  return world.startProgram('env', [...settings, command, ...args]);
}

async function well(program: Program): Promise<Ended> {
  const ended = await program.ended;
  assert.equal(ended.code, 0, ended.stderr);
  return ended;
}

test('netmap: three processes in a chain: both styles, poll, select and epoll', async (t) => {
  const world = useWorld(t);
  await world.run('bricks-server', []);
  const count = 200_000;
  for (const [spin, ...style] of [
    [50, 'poll'],
    [0, 'select'],
    [0, 'epoll', 'legacy'],
  ] as const) {
    const last = preloaded(world, spin, traffic, 'rx', 'b}0', `${count}`, ...style);
    const middle = preloaded(world, spin, traffic, 'forward', 'a}0', 'b{0', `${count}`);
    await well(preloaded(world, spin, traffic, 'tx', 'a{0', `${count}`, ...style));
    assert.equal((await well(middle)).stdout, `packets ${count} wrong 0\n`);
    const { stdout } = await well(last);
    assert.match(stdout, new RegExp(`^packets ${count} wrong 0 bytes ${count * 60} `));
  }
});

test('netmap: a program feeds an engine, another reads from it; both by bricks run', async (t) => {
  const world = useWorld(t);
  const script = `
    dup = Brick.new("Duplicator")
    dup:connect_input("in{0")
    dup:connect_output("out{0")
    pe = PktEngine.new("e0")
    pe:link(dup)
    pe:start()`;
  await world.run('bricks-server', ['-f', world.file('s.lua', script)]);
  const count = 1000; // what a ring holds: nobody has to wait, nothing is dropped
  const reader = world.start('bricks', ['run', '--', traffic, 'rx', 'out}0', `${count}`]);
  await world.run('bricks', ['run', '--', traffic, 'tx', 'in}0', `${count}`]);
  assert.match((await well(reader)).stdout, new RegExp(`^packets ${count} wrong 0 `));
  await until('the ledger has them', async () => (await world.delivered('out{0')) === count);
});

test('netmap: what cannot be opened is told, once, in words', async (t) => {
  const world = useWorld(t);
  const alone = await preloaded(world, 0, traffic, 'rx', 'a}0', '1').ended;
  assert.equal(alone.code, 1);
  assert.match(alone.stderr, /libbricks-netmap: netmap:a}0 cannot be opened: no daemon answers/);
  await world.run('bricks-server', []);
  const hardware = await preloaded(world, 0, traffic, 'rx', 'eth0', '1').ended;
  assert.equal(hardware.code, 1);
  assert.match(hardware.stderr, /interfaces need netmap's kernel module.*\n.*No such device/);
});

/** netmap's own programs, compiled from its sources as they are; undefined: skipped. */
function compiled(t: TestContext, world: World): ((name: string) => string) | undefined {
  const source = process.env['BRICKS_NETMAP_SOURCE'];
  if (!source) {
    t.skip('set BRICKS_NETMAP_SOURCE to a checkout of github.com/luigirizzo/netmap');
    return undefined;
  }
  const folder = world.folderOf('netmap');
  for (const [name, libraries] of [
    ['pkt-gen', '-lpthread -lm'],
    ['lb', '-lpthread -lm'],
    ['bridge', '-lpthread'],
  ]) {
    const command = `cc -O2 -w -DNO_PCAP -I sys -I apps/include -I libnetmap apps/${name}/*.c \
      libnetmap/*.c -o '${join(folder, name ?? '')}' ${libraries}`;
    const made: { status: number | null; stderr: string } = spawnSync('sh', ['-c', command], {
      cwd: source,
      encoding: 'utf8',
    });
    assert.equal(made.status, 0, made.stderr);
  }
  assert.ok(existsSync(join(folder, 'pkt-gen')));
  return (name) => join(folder, name);
}

const received = (text: string): number => Number(/Received (\d+) packets/.exec(text)?.[1] ?? 0);

test('netmap: pkt-gen, bridge, pkt-gen: nothing is lost, in either direction', async (t) => {
  const world = useWorld(t);
  const program = compiled(t, world);
  if (!program) return;
  await world.run('bricks-server', []);
  const count = 3_000_000;
  const generator = (...args: string[]): Program =>
    preloaded(world, 50, program('pkt-gen'), '-w', '0', '-n', `${count}`, ...args);
  const bridge = preloaded(
    world,
    50,
    program('bridge'),
    '-w',
    '0',
    '-i',
    'netmap:a}0',
    '-i',
    'netmap:b{0',
  );
  await bridge.says(/zerocopy|ready|Ready|enabled|disabled|poll timeout/i);
  for (const [from, to] of [
    ['netmap:a{0', 'netmap:b}0'],
    ['netmap:b}0', 'netmap:a{0'],
  ] as const) {
    const last = generator('-i', to, '-f', 'rx');
    await last.says(/reading from/);
    assert.match((await well(generator('-i', from, '-f', 'tx'))).stdout, /Sent 3000000 packets/);
    assert.equal(received((await well(last)).stdout), count);
  }
});

/** Two readers get all that `from` sends and lb, reading `input`, shares out. */
async function balanced(
  world: World,
  program: (name: string) => string,
  input: string,
  from: string,
): Promise<void> {
  const count = 1000; // what a ring holds: lb drops what does not fit
  const start = (name: string, ...args: string[]) =>
    preloaded(world, 50, program(name), '-w', '0', ...args);
  const lb = start('lb', '-i', `netmap:${input}`, '-p', 'out:2');
  await lb.says(/pipe #2 .*\n.*zerocopy enabled/);
  const readers = [0, 1].map((i) => start('pkt-gen', '-i', `netmap:out}${i}`, '-f', 'rx'));
  for (const reader of readers) await reader.says(/reading from/);
  const flows = ['-d', '10.1.0.1-10.1.200.200'];
  await well(start('pkt-gen', '-i', `netmap:${from}`, '-f', 'tx', '-n', `${count}`, ...flows));
  const seen = (): number =>
    readers
      .flatMap(({ text }) => [...text.matchAll(/\((\d+)\.000 pkts/g)])
      .reduce((sum, [, packets]) => sum + Number(packets), 0);
  await until('the readers have them all', () => seen() === count);
  const got: number[] = [];
  for (const reader of readers) {
    reader.kill('SIGINT');
    got.push(received((await reader.ended).stdout));
  }
  assert.equal((got[0] ?? 0) + (got[1] ?? 0), count);
  assert.ok(
    got.every((some) => some > 100),
    `${got}`,
  );
  lb.kill('SIGINT');
  assert.match((await lb.ended).stdout, /1000 packets forwarded\. +0 packets dropped/);
}

test('netmap: lb shares out what pkt-gen sends, straight and through an engine', async (t) => {
  const world = useWorld(t);
  const program = compiled(t, world);
  if (!program) return;
  const script = `
    dup = Brick.new("Duplicator")
    dup:connect_input("src{0")
    dup:connect_output("e{0")
    pe = PktEngine.new("e0")
    pe:link(dup)
    pe:start()`;
  await world.run('bricks-server', ['-f', world.file('s.lua', script)]);
  await balanced(world, program, 'in}0', 'in{0');
  await balanced(world, program, 'e}0', 'src}0');
});
