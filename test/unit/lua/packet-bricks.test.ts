/** What scripts written for packet-bricks lean on, and what it let pass. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrows } from '../../../src/flow/arrows.ts';
import { isNetmapCommand } from '../../../src/lua/netmap-commands.ts';
import { LuaSession } from '../support/lua-session.ts';

test("commands to netmap's kernel module succeed where it is not loaded, no others do", () => {
  const absent = '/no/such/folder';
  for (const command of [
    'cd /sys/module/netmap/parameters/',
    "cd '/sys/module/netmap/parameters/'",
    'echo 64 > /sys/module/netmap/parameters/default_pipes',
  ]) {
    assert.equal(isNetmapCommand(command, absent), true, command);
    assert.equal(isNetmapCommand(command, '/'), false, command);
  }
  for (const command of [
    'cd /sys/module/netmap2/',
    'cd /sys/module/netmap/parameters/; reboot',
    'echo 64 > /sys/module/netmap/parameters/../../x',
    'echo 64',
  ]) {
    assert.equal(isNetmapCommand(command, absent), false, command);
  }
});

test('-b is the batch where a script does not say one', (t) => {
  process.env['BRICKS_BATCH'] = '32';
  t.after(() => delete process.env['BRICKS_BATCH']);
  const session = new LuaSession();
  const brick = (name: string): string =>
    `${name} = Brick.new("Dummy") ${name}:connect_input("${name}") ${name}:connect_output("null:")`;
  session.run(`${brick('a')} PktEngine.new("a"):link(a)`);
  session.run(`${brick('b')} PktEngine.new("b"):link(b, -1)`);
  session.run(`${brick('c')} PktEngine.new("c"):link(c, 64)`);
  session.run(`${brick('d')} PktEngine.new("d", 0, -1, { batch = 8 }):link(d, -1)`);
  const batches = ['a', 'b', 'c', 'd'].map((name) => session.binding.engines.get(name)?.options);
  assert.deepEqual(
    batches.map((options) => options?.batch),
    [32, 32, 64, 8],
  );
});

test('null: may be there any number of times, each counted by itself', () => {
  const session = new LuaSession();
  session.run(`
    pe = PktEngine.new("e0")
    lb = Brick.new("LoadBalancer")
    lb:connect_input("eth3")
    lb:connect_output("null:", "null:", "null:2", "null:")
    pe:link(lb)`);
  const names = (): unknown =>
    session.binding.engines.get('e0')?.graph.bricks[0]?.outlets.map((outlet) => outlet.name);
  assert.deepEqual(names(), ['null:', 'null:3', 'null:2', 'null:4']);
  session.run('lb:disconnect_output("null:")');
  assert.deepEqual(names(), ['null:', 'null:3', 'null:2']);
  assert.match(session.fault('lb:connect_output("null:2")'), /invalid_graph.*null:2/);
});

test('a tuple is 2 or 4: 3 is refused by Brick.new and by set', () => {
  const session = new LuaSession();
  const refusal = /invalid_argument: .*LoadBalancer: (option )?tuple must be 2 .*or 4/;
  assert.match(session.fault('Brick.new("LoadBalancer", { tuple = 3 })'), refusal);
  session.run('lb = Brick.new("LoadBalancer", 2)');
  assert.match(session.fault('lb:set{ tuple = 3 }'), refusal);
  assert.equal(session.run('print(lb:get().tuple)'), '2\n');
  assert.equal(session.run('print(Brick.new("LoadBalancer", 3):get().tuple)'), '4\n');
});

test('a record is what it was made as, however often it is linked', () => {
  const session = new LuaSession();
  session.run(`
    m = Brick.new("Merge") m:connect_input("eth3", "eth4") m:connect_output("m{0")
    for i = 1, 3 do
      pe = PktEngine.new("e" .. i) pe:link(m) pe:start() pe:stop() pe:unlink(m) pe:delete()
    end
    PktEngine.new("last"):link(m)`);
  const graph = session.binding.engines.get('last')?.graph;
  assert.ok(graph);
  assert.deepEqual(arrows(graph), ['eth3 -> Merge-1', 'eth4 -> Merge-1', 'Merge-1.0 -> m{0']);
});

test('children linked to a child before it is linked to its parent are kept', () => {
  const session = new LuaSession();
  session.run(`
    lb = Brick.new("LoadBalancer") lb:connect_input("eth3") lb:connect_outputs("eth3", 2)
    mrg = Brick.new("Merge") mrg:connect_input("eth3}0", "eth3}1") mrg:connect_output("eth3{2")
    pw = Brick.new("PcapWriter") pw:connect_input("eth3}2") pw:connect_output("out.pcap")
    mrg:link(pw) lb:link(mrg)
    PktEngine.new("e0"):link(lb)`);
  const graph = session.binding.engines.get('e0')?.graph;
  assert.ok(graph);
  assert.equal(arrows(graph).at(-1), 'PcapWriter-1.0 -> pcap:out.pcap');
});

test('engine and interface names made at run time outlive the garbage collector', () => {
  const session = new LuaSession();
  session.run(`
    for i = 0, 63 do
      local lb = Brick.new("LoadBalancer")
      lb:connect_input("if" .. i)
      for o = 0, 9 do lb:connect_output("if" .. i .. "{" .. o) end
      PktEngine.new("e" .. i):link(lb)
      collectgarbage()
    end
    print(collectgarbage("count") > 0, gcinfo() > 0)`);
  for (let i = 0; i < 64; i++) {
    const graph = session.binding.engines.get(`e${i}`)?.graph;
    assert.deepEqual(graph?.inlets, [{ port: `if${i}`, brick: 0 }]);
    assert.equal(graph?.bricks[0]?.outlets[9]?.name, `if${i}{9`);
  }
});

test('numbers print as C prints them, counts with all their digits', () => {
  const session = new LuaSession();
  for (const [expression, text] of [
    ['1/0', 'inf'],
    ['-1/0', '-inf'],
    ['0/0', 'nan'],
    ['4/2', '2'],
    ['1/3', '0.33333333333333'],
    ['2/3', '0.66666666666667'],
    ['1e100', '1e+100'],
    ['1.5e-7', '1.5e-07'],
    ['0.0001', '0.0001'],
    ['12345678901230.4', '12345678901230'],
    ['123456.789', '123456.789'],
    ['2^53 - 1', '9007199254740991'],
    ['2^64', '1.844674407371e+19'],
    ['1 .. "" .. 2.5', '12.5'],
  ]) {
    assert.equal(session.run(`print(${expression})`), `${text}\n`, expression);
  }
});
