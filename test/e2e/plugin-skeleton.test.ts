/** `bricks plugin`: what it makes works as it says, and what it says of files is so. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../support/source-tree.ts';
import { useWorld } from './world.ts';

for (const language of ['c', 'lua', 'ts'] as const) {
  test(`bricks plugin new: a skeleton in ${language} whose test passes as printed`, async (t) => {
    const world = useWorld(t);
    const folder = join(world.folder, 'mine');
    const made = await world.run('bricks', [
      ...['plugin', 'new', 'mine', '--lang', language, '--folder', folder],
    ]);
    assert.deepEqual([made.code, made.stderr], [0, '']);
    const file = join(folder, `mine.${language}`);
    if (language !== 'c') {
      const looked = await world.run('bricks', ['plugin', 'check', file, '--json']);
      const { events, types } = JSON.parse(looked.stdout);
      assert.deepEqual(events, ['opening', 'packet', 'closing']);
      assert.equal(types?.checked, language === 'ts' ? true : undefined, types?.how);
    }
    const [, command = ''] = /^test it: (.*)$/m.exec(made.stdout) ?? [];
    const ran = spawnSync('sh', ['-c', command], {
      cwd: world.folder,
      encoding: 'utf8',
      timeout: 200_000,
    });
    assert.deepEqual([ran.status, ran.stderr], [0, ''], ran.stdout);
    assert.match(ran.stdout, /^ok: packets: 1000$/m);
    assert.match(ran.stdout, /^ok: packets dropped as too long: 1000$/m);
    const again = await world.run('bricks', ['plugin', 'new', 'mine', '--folder', folder]);
    assert.equal(again.code, 7);
    assert.match(again.stderr, /has such files already/);
  });
}

test('the test of a skeleton fails when its plugin does', async (t) => {
  const world = useWorld(t);
  const folder = join(world.folder, 'mine');
  await world.run('bricks', ['plugin', 'new', 'mine', '--folder', folder]);
  const plugin = join(folder, 'mine.lua');
  writeFileSync(
    plugin,
    readFileSync(plugin, 'utf8').replace('mine.packets + 1', 'mine.nothing + 1'),
  );
  const ran = spawnSync(join(folder, 'test'), { encoding: 'utf8', timeout: 200_000 });
  assert.notEqual(ran.status, 0);
  assert.match(ran.stderr, /errors: 10, not 0|packets/);
});

test('bricks plugin check: types of TypeScript, by line and column', async (t) => {
  const world = useWorld(t);
  const file = world.file(
    'typed.ts',
    `import { definePlugin } from 'bricks/plugin';
export default definePlugin({
  name: 'typed',
  summary: 'asks for what there is not',
  onPacket(event) {
    event.dorp();
    const bytes: string = event.length;
  },
});
`,
  );
  const { code, stdout, stderr } = await world.run('bricks', ['plugin', 'check', file]);
  assert.deepEqual([code, stdout], [3, '']);
  assert.match(stderr, /typed\.ts: types:\n/);
  assert.match(stderr, /typed\.ts:6:11: error TS2339: Property 'dorp' does not exist/);
  assert.match(stderr, /typed\.ts:7:11: error TS2322: /);
});

test('bricks plugin check and list; what is wrong is named', async (t) => {
  const world = useWorld(t);
  const firewall = join(root, 'examples/plugins/firewall.lua');
  const shown = await world.run('bricks', ['plugin', 'check', firewall, '--json']);
  const facts = JSON.parse(shown.stdout);
  assert.deepEqual(facts.events, ['opening', 'packet']);
  assert.equal(
    facts.options.find(({ name }: { name: string }) => name === 'default').preset,
    'deny',
  );
  const table = await world.run('bricks', ['plugin', 'check', firewall]);
  assert.match(table.stdout, /^plugin +firewall \(lua\)$/m);
  assert.match(table.stdout, /rules +text +must be given/);

  for (const [file, text, code, message] of [
    ['a.lua', 'return {on_paket = print}', 3, /unknown key on_paket/],
    ['b.lua', 'return {', 3, /b\.lua:1: unexpected symbol near '<eof>'/],
    ['c.so', 'text', 3, /c\.so/],
    ['d.txt', '', 3, /\.lua/],
    ['e.ts', 'export default 3', 3, /e\.ts/],
  ] as const) {
    const wrong = await world.run('bricks', ['plugin', 'check', world.file(file, text)]);
    assert.equal(wrong.code, code, wrong.stderr);
    assert.match(wrong.stderr, message);
  }
  const none = await world.run('bricks', ['plugin', 'check', join(world.folder, 'none.lua')]);
  assert.equal(none.code, 6);

  const script = `s = Brick.new("Session", {plugins = {{path = "${firewall}", name = "fw",
      options = {rules = "allow udp; deny", log = "none"}}}})
    s:connect_input("gen:60?flows=100&seed=1&count=10000") s:connect_output("null:")
    pe = PktEngine.new("e0") pe:link(s) pe:start() pe:wait()`;
  const server = await world.run('bricks-server', ['-f', world.file('s.lua', script)]);
  assert.equal(server.code, 0, server.stderr);
  const listed = await world.run('bricks', ['plugin', 'list', '--json']);
  const [row] = JSON.parse(listed.stdout);
  assert.deepEqual([row.engine, row.plugin, row.counts.errors], ['e0', 'fw', 0]);
  assert.ok(row.counts.allowed > 10);
  assert.match((await world.run('bricks', ['plugin', 'list'])).stdout, /^e0 +Session-1 +fw /m);
  const { dropped, difference } = await world.ledger();
  assert.equal(difference, 0);
  assert.equal(
    Object.values(dropped).reduce((a, b) => a + b, 0),
    row.counts.dropped,
  );
});
