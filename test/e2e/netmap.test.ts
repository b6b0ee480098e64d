/**
 * The netmap: port, marked: against libbricks-netmap, which stands in for the kernel module. On a
 * machine with the module scripts/dev/netmap-check runs the same tests against that.
 */
// Alone: pipes are driven at full rate.
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

/** Lua that brings packets from one port to others. */
const carries = (name: string, from: string, ...to: string[]): string => `
  lb = Brick.new("LoadBalancer")
  lb:connect_input("${from}")
  ${to.map((port) => `lb:connect_output("${port}")`).join('\n  ')}
  pe = PktEngine.new("${name}")
  pe:link(lb)
  pe:start()`;

const loops = 20;

interface Way {
  readonly does: string;
  /** Ports of the daemon, and of the engine that has netmap. */
  daemon(capture: string): readonly [from: string, to: string];
  netmap(capture: string): readonly [from: string, ...to: string[]];
  readonly shown: RegExp;
}

// The daemon has a pipe of its own; a second process knows it as netmap's.
const ways: readonly Way[] = [
  {
    does: 'reads',
    daemon: (capture) => [`pcap:${capture}?loop=${loops}`, 'x{0'],
    netmap: () => ['netmap:x}0?kernel', 'null:1', 'null:2'],
    shown: /netmap on x\}0, 1 ring of \d+ slots/,
  },
  {
    does: 'writes',
    daemon: () => ['x{1', 'null:'],
    netmap: (capture) => [`pcap:${capture}?loop=${loops}`, 'netmap:x}1?kernel'],
    shown: /netmap on x\}1, 1 ring of \d+ slots/,
  },
];

for (const way of ways) {
  const name = `netmap: an engine ${way.does} and loses nothing, on libbricks-netmap`;
  test(name, { skip }, async (t) => {
    const world = useWorld(t);
    const capture = join(world.folder, 'in.pcap');
    const packets = writeTraffic(capture, { seed: 31, flows: 100 }).packets * loops;
    const ours = world.file('a.lua', carries('e0', ...way.daemon(capture)));
    const daemon = await world.run('bricks-server', ['-f', ours]);
    assert.equal(daemon.code, 0, daemon.stderr);
    const other = world.folderOf('other');
    const theirs = world.file('b.lua', carries('e1', ...way.netmap(capture)));
    const bricks = join(root, 'bin/bricks');
    const engine = world.start('bricks', ['run', '--', bricks, '-f', theirs, '--run-dir', other]);
    const ledgerOf = async (...where: string[]): Promise<Ledger | undefined> => {
      const { code, stdout } = await world.run('bricks', ['ledger', '--json', ...where]);
      return code === 0 ? (JSON.parse(stdout) as Ledger) : undefined;
    };
    for (const where of [['--run-dir', other], []]) {
      let ledger: Ledger | undefined;
      await until('everything is delivered', async () => {
        if (engine.isOver) throw new Error(`it ended: ${engine.text}`);
        ledger = await ledgerOf(...where);
        return ledger !== undefined && ledger.delivered >= packets;
      });
      assert.deepEqual(
        [ledger?.received, ledger?.delivered, ledger?.held, ledger?.difference],
        [packets, packets, 0, 0],
      );
    }
    const status = await world.run('bricks', ['status', '--run-dir', other]);
    assert.match(status.stdout, way.shown);
    engine.endInput();
    assert.equal((await engine.ended).code, 0);
  });
}
