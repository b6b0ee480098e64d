import assert from 'node:assert/strict';
import { test } from 'node:test';
import { graphOf, LuaSession, linked } from '../support/lua-session.ts';

const dashes = (count: number): string => '-'.repeat(count);

test('what packet-bricks printed is printed to the letter', () => {
  const session = linked();
  assert.equal(
    session.run('BRICKS.help() PktEngine.help() Brick.help()'),
    [
      'BRICKS Commands:',
      '    help()',
      '    print_status()',
      '    show_stats()',
      '    shutdown()',
      '  Available subsystems within BRICKS have their own help() methods:',
      '    PktEngine ',
      'Packet Engine Commands:',
      '    help()',
      '    new(<ioengine_name>, <queue_sz>, <cpu number>)',
      '    delete()',
      '    link(<brick>, <chunk_size>, <qid>)',
      '    start()',
      '    stop()',
      '    show_stats()',
      'LoadBalance/Duplicator/Merge/Filter/Dummy/? Commands:',
      '    help()',
      '    new([<split-mode>])',
      '    connect_input(<interfaces>)',
      '    connect_output(<interfaces>)',
      '    connect_outputs(<interface>, split)',
      '',
    ].join('\n'),
  );
  assert.equal(
    session.run('BRICKS.print_status() BRICKS:print_status()'),
    'BRICKS is offline.\n'.repeat(2),
  );
  assert.equal(session.run('pe:start() BRICKS.print_status()'), 'BRICKS is online.\n');
  assert.equal(
    session.run('io.write(tostring(pe))'),
    'PktEngine:\n\tName: e0\n\tType: netmap\n\tBatch: 128\n',
  );
  assert.equal(session.run('io.write(tostring(lb))'), 'LoadBalancer:\n\tSource: eth3\n');
});

test('show_stats: an engine, with colon and dot, and all of them', () => {
  const session = linked();
  const cell = { packets: 7, bytes: 420, delivered: 0, deliveredBytes: 0, copies: 0, held: 0 };
  session.binding.engines.get('e0')?.cells.set('eth3', { ...cell, dropped: { kernel: 2 } });
  const counts = 'Byte count: 420\nPacket count: 7\nPacket drop count: 2\n';
  const one = `${dashes(10)} ENGINE (e0) STATS${dashes(12)}\n${counts}${dashes(40)}\n\n`;
  assert.equal(session.run('pe:show_stats() pe.show_stats()'), one + one);
  assert.equal(
    session.run('BRICKS.show_stats()'),
    [
      `${dashes(41)} ENGINE STATISTICS ${dashes(44)}`,
      'Engine \t\t Packet Cnt \t\t    Byte Cnt \t\t Packet Drop',
      'e0 \t\t          7 \t\t         420 \t\t           2',
      '='.repeat(104),
      'Total \t\t          7 \t\t         420',
      `${dashes(104)}\n\n\n`,
    ].join('\n'),
  );
  assert.equal(session.run('print(pe:stats().packets, BRICKS.stats().total.dropped)'), '7\t2\n');
  assert.equal(session.run('print(BRICKS.ledger().difference)'), '5\n');
  assert.equal(
    session.run('print(BRICKS.status().engines[1].graph[1])'),
    'eth3 -> LoadBalancer-1\n',
  );
});

test('handles are userdata of their class, which is a module too', () => {
  const session = linked();
  const code = `
    print(type(pe), type(lb), getmetatable(pe) == PktEngine, getmetatable(lb) == Brick)
    print(require("BRICKS") == BRICKS, package.loaded.Brick == Brick, BRICKS._VERSION)
    print(PktEngine.retrieve("e0") == pe, PktEngine.retrieve("none"))
    print(lb:connect_output("a{0") == lb)
    function PktEngine.mine(self) return "mine" end
    print(pe:mine(), pe.nothing)
    PktEngine = nil
    print(pe:stats().name)
  `;
  assert.equal(
    session.run(code),
    'userdata\tuserdata\ttrue\ttrue\ntrue\ttrue\tBRICKS-0.5-beta\n' +
      'true\tnone\ntrue\nmine\tnil\ne0\n',
  );
});

test('a name that is taken gives a handle to the same engine', () => {
  const session = linked();
  session.run('again = PktEngine.new("e0", 5, 7)');
  assert.match(session.stderr, /"e0" already exists/);
  assert.equal(session.run('print(again == pe)'), 'true\n');
  assert.equal(session.binding.engines.get('e0')?.options.cpu, undefined);
});

