import assert from 'node:assert/strict';
import { test } from 'node:test';
import { graphOf, linked } from '../support/lua-session.ts';

test('what fails changes nothing', () => {
  const session = linked();
  session.binding.missing.add('pcap:gone.pcap');
  const before = graphOf(session);
  const faults: readonly (readonly [string, RegExp])[] = [
    [
      'lb:connect_output("eth3{0")',
      /^invalid_graph: .*eth3\{0 is an output twice of LoadBalancer-1/,
    ],
    ['lb:connect_input("pcap:gone.pcap")', /^no_such_file: .*pcap:gone.pcap/],
    ['lb:link(Brick.new("Dummy"):connect_input("q}1"):connect_output("q{2"))', /nobody's output/],
    [
      'b1 = Brick.new("Dummy") b2 = Brick.new("Dummy") lb:link(b1, b2, b1)',
      /^already_exists: .*named twice/,
    ],
    ['lb:link(lb)', /^invalid_graph: .*cannot be linked to itself/],
    ['pe:link(lb)', /^already_exists: .*already linked to engine "e0"/],
    ['PktEngine.new("e9"):link(lb)', /^already_exists: .*already linked to engine "e0"/],
    ['lb:disconnect_output("nope")', /^invalid_argument: .*outputs: eth3\{0, eth3\{1/],
    ['lb:connect_output(("x"):rep(256))', /^invalid_port_name: .*256 bytes long; 1 to 255/],
    ['lb:connect_output()', /argument #1 \(names\) must be text, got nothing/],
    ['lb:connect_output("ok{1", {})', /argument #2 \(names\) must be text, got a table/],
    ['lb:connect_outputs("x", 4097)', /whole number/],
    ['lb:connect_outputs("x", 2.5)', /argument #2 \(split\) must be a whole number/],
    ['pe:link(pe)', /must be a brick.*got an engine/],
    ['pe:link(42)', /must be a brick.*got 42/],
    ['PktEngine.new()', /argument #1 \(name\) must be text, got nothing; example: pe = /],
    ['PktEngine.new("")', /1 to 255 bytes, got 0/],
    [
      'PktEngine.new("e7", 1, 4000)',
      /argument #3 \(cpu\) must be a whole number from -1 to 1023, got 4000/,
    ],
    ['Brick.new("Nope")', /^unknown_brick: .*kinds: LoadBalancer, Duplicator/],
    ['Brick.new(nil)', /must be text, got nothing/],
    ['Brick.help("nope")', /nothing is called "nope"/],
    ['pe.start()', /with a colon: pe:start\(\.\.\.\); got nothing/],
    ['lb.start(lb)', /attempt to call a nil value \(field 'start'\)/],
    ['PktEngine.start(lb)', /must be called on an engine.*got a brick/],
    ['pe:unlink(Brick.new("Dummy"))', /^not_linked: .*is not linked to engine "e0"/],
    ['pe:stop()', /^not_running: /],
    ['PktEngine.new("e8"):start()', /^not_linked: .*link one first: pe:link/],
    ['PktEngine.new("e8"):unlink()', /^not_linked: /],
    ['pe:wait()', /^not_running: /],
    ['pe:wait("soon")', /argument #1 \(seconds\) must be a number, at least 0/],
  ];
  for (const [code, message] of faults) {
    assert.match(session.fault(code), message, code);
    assert.deepEqual(graphOf(session), before, code);
  }
  session.run('print(tostring(lb))');
  assert.equal(session.stdout, 'LoadBalancer:\n\tSource: eth3\n\n');
});

test('start, stop and delete at the wrong time; a deleted engine is but a name', () => {
  const session = linked();
  session.run('pe:start()');
  assert.match(session.fault('pe:start()'), /^already_running: .*already running/);
  assert.match(session.fault('pe:delete()'), /^already_running: .*stop it before/);
  assert.match(
    session.fault('pe:link(Brick.new("Dummy"):connect_input("q"):connect_output("q{0"), 64)'),
    /batch and queue cannot change/,
  );
  session.run('pe:stop() pe:delete()');
  assert.match(session.fault('pe:start()'), /^no_such_engine: .*PktEngine.new\("e0"\)/);
  assert.match(session.fault('pe:show_stats()'), /^no_such_engine: /);
  session.run('pe = PktEngine.new("e0") pe:link(lb) pe:start()');
  assert.equal(session.binding.engines.get('e0')?.running, true);
});

test('an engine that is made anew for its batch comes back as it was when that fails', () => {
  const session = linked();
  session.binding.missing.add('gone');
  const before = graphOf(session);
  const code = 'pe:link(Brick.new("Dummy"):connect_input("gone"):connect_output("q{0"), 64)';
  assert.match(session.fault(code), /^no_such_file/);
  assert.deepEqual(graphOf(session), before);
  assert.deepEqual(session.binding.engines.get('e0')?.options, {});
});
