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
import { type Program, until, useWorld, type World } from './world.ts';

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

/** A daemon that has a pipe of its own, and a second process that knows it as netmap's. */
interface Both {
  readonly engine: Program;
  /** Arguments that name the second one. */
  readonly other: readonly string[];
  ledgerOf(where: readonly string[]): Promise<Ledger | undefined>;
}

async function startBoth(world: World, daemon: string, netmap: string): Promise<Both> {
  const started = await world.run('bricks-server', ['-f', world.file('a.lua', daemon)]);
  assert.equal(started.code, 0, started.stderr);
  const other = ['--run-dir', world.folderOf('other')];
  const bricks = [join(root, 'bin/bricks'), '-f', world.file('b.lua', netmap), ...other];
  const engine = world.start('bricks', ['run', '--', ...bricks]);
  const ledgerOf = async (where: readonly string[]): Promise<Ledger | undefined> => {
    if (engine.isOver) throw new Error(`it ended: ${engine.text}`);
    const { code, stdout } = await world.run('bricks', ['ledger', '--json', ...where]);
    return code === 0 ? (JSON.parse(stdout) as Ledger) : undefined;
  };
  return { engine, other, ledgerOf };
}

async function endBoth({ engine }: Both): Promise<void> {
  engine.endInput();
  assert.equal((await engine.ended).code, 0, engine.text);
}

const loops = 20;
const changes = 6;
const endless = 'gen:imix?flows=500';

interface Way {
  readonly does: string;
  /** Ports of the daemon, and of the engine that has netmap. */
  daemon(from: string): readonly [from: string, to: string];
  netmap(from: string): readonly [from: string, ...to: string[]];
  readonly shown: RegExp;
}

const ways: readonly Way[] = [
  {
    does: 'reads',
    daemon: (from) => [from, 'x{0'],
    netmap: () => ['netmap:x}0?kernel', 'null:1', 'null:2'],
    shown: /netmap on x\}0, 1 ring of \d+ slots/,
  },
  {
    does: 'writes',
    daemon: () => ['x{1', 'null:'],
    netmap: (from) => [from, 'netmap:x}1?kernel'],
    shown: /netmap on x\}1, 1 ring of \d+ slots/,
  },
];

for (const way of ways) {
  const start = (world: World, from: string): Promise<Both> =>
    startBoth(world, carries('e0', ...way.daemon(from)), carries('e1', ...way.netmap(from)));

  test(`netmap: an engine ${way.does} and loses nothing, on libbricks-netmap`, {
    skip,
  }, async (t) => {
    const world = useWorld(t);
    const capture = join(world.folder, 'in.pcap');
    const packets = writeTraffic(capture, { seed: 31, flows: 100 }).packets * loops;
    const both = await start(world, `pcap:${capture}?loop=${loops}`);
    for (const where of [both.other, []]) {
      let ledger: Ledger | undefined;
      await until('everything is delivered', async () => {
        ledger = await both.ledgerOf(where);
        return ledger !== undefined && ledger.delivered >= packets;
      });
      assert.deepEqual(
        [ledger?.received, ledger?.delivered, ledger?.held, ledger?.difference],
        [packets, packets, 0, 0],
      );
    }
    const status = await world.run('bricks', ['status', ...both.other]);
    assert.match(status.stdout, way.shown);
    await endBoth(both);
  });

  test(`netmap: a port that comes and goes while an engine ${way.does} loses nothing`, {
    skip,
  }, async (t) => {
    const world = useWorld(t);
    const both = await start(world, endless);
    const sides = way.does === 'reads' ? [[], both.other] : [both.other, []];
    const [sender = [], reader = []] = sides;
    const say = async (code: string, where: readonly string[]): Promise<void> => {
      const said = await world.run('bricks', ['-s', '-c', code, ...where]);
      assert.equal(said.code, 0, said.stderr);
    };
    let seen = 0;
    const goesOn = (): Promise<void> =>
      until('packets come through', async () => {
        const before = seen;
        seen = (await both.ledgerOf(reader))?.received ?? seen;
        return seen > before;
      });

    await goesOn();
    for (let change = 0; change < changes; change++) {
      await say('pe:unlink()', both.other);
      await say('pe:link(lb)', both.other);
      await goesOn();
    }
    await say('pe:stop()', sender);
    const look = async () => [await both.ledgerOf(sender), await both.ledgerOf(reader)] as const;
    await until('what was sent is read', async () => {
      const [sent, got] = await look();
      return sent?.held === 0 && got?.received === sent.delivered;
    });
    const [sent, got] = await look();
    t.diagnostic(`${sent?.delivered} sent, ${got?.received} read`);
    assert.equal(sent?.difference, 0);
    assert.deepEqual([got?.difference, got?.delivered], [0, got?.received]);
    await endBoth(both);
  });
}
