/** `bricks run`: whom it starts, whom it refuses, and that it is the program from then on. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import { root } from '../support/source-tree.ts';
import { type Ended, useWorld, type World } from './world.ts';

const build = join(root, 'native/build/release');
const ours = join(build, 'libbricks-pcap.so');
const nobody = '65534';

const has = (program: string): boolean =>
  spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

const noTcpdump = !has('tcpdump') && 'tcpdump is not installed';

const started = (world: World, ...words: string[]): Promise<Ended> =>
  world.run('bricks', ['run', '--', ...words]);

interface Elf {
  readonly machine?: number;
  readonly bits?: 32 | 64;
  /** PT_INTERP; undefined: none. */
  readonly loader?: string;
  /** What the program header says of it. */
  readonly loaderBytes?: number;
  readonly loaderOffset?: number;
}

/** A program's headers and nothing behind them. */
function elf({ machine = 62, bits = 64, loader, loaderBytes, loaderOffset }: Elf): Buffer {
  const [header, entry] = bits === 64 ? [64, 56] : [52, 32];
  const file = Buffer.alloc(header + entry + 64);
  file.write('\x7fELF', 0, 'latin1');
  file[4] = bits / 32;
  file[5] = file[6] = 1;
  file.writeUInt16LE(3, 16);
  file.writeUInt16LE(machine, 18);
  file.writeUInt32LE(header, bits === 64 ? 32 : 28);
  file.writeUInt16LE(entry, bits === 64 ? 54 : 42);
  file.writeUInt16LE(1, bits === 64 ? 56 : 44);
  file.writeUInt32LE(loader === undefined ? 1 : 3, header);
  const [offsetAt, bytesAt] = bits === 64 ? [8, 32] : [4, 16];
  file.writeUInt32LE(loaderOffset ?? header + entry, header + offsetAt);
  file.writeUInt32LE(loaderBytes ?? (loader ?? '').length + 1, header + bytesAt);
  file.write(loader ?? '', header + entry);
  return file;
}

function program(world: World, name: string, content: string | Buffer, mode = 0o755): string {
  const path = world.file(name, content);
  chmodSync(path, mode);
  return path;
}

test('run: it becomes the program: words, exit code, signal, folder of the daemon', async (t) => {
  const world = useWorld(t);
  const said = await started(world, 'sh', '-c', 'printf "%s|" "$0" "$@"; exit 42', 'a b', '-h', '');
  assert.deepEqual([said.code, said.stdout], [42, 'a b|-h||']);
  const killed = await started(world, 'sh', '-c', 'kill -9 $$');
  assert.equal(killed.signal, 'SIGKILL');
  const where = await world.run('bricks', ['run', '--run-dir', 'here', 'printenv']);
  assert.match(where.stdout, new RegExp(`^BRICKS_RUN_DIR=${world.folder}/here$`, 'm'));
  const own = world.start('bricks', [
    'run',
    '--',
    'sh',
    '-c',
    'trap "exit 9" USR1; echo $$; read x',
  ]);
  await own.says(/^\d+\n/);
  assert.equal(Number(own.text), own.pid);
  own.kill('SIGUSR1');
  assert.equal((await own.ended).code, 9);
});

test('run: children of the program have children', async (t) => {
  const world = useWorld(t);
  const nested = await started(
    world,
    'sh',
    '-c',
    'echo $(echo $(readlink -f /)) $(echo $(echo b))',
  );
  assert.deepEqual([nested.code, nested.stdout], [0, '/ b\n']);
});

test('run: on a terminal the program has the foreground', async (t) => {
  const world = useWorld(t);
  const look = 'read -r _ _ _ _ group _ _ front _ < /proc/self/stat; [ $group = $front ]';
  const shell = world.startOnTerminal(
    'bricks',
    `run -- sh -c '${look} && [ -t 0 ] && echo in front'`,
  );
  const { code, stdout } = await shell.ended;
  assert.match(stdout, /in front/);
  assert.equal(code, 0);
});

test('run: an LD_PRELOAD that is there stays, ours is not named twice', async (t) => {
  const world = useWorld(t);
  const there = join(build, 'libbricks.so');
  world.env['LD_PRELOAD'] = there;
  const bricks = join(root, 'bin/bricks');
  const { stdout } = await started(world, bricks, 'run', '--', 'printenv', 'LD_PRELOAD');
  const list = stdout.trim().split(':');
  assert.deepEqual(list, [ours, join(build, 'libbricks-netmap.so'), there]);
});

