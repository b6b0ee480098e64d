/** The daemon under a service manager, its logs, and packet-bricks' shell protocol. */
// Alone: it restarts daemons within seconds.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync, renameSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { readSource, root } from '../support/source-tree.ts';
import { Program, until, useWorld, type World } from './world.ts';

/** A service manager's socket: prints each datagram and a line of dashes. Perl is everywhere. */
const managerCode = `
use Socket;
socket(my $s, PF_UNIX, SOCK_DGRAM, 0) or die $!;
my $path = $ARGV[0];
$path =~ s/^@/\\0/;
bind($s, pack_sockaddr_un($path)) or die $!;
$| = 1;
print "listening\\n";
while (defined recv($s, my $text, 65536, 0)) { print "$text\\n---\\n"; }
`;

async function startManager(world: World, socket: string): Promise<Program> {
  const manager = new Program(spawn('perl', ['-e', managerCode, socket]));
  await manager.says(/listening/);
  world.env['NOTIFY_SOCKET'] = socket;
  return manager;
}

for (const kind of ['path', 'abstract'] as const) {
  test(`a service manager is told: ready, alive, stopping (${kind} socket)`, async (t) => {
    const world = useWorld(t);
    const socket = kind === 'path' ? join(world.folder, 'notify') : `@${world.folder}`;
    const manager = await startManager(world, socket);
    t.after(() => manager.kill('SIGKILL'));
    world.env['WATCHDOG_USEC'] = '200000';
    const script = world.file(
      'start.lua',
      'seen = tostring(os.getenv("NOTIFY_SOCKET")) pe = PktEngine.new("e0")\n' +
        'b = Brick.new("Merge") b:connect_input("gen:60") b:connect_output("x{0")\n' +
        'pe:link(b) pe:start()',
    );
    const daemon = world.start('bricks-server', ['--foreground', '-f', script]);
    await manager.says(/^READY=1\nSTATUS=1 engines run, 1 pipes, \d+ packets, \d+ dropped\n/m);
    assert.match(manager.text, new RegExp(`MAINPID=${daemon.pid}\\n---`));
    await manager.says(/WATCHDOG=1[\s\S]*---\nWATCHDOG=1\nSTATUS=/);
    const seen = await world.run('bricks-shell', ['-c', 'seen']);
    assert.equal(seen.stdout, 'nil\n', 'what scripts start must not talk to the manager');
    daemon.kill('SIGTERM');
    await manager.says(/STOPPING=1\nSTATUS=ending\n---\n$/);
    assert.equal((await daemon.ended).code, 0);
  });
}

test('a startup script that fails: not ready, exit code and message', async (t) => {
  const world = useWorld(t);
  const manager = await startManager(world, join(world.folder, 'notify'));
  t.after(() => manager.kill('SIGKILL'));
  const script = world.file('start.lua', 'error("not today")');
  const { code, stderr } = await world.run('bricks-server', ['--foreground', '-f', script]);
  assert.equal(code, 1);
  assert.match(stderr, /not today/);
  await manager.says(/STOPPING=1/);
  assert.doesNotMatch(manager.text, /READY/);
});

test('a startup script that ends the daemon: stopping, and never ready', async (t) => {
  const world = useWorld(t);
  const socket = join(world.folder, 'notify');
  const manager = await startManager(world, socket);
  t.after(() => manager.kill('SIGKILL'));
  const script = world.file('start.lua', 'BRICKS.shutdown()');
  assert.equal((await world.run('bricks-server', ['--foreground', '-f', script])).code, 0);
  // Datagrams keep their order: behind this one there is nothing of the daemon's.
  const send =
    'use Socket; socket(my $s, PF_UNIX, SOCK_DGRAM, 0) or die $!;' +
    'send($s, "nothing more", 0, pack_sockaddr_un($ARGV[0])) or die $!;';
  assert.equal(spawnSync('perl', ['-e', send, socket]).status, 0);
  await manager.says(/nothing more/);
  assert.match(manager.text, /STOPPING=1/);
  assert.doesNotMatch(manager.text, /READY/);
});

