/** The bounds that packet-bricks had by accident: what works now, and how the rest is refused. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { comparePartition } from '../../src/capture/compare.ts';
import { loadBinding } from '../../src/native/load.ts';
import { type LiveSession, useLiveSession } from '../support/live-session.ts';
import { useWorld } from './world.ts';

const { kEnginesMax = 0, kNameMax = 0, kOutletsMax = 0 } = loadBinding().limits();

function useBalancer(t: TestContext): LiveSession {
  const session = useLiveSession(t);
  session.traffic('in.pcap', 30);
  session.run(`
    lb = Brick.new("LoadBalancer") lb:connect_input("pcap:${session.path('in.pcap')}")
    pe = PktEngine.new("limits")`);
  return session;
}

test('names of 255 bytes work, of 256 are refused by name, with the limit', (t) => {
  const session = useBalancer(t);
  assert.equal(kNameMax, 255);
  session.run(`
    engine = ("e"):rep(255) pipe = ("p"):rep(253) .. "{0" label = "null:" .. ("n"):rep(250)
    long = PktEngine.new(engine)
    assert(PktEngine.retrieve(engine) == long)
    lb:connect_output(pipe, label) long:link(lb)
    assert(BRICKS.status().engines[2].name == engine)
    assert(BRICKS.status().engines[2].outputs[1].name == pipe)`);
  for (const call of [
    'PktEngine.new(engine .. "e")',
    'lb:connect_output("p" .. pipe)',
    'lb:connect_output(label .. "n")',
    'lb:connect_outputs(("p"):rep(254), 1)',
    'lb:connect_input("pcap:" .. ("f"):rep(251))',
  ]) {
    assert.match(session.fault(call), /^invalid_\w+: .*\b256\b|\b255\b/s, call);
  }
});

test('interface names are used whole: enp4s0f0{10 is no other pipe and no interface', (t) => {
  const session = useBalancer(t);
  session.run(`
    lb:connect_output("enp4s0f0{0", "enp4s0f0{1", "enp4s0f0{10") pe:link(lb)
    local rows = BRICKS.status().engines[1].outputs
    assert(#rows == 3)
    for i, name in ipairs { "enp4s0f0{0", "enp4s0f0{1", "enp4s0f0{10" } do
      assert(rows[i].name == name and rows[i].slots > 0, rows[i].name)
    end`);
  // The kernel has no names so long, and nothing is made of their beginning.
  const fault = session.fault('lb:connect_output("packet:nameof16bytes123")');
  assert.match(fault, /^no_such_interface: .*"nameof16bytes123"/);
});

test('thirty outputs, and a thousand; more than the limit is refused', (t) => {
  const session = useBalancer(t);
  const input = session.records('in.pcap');
  session.run(`
    for i = 0, 29 do lb:connect_output("pcap:${session.folder}/out-" .. i .. ".pcap") end
    pe:link(lb) pe:start() assert(pe:wait(50)) pe:stop() pe:unlink()`);
  const outputs = Array.from({ length: 30 }, (_, i) => session.records(`out-${i}.pcap`));
  const report = comparePartition(input, outputs);
  assert.equal(report.missing + report.foreign + report.splitFlows, 0, report.faults.join('\n'));

  session.run(`
    for _, kind in ipairs { "LoadBalancer", "Duplicator" } do
      local many = Brick.new(kind) many:connect_input("gen:60?flows=5000")
      for _ = 1, 999 do many:connect_output("null:") end
      many:connect_outputs("pipe", 1)
      pe:link(many) pe:start() moves(pe)
      local outputs = pe:stats().outputs
      assert(#outputs == 1000 and outputs[1000].name == "pipe{0", #outputs)
      pe:stop() assert(BRICKS.ledger().difference == 0)
      pe:unlink()
    end`);
  const tooMany = `
    lb = Brick.new("LoadBalancer") lb:connect_input("gen:60")
    for i = 1, ${kOutletsMax + 1} do lb:connect_output("null:") end pe:link(lb)`;
  assert.match(session.fault(tooMany), new RegExp(`invalid_graph: .*${kOutletsMax}`));
  assert.match(session.fault('lb:connect_outputs("eth3", 5000)'), /split.* 4096/);
});

test('a thousand pipes', (t) => {
  const session = useBalancer(t);
  session.run('lb:connect_outputs("many", 1000) pe:link(lb)');
  assert.equal(session.run('print(#BRICKS.status().engines[1].outputs)'), '1000\n');
});

test('64 engines run at once; one more than the limit is refused', (t) => {
  const session = useLiveSession(t);
  session.run(`
    for i = 1, 64 do
      local b = Brick.new("Dummy") b:connect_input("gen:60?count=1000") b:connect_output("null:")
      PktEngine.new("e" .. i):link(b):start()
    end
    for i = 1, 64 do assert(PktEngine.retrieve("e" .. i):wait(50)) end
    local stats = BRICKS.stats()
    assert(#stats.engines == 64 and stats.total.packets == 64000, stats.total.packets)
    assert(BRICKS.ledger().difference == 0)`);
  assert.ok(kEnginesMax >= 64);
  const tooMany = `for i = 1, ${kEnginesMax} do PktEngine.new("more" .. i) end`;
  assert.match(session.fault(tooMany), new RegExp(`limit_reached: .*${kEnginesMax}`));
});

/** Lua of at least so many bytes that ends by printing how many lines it had. */
function bigScript(bytes: number): string {
  const line = 'n = (n or 0) + 1 -- a line as long as lines are in scripts that programs write\n';
  return `${line.repeat(Math.ceil(bytes / line.length))}print(n)\n`;
}

test('scripts of 10 MB work from a file; through the shell too, or are refused', async (t) => {
  const world = useWorld(t);
  const script = bigScript(10_000_000);
  const lines = `${script.split('\n').length - 2}\n`;
  const home = await world.run('bricks', ['-f', world.file('big.lua', script)]);
  assert.deepEqual([home.code, home.stdout], [0, lines], home.stderr);

  assert.equal((await world.run('bricks-server', [])).code, 0);
  const shell = await world.run('bricks-shell', [], script);
  if (shell.code === 0) {
    assert.equal(shell.stdout, lines);
  } else {
    assert.match(shell.stderr, /^bricks: .*\b\d+ (MB|MiB|bytes)\b/);
  }
  // Whatever came of it, the daemon answers.
  const after = await world.run('bricks-shell', ['-c', '1 + 1']);
  assert.deepEqual([after.code, after.stdout], [0, '2\n'], after.stderr);
});