test('arguments of new and link reach the engine; too large a batch means the largest', () => {
  const session = new LuaSession();
  session.run('pe = PktEngine.new("e1", "1024", "3", { shared = true, pipe_slots = 64 })');
  const engine = session.binding.engines.get('e1');
  assert.deepEqual(engine?.options, { cpu: 3, shared: true, pipeSlots: 64 });
  session.run(
    'b = Brick.new("Dummy"):connect_input("x"):connect_output("x{0") pe:link(b, 1024, 2)',
  );
  const options = { cpu: 3, shared: true, pipeSlots: 64, batch: 256, queue: 2 };
  assert.deepEqual(session.binding.engines.get('e1')?.options, options);
  assert.match(
    session.fault('PktEngine.new("e2", 1, -1, { slots = 1 })'),
    /no option "slots"; options: shared/,
  );
  assert.match(
    session.fault('PktEngine.new("e2", 1, -1, { shared = 1 })'),
    /option shared must be true or false, got 1/,
  );
  assert.match(
    session.fault('PktEngine.new("e2", 1, -1, { pipe_slots = 17 })'),
    /pipe_slots must be a power of two from 16 to 65536, got 17/,
  );
  assert.match(session.fault('PktEngine.new("e2", 1, -1, { batch = 0 })'), /at least 1, got 0/);
  assert.match(session.fault('pe:link(b, 0)'), /argument #2 \(batch\) must be at least 1/);
  assert.equal(session.binding.engines.has('e2'), false);
});

test('connect_input and connect_output add or replace as the kind always did', () => {
  const session = new LuaSession();
  session.run(`
    pe = PktEngine.new("e0")
    mrg = Brick.new("Merge")
    mrg:connect_input("a", "b") mrg:connect_input("c")
    mrg:connect_output("x{0") mrg:connect_output("x{1", "x{2")
    lb = Brick.new("LoadBalancer")
    lb:connect_input("d") lb:connect_input("e", "f")
    lb:connect_outputs("y", "2") lb:connect_outputs("z", 2.0) lb:connect_outputs("z")
    lb:connect_output("w{0")
    pe:link(mrg) pe:link(lb)
  `);
  assert.match(session.stderr, /Merge-1 takes one output, x\{1; ignored: x\{2/);
  assert.deepEqual(graphOf(session), [
    'a -> Merge-1',
    'b -> Merge-1',
    'c -> Merge-1',
    'e -> LoadBalancer-1',
    'Merge-1.0 -> x{1',
    'LoadBalancer-1.0 -> y{0',
    'LoadBalancer-1.1 -> y{1',
    'LoadBalancer-1.2 -> z{0',
    'LoadBalancer-1.3 -> z{1',
    'LoadBalancer-1.4 -> w{0',
  ]);
});

test('split mode, options, get and set', () => {
  const session = new LuaSession();
  const code = `
    for _, split in ipairs{ 2, "2", 4, 7, -1 } do
      io.write(Brick.new("LoadBalancer", split):get().tuple, " ")
    end
    local two = Brick.new("LoadBalancer", { tuple = 2 })
    print(Brick.new("LoadBalancer"):get().tuple, two:get().tuple)
    f = Brick.new("Filter", 2)
    print(f:get().expression, f:set{ expression = "tcp" }:get().expression)
  `;
  assert.equal(session.run(code), '2 2 4 4 4 4\t2\n\ttcp\n');
  assert.match(session.fault('f:set{ expresion = "x" }'), /no option "expresion"/);
  assert.match(
    session.fault('Brick.new("LoadBalancer", "x")'),
    /argument #2 \(split\) must be 2, 4 or a table/,
  );
  assert.match(
    session.fault('f:set{ expression = print }'),
    /option expression must be .* got a function/,
  );
});

test('bricks are linked in any order; what hung behind a child stays there', () => {
  const session = new LuaSession();
  session.run(`
    lb = Brick.new("LoadBalancer"):connect_input("x"):connect_outputs("x", 2)
    mrg = Brick.new("Merge"):connect_input("x}0", "x}1"):connect_output("x{2")
    pw = Brick.new("PcapWriter"):connect_input("x}2"):connect_output("out.pcap")
    mrg:link(pw) lb:link(mrg)
    PktEngine.new("e0"):link(lb)
  `);
  assert.equal(graphOf(session).at(-1), 'PcapWriter-1.0 -> pcap:out.pcap');
});

test('a running engine follows every change, and unlink', () => {
  const session = linked();
  session.run('pe:start() lb:connect_output("eth3{2") lb:disconnect_output("eth3{0")');
  assert.deepEqual(graphOf(session).slice(1), [
    'LoadBalancer-1.0 -> eth3{1',
    'LoadBalancer-1.1 -> eth3{2',
  ]);
  session.run(
    'f = Brick.new("Filter"):connect_input("eth3}2"):connect_output("eth3{9") lb:link(f)',
  );
  assert.equal(graphOf(session).at(-1), 'Filter-1.0 -> eth3{9');
  session.run('f:set{ expression = "udp" } pe:unlink(f)');
  assert.equal(graphOf(session).length, 3);
  session.run('lb:link(f) pe:unlink()');
  assert.deepEqual(graphOf(session), []);
  session.run('pe:link(lb)');
  assert.equal(graphOf(session).at(-1), 'Filter-1.0 -> eth3{9');
});

test('wait: true when drained, false when the time is over, an error when interrupted', () => {
  const session = linked();
  session.run('pe:start()');
  assert.equal(session.run('print(pe:wait(0))'), 'false\n');
  session.binding.waits = 3;
  assert.equal(session.run('print(pe:wait())'), 'true\n');
});

test('errors are text with a place; pcall sees them, and the code survives a rethrow', () => {
  const session = linked();
  const code =
    'local ok, message = pcall(function() return Brick.new("X") end) ' +
    'print(ok, type(message), message)';
  assert.match(session.run(code), /^false\tstring\ttest:1: there is no brick "X"; kinds/);
  const rethrown = 'local ok, message = pcall(Brick.new, "X") error(message)';
  assert.match(session.fault(rethrown), /^unknown_brick: test:1: there is no brick/);
  assert.match(session.fault('local t = nil; t.x = 1'), /^script_failed: test:1: attempt to index/);
  assert.match(
    session.fault('local function f() error("deep") end f()'),
    /deep\nstack traceback:\n[\s\S]*test:1: in main chunk/,
  );
});

test('Brick.types and Brick.help come from the kinds', () => {
  const session = new LuaSession();
  assert.equal(
    session.run('print(#Brick.types(), Brick.types()[1].name, Brick.types()[1].options[1].name)'),
    '7\tLoadBalancer\ttuple\n',
  );
  assert.match(
    session.run('Brick.help("LoadBalancer")'),
    /tuple = integer 2\.\.4 \(default 4\): 2: addresses/,
  );
  assert.match(session.run('PktEngine.help("link")'), /^pe:link\(brick \[, batch \[, qid\]\]\)\n/);
});
