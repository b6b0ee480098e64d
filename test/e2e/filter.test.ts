/** Filter rules through Lua and the control socket, on packets that are known. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until, useWorld, type World } from './world.ts';

interface Rule {
  readonly id: number;
  readonly action: string;
  readonly hits: number;
  readonly dropped: number;
  readonly seconds_left?: number;
}

async function filterCommand<T>(world: World, ...words: string[]): Promise<T> {
  const { code, stdout, stderr } = await world.run('bricks', ['filter', ...words, '--json']);
  assert.deepEqual([code, stderr], [0, '']);
  return (stdout === '' ? undefined : JSON.parse(stdout)) as T;
}

async function startServer(world: World, script: string): Promise<void> {
  const { code, stderr } = await world.run('bricks-server', ['-f', world.file('f.lua', script)]);
  assert.equal(code, 0, stderr);
}

test('rules from a script: every action, counted under the rule and in the ledger', async (t) => {
  const world = useWorld(t);
  await startServer(
    world,
    `f = Brick.new("Filter", { default = "drop", rules = {
       { kind = "flow", protocol = "udp", copy_to = "null:copy" },
       { expression = "tcp", sample = 10, priority = -1 } } })
     f:connect_input("gen:60?flows=100&seed=1&count=10000")
     f:connect_output("null:pass", "null:copy")
     pe = PktEngine.new("e0") pe:link(f) pe:start() pe:wait()
     f:set{ default = "pass" }
     assert(#f:get().rules == 2 and f:get().default == "pass")`,
  );
  const [udp, tcp] = await filterCommand<Rule[]>(world, 'list', 'Filter-1');
  assert.ok(udp !== undefined && tcp !== undefined);
  assert.equal(udp.hits + tcp.hits, 10_000);
  assert.ok(udp.hits > 1000 && tcp.hits > 1000);
  assert.deepEqual([udp.dropped, tcp.dropped], [0, tcp.hits - Math.ceil(tcp.hits / 10)]);
  const ledger = await world.ledger();
  const delivered = Object.fromEntries(ledger.outputs.map((row) => [row.name, row.delivered]));
  assert.equal(delivered['null:copy'], udp.hits);
  assert.equal(delivered['null:pass'], udp.hits + Math.ceil(tcp.hits / 10));
  assert.deepEqual([ledger.dropped, ledger.difference], [{ filtered: tcp.dropped }, 0]);
});

test('bricks filter: add, list, change, remove while packets flow', async (t) => {
  const world = useWorld(t);
  await startServer(
    world,
    `f = Brick.new("Filter"):connect_input("gen:60?flows=100&seed=1"):connect_output("null:")
     pe = PktEngine.new("e0") pe:link(f) pe:start()`,
  );
  const none = await world.run('bricks', ['filter', 'list', 'Filter-1']);
  assert.match(none.stdout, /^no rules; add one with/);
  const { id } = await filterCommand<{ id: number }>(
    world,
    ...['add', 'Filter-1', 'kind=flow', 'protocol=tcp', 'action=drop', 'timeout=1000'],
  );
  const hits = async (): Promise<Rule> => {
    const [rule] = await filterCommand<Rule[]>(world, 'list', 'Filter-1');
    assert.ok(rule !== undefined);
    return rule;
  };
  await until('the rule has dropped', async () => (await hits()).dropped > 0);
  const dropping = await hits();
  assert.deepEqual([dropping.id, dropping.action], [id, 'drop']);
  assert.ok(dropping.dropped > 0 && dropping.dropped <= dropping.hits);
  assert.ok((dropping.seconds_left ?? 0) > 900);
  await filterCommand(world, 'change', 'Filter-1', `${id}`, 'action=pass');
  const passing = await hits();
  await until('more pass', async () => (await hits()).hits > passing.hits);
  assert.ok((await hits()).dropped < (await hits()).hits);
  const table = await world.run('bricks', ['filter', 'list', 'Filter-1']);
  assert.match(table.stdout, /^ID +PRIORITY +MATCH/);
  assert.match(table.stdout, /flow protocol=tcp +pass +[\d,]+/);
  await filterCommand(world, 'remove', 'Filter-1', `${id}`);
  assert.deepEqual(await filterCommand<Rule[]>(world, 'list', 'Filter-1'), []);
  assert.equal((await world.ledger()).difference, 0);
});

test('bricks filter: what is wrong is said, with the exit code', async (t) => {
  const world = useWorld(t);
  await startServer(
    world,
    `f = Brick.new("Filter"):connect_input("gen:60?count=1"):connect_output("null:")
     pe = PktEngine.new("e0") pe:link(f)`,
  );
  for (const [words, code, pattern] of [
    [['list', 'Filter-9'], 1, /no engine has a brick Filter-9/],
    [['eat', 'Filter-1'], 2, /list, add, change and remove/],
    [['add', 'Filter-1'], 2, /FIELD=VALUE/],
    [['add', 'Filter-1', 'address'], 2, /'address' is not FIELD=VALUE/],
    [['add', 'Filter-1', 'address=10.0.0.0/40'], 3, /0 to 32/],
    [['add', 'Filter-1', 'address=::1', 'copy_to=x"] = os.exit(1) --'], 3, /no output of this/],
    [['remove', 'Filter-1', '1;'], 2, /a number, not '1;'/],
    [['remove', 'Filter-1', '77'], 3, /no rule 77/],
  ] as const) {
    const ended = await world.run('bricks', ['filter', ...words]);
    assert.match(ended.stderr, pattern);
    assert.equal(ended.code, code, `${words.join(' ')}: ${ended.stderr}`);
  }
});
