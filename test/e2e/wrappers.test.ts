/** packet-bricks' command lines: bricks-load-balance, -duplicate, -kill-server, and -b. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { flowOf } from '../../src/capture/flow.ts';
import { parseCapture } from '../../src/capture/read.ts';
import type { Status } from '../../src/engine/status.ts';
import { onOneCore } from '../support/one-core.ts';
import { until, useWorld, type World } from './world.ts';

async function statusOf(world: World): Promise<Status> {
  const { stdout } = await world.run('bricks', ['status', '--json']);
  return JSON.parse(stdout) as Status;
}

test('not two arguments, or a number that is none: usage, 2, no daemon', async (t) => {
  const world = useWorld(t);
  for (const program of ['bricks-load-balance', 'bricks-duplicate']) {
    const command = program.replace('bricks-', '');
    for (const args of [[], ['lo'], ['lo', '2', '3']]) {
      const { code, stdout, stderr } = await world.run(program, args);
      assert.deepEqual([code, stdout], [2, ''], `${program} ${args.join(' ')}`);
      assert.match(stderr, new RegExp(`usage: bricks ${command} INTERFACE N`));
    }
    for (const pipes of ['0', '1025', 'two', '2x']) {
      const { code, stderr } = await world.run(program, ['lo', pipes]);
      assert.equal(code, 2);
      assert.match(stderr, new RegExp(`from 1 to 1024, not '${pipes}'`));
    }
    const help = await world.run(program, ['-h']);
    assert.equal(help.code, 0);
    assert.match(help.stdout, new RegExp(`^Usage: bricks ${command} INTERFACE N`));
  }
  const kill = await world.run('bricks-kill-server', ['now']);
  assert.equal(kill.code, 2);
  assert.equal(world.daemonPid, undefined);
});

test('an interface that is not there: 6 and its name, no daemon', async (t) => {
  const world = useWorld(t);
  for (const program of ['bricks-load-balance', 'bricks-duplicate']) {
    const { code, stderr } = await world.run(program, ['nosuch0', '2']);
    assert.equal(code, 6, stderr);
    assert.match(stderr, /^bricks: .*nosuch0/);
    await until('the daemon has ended', () => world.daemonPid === undefined);
  }
});

const isRoot = process.getuid?.() === 0;
const options = { skip: !isRoot && 'opening an interface takes root' };

test('bricks-duplicate lo 2: every consumer gets all; a second start: 7', options, async (t) => {
  const world = useWorld(t);
  const { code, stderr } = await world.run('bricks-duplicate', ['lo', '2']);
  assert.equal(code, 0, stderr);
  assert.equal((await world.run('bricks-load-balance', ['lo', '2'])).code, 7);
  const files = [0, 1].map((index) => {
    const file = join(world.folder, `copy-${index}.pcap`);
    world.start('bricks', ['cat', `lo}${index}`, '-w', file, '--follow']);
    return file;
  });
  await until('both consumers are attached', async () => {
    const { engines } = await statusOf(world);
    return engines[0]?.outputs.every(({ consumer }) => consumer > 0) === true;
  });
  const mark = `mark of process ${process.pid}`;
  const send = `const socket = require('node:dgram').createSocket('udp4');
    for (let count = 0; count < 10; count++)
      socket.send('${mark}, ' + count, 48214, '127.0.0.1', () => count === 9 && socket.close());`;
  const sent = spawnSync(...onOneCore(process.execPath, ['-e', send]), { encoding: 'utf8' });
  assert.equal(sent.status, 0, sent.stderr);
  const seen = (file: string): string[] => {
    const bytes = readFileSync(file);
    const records = bytes.length === 0 ? [] : parseCapture(bytes, file).records;
    return (
      records
        // Not ICMP that quotes it.
        .filter((record) => flowOf(record, { outer: true })?.startsWith('udp '))
        .map(({ data }) => Buffer.from(data).toString('latin1'))
        .filter((text) => text.includes(mark))
        .map((text) => text.slice(text.lastIndexOf(',') + 2))
    );
  };
  const numbers = Array.from({ length: 10 }, (_, index) => String(index));
  for (const file of files) {
    await until('all have arrived', () => seen(file).length >= 10);
    assert.deepEqual(seen(file), numbers);
  }
  assert.equal((await world.run('bricks-kill-server', [])).code, 0);
});

const engine = `
  pe = PktEngine.new("e0")
  b = Brick.new("Merge") b:connect_input("gen:60") b:connect_output("x{0")
  pe:link(b) pe:start()`;

for (const [asked, got] of [
  ['32', 32],
  ['100000', 256],
] as const) {
  test(`-b ${asked}: batches of ${got} where a script says nothing else`, async (t) => {
    const world = useWorld(t);
    const script = world.file('start.lua', engine);
    assert.equal((await world.run('bricks-server', ['-b', asked, '-f', script])).code, 0);
    assert.equal((await statusOf(world)).engines[0]?.batch, got);
  });
}
