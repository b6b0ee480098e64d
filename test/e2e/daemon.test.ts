import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { until, useWorld } from './world.ts';

const balancer = `
lb = Brick.new("LoadBalancer")
lb:connect_input("gen:60?flows=100&seed=1")
lb:connect_outputs("live", 2)
pe = PktEngine.new("e0")
pe:link(lb)
pe:start()
`;

test('bricks-server is ready when it returns; private files; SIGTERM ends it', async (t) => {
  const world = useWorld(t);
  const script = world.file('start.lua', `${balancer}started = true`);
  assert.equal((await world.run('bricks-server', ['-f', script])).code, 0);
  assert.equal((await world.run('bricks-shell', ['-c', 'started'])).stdout, 'true\n');
  assert.equal(statSync(world.runDir).mode & 0o777, 0o700);
  for (const name of ['control.sock', 'ports.sock', 'bricks.pid', 'bricks.log']) {
    assert.equal(statSync(join(world.runDir, name)).mode & 0o777, 0o600, name);
  }
  const pid = world.daemonPid ?? 0;
  process.kill(pid, 'SIGTERM');
  await until('the daemon has ended', () => !existsSync(`/proc/${pid}`));
  assert.deepEqual(readdirSync(world.runDir), ['bricks.log']);
  const log = readFileSync(join(world.runDir, 'bricks.log'), 'utf8').trimEnd().split('\n');
  const messages = log.map((line) => (JSON.parse(line) as { message: string }).message);
  assert.deepEqual(messages, ['listening', 'SIGTERM: ending', 'ended']);
});

test('a second daemon in the same folder: 7, naming the first, which goes on', async (t) => {
  const world = useWorld(t);
  assert.equal((await world.run('bricks-server', [])).code, 0);
  const pid = world.daemonPid;
  for (const [program, args] of [
    ['bricks-server', []],
    ['bricks', []],
  ] as const) {
    const { code, stderr } = await world.run(program, args);
    assert.equal(code, 7, program);
    assert.match(stderr, new RegExp(`^bricks: process ${pid} already serves`));
  }
  assert.equal(world.daemonPid, pid);
  assert.equal((await world.run('bricks-shell', ['-c', '1'])).stdout, '1\n');
});

test('kill -9 leaves stale files; the next daemon replaces them', async (t) => {
  const world = useWorld(t);
  const script = world.file('start.lua', balancer);
  assert.equal((await world.run('bricks-server', ['-f', script])).code, 0);
  const pid = world.daemonPid ?? 0;
  process.kill(pid, 'SIGKILL');
  await until('it is gone', () => world.daemonPid === undefined);
  for (const name of ['control.sock', 'ports.sock', 'bricks.pid']) {
    assert.ok(existsSync(join(world.runDir, name)), `${name} is not stale`);
  }
  assert.equal((await world.run('bricks', ['status'])).code, 4);
  const again = await world.run('bricks-server', ['-f', script]);
  assert.deepEqual([again.code, again.stderr], [0, '']);
  assert.notEqual(world.daemonPid, pid);
  const consumer = await world.run('bricks', ['cat', 'live}0', '-c', '3', '-w', '-']);
  assert.equal(consumer.code, 0, consumer.stderr);
});

test('bricks-kill-server ends it in order and returns when it has ended', async (t) => {
  const world = useWorld(t);
  const script = world.file('start.lua', balancer);
  assert.equal((await world.run('bricks-server', ['-f', script])).code, 0);
  const { code, stderr } = await world.run('bricks-kill-server', []);
  assert.deepEqual([code, stderr], [0, '']);
  assert.deepEqual(readdirSync(world.runDir), ['bricks.log']);
  assert.equal((await world.run('bricks-kill-server', [])).code, 4);
});

test('BRICKS.shutdown() ends the daemon; the shell that called it is told', async (t) => {
  const world = useWorld(t);
  assert.equal((await world.run('bricks-server', [])).code, 0);
  const pid = world.daemonPid ?? 0;
  await world.run('bricks-shell', ['-c', 'BRICKS.shutdown()']);
  await until('the daemon has ended', () => !existsSync(`/proc/${pid}`));
  assert.equal((await world.run('bricks', ['status'])).code, 4);
});

for (const [what, script, exit, message] of [
  ['raises an error', 'error("not today")', 1, /not today/],
  ['does not compile', 'x = = 1', 3, /start\.lua:1:/],
  ['names an unknown brick', 'Brick.new("Ballancer")', 3, /Ballancer/],
] as const) {
  test(`a startup script that ${what}: the starter says so, no daemon stays`, async (t) => {
    const world = useWorld(t);
    const path = world.file('start.lua', script);
    const { code, stderr } = await world.run('bricks-server', ['-f', path]);
    assert.equal(code, exit, stderr);
    assert.match(stderr, message);
    await until('the daemon has ended', () => world.daemonPid === undefined);
    assert.equal(existsSync(join(world.runDir, 'control.sock')), false);
  });
}

test('an endless startup script does not keep the daemon from being ready', async (t) => {
  const world = useWorld(t);
  const script = world.file('start.lua', `${balancer}while true do end`);
  assert.equal((await world.run('bricks-server', ['-f', script])).code, 0);
  assert.equal((await world.ledger()).difference, 0);
  const { code } = await world.run('bricks-kill-server', []);
  assert.equal(code, 0);
});

test('bricks -f: sockets are open while stdin is, engines end with it', async (t) => {
  const world = useWorld(t);
  const script = world.file('start.lua', `${balancer}print("up")`);
  const home = world.start('bricks', ['-f', script]);
  await home.says(/up/);
  assert.equal((await world.run('bricks-shell', ['-c', '1'])).stdout, '1\n');
  const status = JSON.parse((await world.run('bricks', ['status', '--json'])).stdout);
  assert.deepEqual([status.online, status.engines[0].name], [true, 'e0']);
  home.write('print("from stdin")');
  home.endInput();
  const { code, stdout, stderr } = await home.ended;
  assert.deepEqual([code, stdout, stderr], [0, 'up\nfrom stdin\n', '']);
  assert.deepEqual(readdirSync(world.runDir), []);
});

for (const [signal, exit] of [
  ['SIGTERM', 0],
  ['SIGINT', 130],
] as const) {
  test(`bricks -f: ${signal} in an endless script stops the engines and cleans up`, async (t) => {
    const world = useWorld(t);
    const script = world.file('start.lua', `${balancer}print("up") while true do end`);
    const home = world.start('bricks', ['-f', script]);
    await home.says(/up/);
    home.kill(signal);
    const { code, stderr } = await home.ended;
    assert.deepEqual([code, stderr], [exit, '']);
    assert.deepEqual(readdirSync(world.runDir), []);
  });
}

test('SIGTERM ends it even while Lua waits for the system', async (t) => {
  const world = useWorld(t);
  const script = world.file('start.lua', 'io.write("waiting\\n") x = io.read()');
  const home = world.start('bricks', ['-f', script]);
  await home.says(/waiting/);
  home.kill('SIGTERM');
  const { code, stderr } = await home.ended;
  assert.deepEqual([code, stderr], [0, '']);
  assert.deepEqual(readdirSync(world.runDir), []);
});

test('os.exit in a script stops the engines and is the exit code', async (t) => {
  const world = useWorld(t);
  const script = world.file('start.lua', `${balancer}os.exit(42)`);
  const { code, stdout, stderr } = await world.run(
    'bricks',
    ['-f', script],
    'print("not reached")',
  );
  assert.deepEqual([code, stdout, stderr], [42, '', '']);
  assert.deepEqual(readdirSync(world.runDir), []);
});
