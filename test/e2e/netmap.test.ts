/**
 * The netmap: port, marked: against libbricks-netmap, which stands in for the kernel module. On a
 * machine with the module scripts/dev/netmap-check runs the same tests against that.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Ledger } from '../../src/engine/ledger.ts';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import { root } from '../support/source-tree.ts';
import { until, useWorld } from './world.ts';

const build = join(root, 'native/build/release');
const skip = existsSync(join(build, 'libbricks-netmap.so'))
  ? false
  : 'libbricks-netmap.so is not built';

test('netmap: port on pipes of libbricks-netmap, not of the kernel module', { skip }, async (t) => {
  const world = useWorld(t);
  assert.equal((await world.run('bricks-server', [])).code, 0);
  const program = ['run', '--', join(build, 'core_test'), 'netmap_device'];
  const { code, stdout, stderr } = await world.run('bricks', program);
  assert.equal(code, 0, stdout + stderr);
  t.diagnostic(stdout.trim());
  const [, passed = 0] = /(\d+) passed, 0 failed/.exec(stdout) ?? [];
  assert.ok(Number(passed) >= 4, stdout);
});

// Two daemons: the first fills a pipe of its own, the second reads it as netmap's.
test('netmap: an engine reads, sleeps and loses nothing, on libbricks-netmap', {
  skip,
}, async (t) => {
  const world = useWorld(t);
  const capture = join(world.folder, 'in.pcap');
  const { packets } = writeTraffic(capture, { seed: 31, flows: 100 });
  const first = `
    lb = Brick.new("LoadBalancer")
    lb:connect_input("pcap:${capture}?loop=20")
    lb:connect_output("x{0")
    pe = PktEngine.new("e0")
    pe:link(lb)
    pe:start()`;
  const daemon = await world.run('bricks-server', ['-f', world.file('a.lua', first)]);
  assert.equal(daemon.code, 0, daemon.stderr);
  const other = world.folderOf('other');
  const second = `
    lb = Brick.new("LoadBalancer")
    lb:connect_input("netmap:x}0?kernel")
    lb:connect_output("null:1")
    lb:connect_output("null:2")
    pe = PktEngine.new("e1")
    pe:link(lb)
    pe:start()`;
  const script = world.file('b.lua', second);
  const bricks = join(root, 'bin/bricks');
  const engine = world.start('bricks', ['run', '--', bricks, '-f', script, '--run-dir', other]);
  let ledger: Ledger | undefined;
  await until('everything has arrived', async () => {
    if (engine.isOver) throw new Error(`it ended: ${engine.text}`);
    const asked = await world.run('bricks', ['ledger', '--json', '--run-dir', other]);
    if (asked.code === 0) ledger = JSON.parse(asked.stdout) as Ledger;
    return ledger !== undefined && ledger.received >= packets * 20;
  });
  assert.equal(ledger?.received, packets * 20);
  assert.equal(ledger?.delivered, packets * 20);
  assert.equal(ledger?.difference, 0);
  await until('the first one knows', async () => (await world.delivered('x{0')) === packets * 20);
  const status = await world.run('bricks', ['status', '--run-dir', other]);
  assert.match(status.stdout, /netmap on x\}0, 1 ring of \d+ slots/);
  engine.endInput();
  assert.equal((await engine.ended).code, 0);
});
