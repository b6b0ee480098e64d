/** Bad input: a clear message, the documented exit code, nothing half done. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { comparePartition } from '../../src/capture/compare.ts';
import { readCapture } from '../../src/capture/read.ts';
import { makeTraffic, pcapOf } from '../../src/traffic/traffic.ts';
import { useWorld } from './world.ts';

const capture = pcapOf(makeTraffic({ seed: 5, flows: 20 }));

const graph = (input: string, output = 'null:'): string => `
lb = Brick.new("LoadBalancer")
lb:connect_input("${input}")
lb:connect_output("${output}")
pe = PktEngine.new("e0")
`;

for (const [what, script, exit, message] of [
  ['no such capture', `${graph('pcap:nowhere.pcap')}pe:link(lb)`, 6, /nowhere\.pcap/],
  ['not a capture', `${graph('pcap:start.lua')}pe:link(lb)`, 3, /start\.lua/],
  ['no such interface', `${graph('packet:nosuch0')}pe:link(lb)`, 6, /nosuch0/],
  ['a port name without sense', `${graph('pcapp:x')}pe:link(lb)`, 3, /pcapp/],
  ['a pipe name without sense', `${graph('null:', 'x{y')}pe:link(lb)`, 3, /x\{y/],
  ['a port that cannot be an input', `${graph('null:')}pe:link(lb)`, 3, /null:/],
  ['a syntax error', 'local = 5', 3, /start\.lua:1:/],
  ['an unknown brick', 'Brick.new("Balancer")', 3, /Balancer.*LoadBalancer/s],
  ['a wrong argument', 'Brick.new({})', 3, /Brick\.new/],
  ['an option out of range', 'Brick.new("LoadBalancer", {tuple = 9})', 3, /tuple/],
  ['an unknown option', 'Brick.new("LoadBalancer", {tupple = 2})', 3, /tupple/],
  ['linking twice', `${graph('gen:60')}pe:link(lb) pe:link(lb)`, 7, /link/],
  ['starting twice', `${graph('gen:60')}pe:link(lb) pe:start() pe:start()`, 7, /running/],
  ['starting before linking', `${graph('gen:60')}pe:start()`, 7, /link/],
  ['a plain Lua error', 'nothing.at.all()', 1, /nothing/],
] as const) {
  test(`a script with ${what}: exit code ${exit}`, async (t) => {
    const world = useWorld(t);
    const path = world.file('start.lua', script);
    const ended = await world.run('bricks', ['-f', path], 'print("not reached")');
    assert.equal(ended.code, exit, ended.stderr);
    assert.match(ended.stderr, message);
    assert.match(ended.stderr, /^bricks: /);
    assert.equal(ended.stdout, '');
    assert.doesNotMatch(ended.stderr, /\.js:\d+/, 'a stack trace of ours');
    assert.deepEqual(readdirSync(world.runDir), []);
  });
}

test('an error that the script catches has changed nothing', async (t) => {
  const world = useWorld(t);
  const script = `${graph('pcap:nowhere.pcap')}
    print(pcall(function() pe:link(lb) end))
    print(select("#", pe:stats()))
    ok = Brick.new("LoadBalancer")
    ok:connect_input("gen:60?count=10")
    ok:connect_output("null:")
    pe:link(ok) pe:start() print(pe:wait(30))`;
  const { code, stdout, stderr } = await world.run('bricks', ['-f', world.file('s.lua', script)]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^false\t.*nowhere\.pcap.*\n1\ntrue\n$/s);
});

test('a truncated capture: what is whole is delivered, then a warning, exit code 0', async (t) => {
  const world = useWorld(t);
  world.file('cut.pcap', capture.subarray(0, capture.length - 7));
  const script = `${graph('pcap:cut.pcap', 'pcap:out.pcap')}
    pe:link(lb) pe:start() pe:wait()`;
  const { code, stderr } = await world.run('bricks', ['-f', world.file('s.lua', script)]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^bricks: warning: .*cut\.pcap/);
  const input = readCapture(`${world.folder}/cut.pcap`);
  assert.ok(input.damage !== undefined);
  const output = readCapture(`${world.folder}/out.pcap`);
  assert.ok(comparePartition(input.records, [output.records]).ok);
});

for (const [args, exit, message] of [
  [['-x'], 2, /'-x'/],
  [['-d', '-s'], 2, /cannot be combined/],
  [['-f'], 2, /-f/],
  [['script.lua'], 2, /no command 'script\.lua'/],
  [['frobnicate'], 2, /frobnicate/],
  [['status', 'now'], 2, /'now'/],
  [['stats', '--watch', 'often'], 2, /often/],
  [['-f', 'nowhere.lua'], 6, /nowhere\.lua/],
  [['-d', '-f', 'nowhere.lua'], 6, /nowhere\.lua/],
  [['load-balance', 'eth3'], 2, /2 arguments/],
  [['duplicate', 'eth3', 'many'], 2, /many/],
  [['load-balance', 'nosuch0', '2'], 6, /nosuch0/],
] as const) {
  test(`bricks ${args.join(' ')}: exit code ${exit}`, async (t) => {
    const world = useWorld(t);
    const ended = await world.run('bricks', args);
    assert.equal(ended.code, exit, ended.stderr);
    assert.match(ended.stderr, message);
    assert.match(ended.stderr, /^bricks: /);
    assert.equal(ended.stdout, '');
    assert.equal(world.daemonPid, undefined);
  });
}

test('help goes to stdout, exit code 0', async (t) => {
  const world = useWorld(t);
  for (const args of [['-h'], ['help'], ['status', '-h'], ['help', 'ledger']]) {
    const { code, stdout, stderr } = await world.run('bricks', args);
    assert.deepEqual([code, stderr], [0, ''], args.join(' '));
    assert.match(stdout, /^Usage: bricks/);
  }
  const { stdout } = await world.run('bricks', ['version']);
  assert.match(stdout, /^bricks \d+\.\d+\.\d+\n$/);
});

const isRoot = process.getuid?.() === 0;
test('no permission for packets: 5', {
  skip: !isRoot && 'only root can give rights up',
}, async (t) => {
  const world = useWorld(t);
  const script = world.file('start.lua', `${graph('packet:lo')}pe:link(lb)`);
  // Everything root may do but open raw sockets.
  const { code, stderr } = await world.runWithout('net_raw', 'bricks', ['-f', script]);
  assert.equal(code, 5, stderr);
  assert.match(stderr, /^bricks: /);
});