const refusals: readonly [what: string, content: Buffer | string, code: number, why: RegExp][] = [
  ['linked statically', elf({}), 126, /linked statically: no library can be loaded/],
  [
    'another machine',
    elf({ machine: 183, loader: '/x' }),
    126,
    /another machine \(ELF machine 183/,
  ],
  ['32 bits', elf({ machine: 3, bits: 32, loader: '/x' }), 126, /another machine .* 32 bits/],
  ['another C library', elf({ loader: '/bin/sh' }), 126, /loaded by \/bin\/sh, another C library/],
  [
    'no such loader',
    elf({ loader: '/no/loader' }),
    127,
    /asks for the loader \/no\/loader: No such/,
  ],
  ['a loader outside', elf({ loader: 'x', loaderOffset: 9999 }), 126, /PT_INTERP lies outside/],
  ['a loader too long', elf({ loader: 'x', loaderBytes: 9999 }), 126, /PT_INTERP is too long/],
  ['cut short', elf({ loader: 'x' }).subarray(0, 30), 126, /ELF header is cut short/],
  ['half a header', elf({ loader: 'x' }).subarray(0, 80), 126, /program headers lie outside/],
  ['neither ELF nor #!', 'exit 0\n', 126, /neither an ELF program nor a script/],
  ['no interpreter', '#! \n', 126, /names no interpreter/],
  ['interpreter not there', '#!/no/such\n', 127, /of its interpreter: \/no\/such: No such file/],
  ['env of nothing', '#!/usr/bin/env -i A=b\n', 126, /names no program after env/],
];

for (const [what, content, code, why] of refusals) {
  test(`run: refuses ${what}`, { skip: process.arch !== 'x64' && 'made for x86-64' }, async (t) => {
    const world = useWorld(t);
    const ended = await started(world, program(world, 'it', content));
    assert.match(ended.stderr, why);
    assert.equal(ended.code, code);
    assert.equal(ended.stderr.split('\n').length, 2, 'one line');
  });
}

test('run: a script is judged by its interpreter, also behind env', async (t) => {
  const world = useWorld(t);
  const fixed = program(world, 'static', elf({}));
  const script = program(world, 'script', `#!${fixed}\n`);
  const refused = await started(world, script);
  assert.equal(refused.code, 126);
  assert.ok(refused.stderr.startsWith(`bricks run: ${fixed} is linked statically`), refused.stderr);
  const { PATH } = world.env;
  world.env['PATH'] = `${world.folder}:${PATH}`;
  const behind = await started(
    world,
    program(world, 'behind', '#!/usr/bin/env -S A=1 static -x\n'),
  );
  assert.ok(behind.stderr.startsWith(`bricks run: ${fixed} is linked statically`), behind.stderr);
  const good = await started(
    world,
    program(world, 'good', '#!/usr/bin/env sh\necho "$LD_PRELOAD"\n'),
  );
  assert.ok(good.stdout.includes(ours), good.stderr);
  const endless = program(world, 'endless', `#!${world.folder}/endless\n`);
  assert.match((await started(world, endless)).stderr, /more than 5 interpreters/);
});

test('run: words that make no sense, programs that are not there', async (t) => {
  const world = useWorld(t);
  mkdirSync(join(world.folder, 'folder'));
  const plain = world.file('plain', 'x');
  for (const [words, code, why] of [
    [[], 2, /^usage: bricks run/],
    [['--wat', 'ls'], 2, /no option --wat/],
    [['--run-dir'], 2, /a folder is missing/],
    [['no-such-program'], 127, /no program 'no-such-program' in \$PATH/],
    [[''], 127, /name is empty/],
    [['./no/such'], 127, /No such file/],
    [['./folder'], 126, /is a folder/],
    [[plain], 126, /chmod \+x/],
  ] as const) {
    const ended = await world.run('bricks', ['run', ...words]);
    assert.match(ended.stderr, why);
    assert.equal(ended.code, code);
  }
});

test('run: a folder that LD_PRELOAD cannot name is refused', async (t) => {
  const world = useWorld(t);
  const folder = join(world.folder, 'a folder');
  mkdirSync(folder);
  copyFileSync(join(build, 'bricks-run'), join(folder, 'bricks-run'));
  symlinkSync(ours, join(folder, 'libbricks-pcap.so'));
  const ended = await world.startProgram(join(folder, 'bricks-run'), ['true']).ended;
  assert.match(ended.stderr, /LD_PRELOAD cannot name a folder with a blank/);
  assert.equal(ended.code, 126);
});

/** Why programs with rights of their own cannot be tried here; false when they can. */
function noRights(needed: readonly string[]): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = needed.find((name) => !has(name));
  return missing === undefined ? false : `${missing} is not installed`;
}

