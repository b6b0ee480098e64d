/** netmap: ports that are taken from an engine and given back to it while it works on them. */
// Alone: pipes are driven at full rate.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Ledger } from '../../src/engine/ledger.ts';
import { root } from '../support/source-tree.ts';
import { until, useWorld } from './world.ts';

const library = join(root, 'native/build/release/libbricks-netmap.so');
const skip = existsSync(library) ? false : 'libbricks-netmap.so is not built';
const changes = 6;
const traffic = 'gen:imix?flows=500';

const engineOf = (name: string, [from, to]: readonly [string, string]): string => `
  b = Brick.new("LoadBalancer")
  b:connect_input("${from}")
  b:connect_output("${to}")
  pe = PktEngine.new("${name}")
  pe:link(b)
  pe:start()`;

interface Way {
  readonly does: string;
  readonly daemon: readonly [from: string, to: string];
  readonly netmap: readonly [from: string, to: string];
}

const ways: readonly Way[] = [
  { does: 'reads', daemon: [traffic, 'x{0'], netmap: ['netmap:x}0?kernel', 'null:'] },
  { does: 'writes', daemon: ['x{1', 'null:'], netmap: [traffic, 'netmap:x}1?kernel'] },
];

for (const way of ways) {
  const name = `netmap: a port that comes and goes while an engine ${way.does} loses nothing`;
  test(name, { skip }, async (t) => {
    const world = useWorld(t);
    const ours = world.file('a.lua', engineOf('e0', way.daemon));
    const daemon = await world.run('bricks-server', ['-f', ours]);
    assert.equal(daemon.code, 0, daemon.stderr);
    const other = ['--run-dir', world.folderOf('other')];
    const theirs = world.file('b.lua', engineOf('e1', way.netmap));
    const program = ['run', '--', join(root, 'bin/bricks'), '-f', theirs, ...other];
    const engine = world.start('bricks', program);

    const ledgerOf = async (where: string[]): Promise<Ledger | undefined> => {
      const { code, stdout } = await world.run('bricks', ['ledger', '--json', ...where]);
      return code === 0 ? (JSON.parse(stdout) as Ledger) : undefined;
    };
    const both = async () => {
      if (engine.isOver) throw new Error(`it ended: ${engine.text}`);
      const [mine, its] = [await ledgerOf([]), await ledgerOf(other)];
      return way.does === 'reads' ? ([mine, its] as const) : ([its, mine] as const);
    };
    const say = async (code: string, where: string[]): Promise<void> => {
      const said = await world.run('bricks', ['-s', '-c', code, ...where]);
      assert.equal(said.code, 0, said.stderr);
    };
    let seen = 0;
    const goesOn = (): Promise<void> =>
      until('packets come through', async () => {
        const before = seen;
        seen = (await both())[1]?.received ?? seen;
        return seen > before;
      });

    await goesOn();
    for (let change = 0; change < changes; change++) {
      await say('pe:unlink()', other);
      await say('pe:link(b)', other);
      await goesOn();
    }
    await say('pe:stop()', way.does === 'reads' ? [] : other);
    await until('what was sent is read', async () => {
      const [sent, got] = await both();
      return sent?.held === 0 && got?.received === sent.delivered;
    });
    const [sent, got] = await both();
    t.diagnostic(`${sent?.delivered} sent, ${got?.received} read`);
    assert.equal(sent?.difference, 0);
    assert.deepEqual([got?.difference, got?.delivered], [0, got?.received]);
    engine.endInput();
    assert.equal((await engine.ended).code, 0, engine.text);
  });
}
