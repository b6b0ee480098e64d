import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { useWorld, type World } from './world.ts';

async function startServer(world: World, script = ''): Promise<void> {
  const path = world.file('start.lua', script);
  const { code, stdout, stderr } = await world.run('bricks-server', ['-f', path]);
  assert.deepEqual([code, stdout, stderr], [0, '', '']);
}

test('bricks-shell -c prints the value of an expression, alone, on stdout', async (t) => {
  const world = useWorld(t);
  await startServer(world, 'greeting = "hello"\nfunction twice(x) return 2 * x end\n');
  for (const [code, printed] of [
    ['1+1', '2\n'],
    ['greeting', 'hello\n'],
    ['twice(21)', '42\n'],
    ['counter = 5', ''],
    ['counter', '5\n'],
    ['print("a") io.stderr:write("b")', 'a\n'],
  ] as const) {
    const { code: exit, stdout, stderr } = await world.run('bricks-shell', ['-c', code]);
    assert.deepEqual([exit, stdout], [0, printed], `${code}: ${stderr}`);
    assert.equal(stderr, code.includes('stderr') ? 'b' : '');
  }
});

test('what stdin holds is carried out, a file too', async (t) => {
  const world = useWorld(t);
  await startServer(world);
  const piped = await world.run('bricks-shell', [], 'for i = 1, 2 do\n  print(i)\nend\nx = 7\n');
  assert.deepEqual([piped.code, piped.stdout, piped.stderr], [0, '1\n2\n', '']);
  const file = world.file('more.lua', 'print(x)');
  const more = await world.run('bricks-shell', ['-f', file]);
  assert.deepEqual([more.code, more.stdout, more.stderr], [0, '7\n', '']);
});

test('errors: message on stderr, nothing on stdout, documented exit codes', async (t) => {
  const world = useWorld(t);
  await startServer(world);
  for (const [code, exit, message] of [
    ['error("no such luck")', 1, /^bricks: .*no such luck/],
    ['x = = 1', 3, /^bricks: /],
    ['for i = 1, 2 do', 3, /^bricks: /],
    ['Brick.new("LoadBalancr")', 3, /LoadBalancr/],
    ['PktEngine.retrieve("nobody"):start()', 1, /^bricks: /],
  ] as const) {
    const ended = await world.run('bricks-shell', ['-c', code]);
    assert.deepEqual([ended.code, ended.stdout], [exit, ''], `${code}: ${ended.stderr}`);
    assert.match(ended.stderr, message);
    assert.doesNotMatch(ended.stderr, /\.js:\d+/, 'a stack trace of ours');
  }
});

test('without a daemon: 4, and what to type', async (t) => {
  const world = useWorld(t);
  for (const [program, args] of [
    ['bricks-shell', ['-c', '1']],
    ['bricks-shell', []],
    ['bricks', ['status']],
    ['bricks', ['stats', '--json']],
    ['bricks', ['ledger']],
    ['bricks-kill-server', []],
  ] as const) {
    const { code, stdout, stderr } = await world.run(program, args);
    assert.deepEqual([code, stdout], [4, ''], program);
    assert.match(stderr, /^bricks: no daemon answers at .*control\.sock.*bricks-server/);
  }
});

test('Ctrl-C interrupts the chunk, not the daemon; reports go on meanwhile', async (t) => {
  const world = useWorld(t);
  await startServer(world);
  const loop = world.start('bricks-shell', ['-c', 'print("in") while true do end'], '');
  await loop.says(/in/);
  const status = await world.run('bricks', ['status', '--json']);
  assert.equal(status.code, 0);
  assert.deepEqual(JSON.parse(status.stdout), { online: false, engines: [], queue_groups: [] });
  loop.kill('SIGINT');
  const { code, stderr } = await loop.ended;
  assert.equal(code, 130);
  assert.match(stderr, /interrupted/);
  assert.equal((await world.run('bricks-shell', ['-c', '"still there"'])).stdout, 'still there\n');
});

test('a shell that is killed takes its endless chunk with it', async (t) => {
  const world = useWorld(t);
  await startServer(world);
  const loop = world.start('bricks-shell', ['-c', 'print("in") while true do end'], '');
  await loop.says(/in/);
  loop.kill('SIGKILL');
  assert.equal((await world.run('bricks-shell', ['-c', '1'])).stdout, '1\n');
});

test('a daemon that dies is told at once: 4', async (t) => {
  const world = useWorld(t);
  await startServer(world);
  const loop = world.start('bricks-shell', ['-c', 'print("in") while true do end'], '');
  await loop.says(/in/);
  process.kill(world.daemonPid ?? 0, 'SIGKILL');
  const { code, stderr } = await loop.ended;
  assert.equal(code, 4);
  assert.match(stderr, /has gone/);
});

test('several shells at once share one state', async (t) => {
  const world = useWorld(t);
  await startServer(world, 'n = 0');
  const shells = Array.from({ length: 5 }, () =>
    world.run('bricks-shell', [], 'for i = 1, 1000 do n = n + 1 end'),
  );
  for (const { code, stderr } of await Promise.all(shells)) {
    assert.deepEqual([code, stderr], [0, '']);
  }
  assert.equal((await world.run('bricks-shell', ['-c', 'n'])).stdout, '5000\n');
});

test('a client that connects and stays silent blocks nobody', async (t) => {
  const world = useWorld(t);
  await startServer(world);
  const silent = connect(join(world.runDir, 'control.sock'));
  t.after(() => silent.destroy());
  assert.equal((await world.run('bricks-shell', ['-c', '1'])).stdout, '1\n');
});