test('in the journal each line has its priority in front', async (t) => {
  const world = useWorld(t);
  const log = openSync(join(world.folder, 'journal'), 'a');
  const { dev, ino } = fstatSync(log);
  const child = spawn(join(root, 'bin', 'bricks-server'), ['--foreground'], {
    env: { ...world.env, JOURNAL_STREAM: `${dev}:${ino}` },
    stdio: ['ignore', 'ignore', log],
  });
  closeSync(log);
  const daemon = new Program(child);
  await until('it listens', () => /listening/.test(world.read('journal')));
  daemon.kill('SIGTERM');
  assert.equal((await daemon.ended).code, 0);
  assert.match(world.read('journal'), /^<6>\{"time":"[^"]*","level":"info","message":"listening"/);
});

test('SIGHUP begins a new log, for who rotates it', async (t) => {
  const world = useWorld(t);
  assert.equal((await world.run('bricks-server', [])).code, 0);
  const file = join(world.runDir, 'bricks.log');
  renameSync(file, `${file}.1`);
  process.kill(world.daemonPid ?? 0, 'SIGHUP');
  await until('there is a new log', () => {
    try {
      return readFileSync(file, 'utf8').includes('SIGHUP: the log begins anew');
    } catch {
      return false;
    }
  });
  await world.run('bricks-shell', ['-c', 'os.execute("echo from a program")']);
  assert.equal((await world.run('bricks-kill-server', [])).code, 0);
  assert.match(readFileSync(file, 'utf8'), /a client asks to end[\s\S]*ended/);
  assert.doesNotMatch(readFileSync(`${file}.1`, 'utf8'), /SIGHUP|ended/);
});

test('flags that mean nothing together are refused', async (t) => {
  const world = useWorld(t);
  for (const args of [
    ['--foreground'],
    ['-s', '--legacy-port', '1111'],
    ['--legacy-port', '0'],
    ['-d', '--legacy-port', '65536'],
  ]) {
    const { code, stderr } = await world.run('bricks', args);
    assert.equal(code, 2, args.join(' '));
    assert.match(stderr, /--foreground needs -d|--legacy-port/);
  }
});

test('the unit file names what there is', (t) => {
  const unit = readSource('share/systemd/bricks.service');
  for (const line of unit.split('\n')) assert.match(line, /^(#.*|\[\w+\]|\w+=.*|)$/);
  const analyse = spawnSync('systemd-analyze', ['--version']);
  if (analyse.status !== 0) {
    t.diagnostic('systemd-analyze is not there: the unit is not verified');
    return;
  }
  const world = useWorld(t);
  const program = join(root, 'bin', 'bricks-server');
  const path = world.file('bricks.service', unit.replace('/usr/bin/bricks-server', program));
  const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], {
    encoding: 'utf8',
  });
  const about = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('bricks.service'));
  assert.deepEqual(about, []);
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}

test('--legacy-port: one Lua state for all; a silent client blocks nobody', async (t) => {
  const world = useWorld(t);
  const port = await freePort();
  const script = world.file('start.lua', 'function double(x) return 2 * x end');
  const legacy = ['--legacy-port', String(port)];
  assert.equal((await world.run('bricks-server', ['-f', script, ...legacy])).code, 0);
  const silent = connect(port, '127.0.0.1');
  t.after(() => silent.destroy());
  const ask = (code: string): Promise<string> =>
    new Promise((resolve, reject) => {
      let text = '';
      const socket = connect(port, '127.0.0.1', () => socket.write(`${code}\x7f`));
      socket.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        if (text.endsWith('\x7f')) {
          socket.end();
          resolve(text.slice(0, -1));
        }
      });
      socket.on('error', reject);
    });
  assert.equal(await ask('x = double(21) print(x)'), '42\n');
  assert.equal(await ask('io.stderr:write(x + 1)'), '43');
  assert.match(await ask('error("no")'), /no/);
  assert.match(await ask('for'), /init.*:1:/);
  assert.match(await ask('BRICKS.help()'), /^BRICKS Commands:\n/);
  assert.equal((await world.run('bricks-shell', ['-c', 'x'])).stdout, '42\n');
  const second = await world.run('bricks', ['-d', '--run-dir', `${world.runDir}2`, ...legacy]);
  assert.equal(second.code, 7);
  assert.match(second.stderr, /another program listens there/);
  assert.equal((await world.run('bricks-kill-server', [])).code, 0);
});