function asNobody(world: World, path: string): Promise<Ended> {
  chmodSync(world.folder, 0o755);
  const words = ['--reuid', nobody, '--regid', nobody, '--clear-groups', join(build, 'bricks-run')];
  return world.startProgram('setpriv', [...words, '--', path]).ended;
}

async function refusedRights(t: TestContext, mode: number, capable: boolean, why: RegExp) {
  const world = useWorld(t);
  const path = join(world.folder, 'privileged');
  copyFileSync('/bin/true', path);
  chmodSync(path, mode);
  if (capable) assert.equal(spawnSync('setcap', ['cap_net_raw+ep', path]).status, 0);
  const ended = await asNobody(world, path);
  assert.match(ended.stderr, why);
  assert.equal(ended.code, 126);
  const forRoot = await started(world, path); // root gains nothing: libraries are loaded
  assert.equal(forRoot.code, 0, forRoot.stderr);
  chmodSync(path, 0o755);
  if (capable) assert.equal(spawnSync('setcap', ['-r', path]).status, 0);
  assert.equal((await asNobody(world, path)).code, 0);
}

test('run: refuses setuid', { skip: noRights(['setpriv']) }, (t) =>
  refusedRights(t, 0o4755, false, /is setuid: the system lets nobody load libraries into it/),
);

test('run: refuses setgid', { skip: noRights(['setpriv']) }, (t) =>
  refusedRights(t, 0o2755, false, /is setgid: .*run a copy without that bit/),
);

test('run: refuses capabilities', { skip: noRights(['setpriv', 'setcap']) }, (t) =>
  refusedRights(t, 0o755, true, /given capabilities \(setcap\)/),
);

test('run: tcpdump reads a pipe by its name', {
  skip: !has('tcpdump') && 'no tcpdump',
}, async (t) => {
  const world = useWorld(t);
  const capture = join(world.folder, 'in.pcap');
  const { packets } = writeTraffic(capture, { seed: 21, flows: 40 });
  const script = `
    lb = Brick.new("LoadBalancer")
    lb:connect_input("pcap:${capture}")
    lb:connect_output("eth3{0")
    pe = PktEngine.new("e0")
    pe:link(lb)
    pe:start()`;
  const daemon = await world.run('bricks-server', ['-f', world.file('s.lua', script)]);
  assert.equal(daemon.code, 0, daemon.stderr);
  const out = await started(
    world,
    'tcpdump',
    '-n',
    '-q',
    '-i',
    'bricks:eth3}0',
    'ip or ip6 or not ip',
  );
  assert.equal(out.stdout.trim().split('\n').length, packets);
  assert.equal(out.code, 0, out.stderr);
});

test('run: tcpdump lists what can be opened; a link opens as a copy', {
  skip: noTcpdump,
}, async (t) => {
  const world = useWorld(t);
  const script = `
    lb = Brick.new("LoadBalancer")
    lb:connect_input("gen:60?flows=9")
    lb:connect_outputs("eth3", 2)
    pe = PktEngine.new("e0")
    pe:link(lb)
    pe:start()`;
  const daemon = await world.run('bricks-server', ['-f', world.file('s.lua', script)]);
  assert.equal(daemon.code, 0, daemon.stderr);
  const list = await started(world, 'tcpdump', '-D');
  assert.equal(list.code, 0, list.stderr);
  for (const name of ['bricks:eth3}0', 'bricks:eth3}1', 'bricks:gen:60?flows=9']) {
    assert.ok(list.stdout.includes(`.${name} `), `${name} is not in: ${list.stdout}`);
  }
  const copy = await started(world, 'tcpdump', '-nc', '50', '-i', 'bricks:gen:60?flows=9');
  assert.equal(copy.code, 0, copy.stderr);
  assert.match(copy.stderr, /50 packets captured/);
  assert.match(copy.stderr, /a copy of what passes that link/);
  const none = await started(world, 'tcpdump', '-i', 'bricks:eth4}0');
  assert.match(none.stderr, /eth4\}0/);
  assert.notEqual(none.code, 0);
});
