import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BricksError } from '../../../src/errors.ts';
import { arrows } from '../../../src/flow/arrows.ts';
import { type Brick, BrickMaker } from '../../../src/flow/brick.ts';
import { resolve } from '../../../src/flow/resolve.ts';
import { graphRules } from '../../../src/flow/rules.ts';
import { FakeBinding } from '../support/fake-binding.ts';

const rules = graphRules(new FakeBinding());

/** A maker of bricks with ids from 1: brick('Merge', ['a'], ['b']), children behind it. */
function maker(): (kind: string, inputs: string[], outputs: string[], ...below: Brick[]) => Brick {
  const bricks = new BrickMaker();
  return (kind, inputs, outputs, ...below) => {
    const brick = Object.assign(bricks.make(kind, {}), { inputs, outputs, children: below });
    for (const child of below) child.parent = brick;
    return brick;
  };
}

function faultOf(...roots: Brick[]): string {
  try {
    resolve(roots, rules);
  } catch (error) {
    assert.ok(error instanceof BricksError);
    return `${error.code}: ${error.message}`;
  }
  return assert.fail('this graph was accepted');
}

test('a root: inlets and outlets by name', () => {
  const brick = maker();
  const graph = resolve([brick('LoadBalancer', ['eth3'], ['eth3{0', 'eth3{1'])], rules);
  assert.deepEqual(arrows(graph), [
    'eth3 -> LoadBalancer-1',
    'LoadBalancer-1.0 -> eth3{0',
    'LoadBalancer-1.1 -> eth3{1',
  ]);
  assert.equal(graph.bricks[0]?.level, 1);
});

test('a Merge behind a LoadBalancer gets every branch; what is behind it gets it all', () => {
  const brick = maker();
  const writer = brick('PcapWriter', ['x}2'], ['out.pcap']);
  const merge = brick('Merge', ['x}0', 'netmap:x}1'], ['x{2'], writer);
  const graph = resolve([brick('LoadBalancer', ['x'], ['x{0', 'netmap:x{1'], merge)], rules);
  assert.deepEqual(arrows(graph), [
    'x -> LoadBalancer-1',
    'LoadBalancer-1.0 -> x{0 -> Merge-1',
    'LoadBalancer-1.1 -> netmap:x{1 -> Merge-1',
    'Merge-1.0 -> x{2 -> PcapWriter-1',
    'PcapWriter-1.0 -> pcap:out.pcap',
  ]);
  assert.deepEqual(
    graph.bricks.map((entry) => entry.level),
    [1, 2, 3],
  );
});

test('children of the root may feed each other, whoever was linked first', () => {
  const brick = maker();
  const last = brick('Filter', ['x}5'], ['x{6']);
  const middle = brick('Dummy', ['x}0'], ['x{5']);
  const graph = resolve([brick('Dummy', ['x'], ['x{0'], last, middle)], rules);
  assert.deepEqual(
    graph.bricks.map((entry) => [entry.id, entry.level]),
    [
      ['Dummy-2', 1],
      ['Filter-1', 3],
      ['Dummy-1', 2],
    ],
  );
});

test('names without braces chain children, and leave two bridging roots alone', () => {
  const brick = maker();
  const child = brick('Duplicator', ['eth4'], ['x{0', 'x{1']);
  const graph = resolve([brick('LoadBalancer', ['eth3'], ['eth4'], child)], rules);
  assert.equal(graph.bricks[0]?.outlets[0]?.brick, 1);
  const bridge = resolve(
    [brick('Dummy', ['eth0'], ['eth1']), brick('Dummy', ['eth1'], ['eth0'])],
    rules,
  );
  assert.equal(bridge.inlets.length, 2);
});

test('a second root reads the first one by pipe name', () => {
  const brick = maker();
  const graph = resolve(
    [brick('Dummy', ['x'], ['x{0']), brick('Merge', ['x}0', 'eth9'], ['x{1'])],
    rules,
  );
  assert.deepEqual(arrows(graph), [
    'x -> Dummy-1',
    'eth9 -> Merge-1',
    'Dummy-1.0 -> x{0 -> Merge-1',
    'Merge-1.0 -> x{1',
  ]);
});

test('PcapReader: the first plain name is a file, an interface beside it is not opened', () => {
  const brick = maker();
  const reader = brick('PcapReader', ['captures/', 'eth3', 'more.pcap', 'gen:60'], ['x{0']);
  const ports = resolve([reader], rules).inlets.map((inlet) => inlet.port);
  assert.deepEqual(ports, ['pcap:captures/', 'pcap:more.pcap', 'gen:60']);
});

test('an input that is nobody’s output is refused with the outputs there are', () => {
  const brick = maker();
  const root = brick('LoadBalancer', ['x'], ['x{0'], brick('Dummy', ['x}7'], ['x{8']));
  assert.match(faultOf(root), /^invalid_graph: Dummy-1: input x}7 is nobody's output.*x\{0/);
});

test('circles are refused, of one brick and of two', () => {
  const brick = maker();
  assert.match(faultOf(brick('Dummy', ['x}0'], ['x{0'])), /circle: Dummy-1/);
  const second = brick('Dummy', ['x}1'], ['x{2']);
  const first = brick('Merge', ['x}0', 'x}2'], ['x{1'], second);
  assert.match(faultOf(brick('Dummy', ['x'], ['x{0'], first)), /circle: Merge-1, Dummy-2/);
});

test('one output cannot feed two bricks, be there twice, or be an input', () => {
  const brick = maker();
  const twice = [brick('Dummy', ['x}0'], ['x{1']), brick('Filter', ['x}0'], ['x{2'])];
  assert.match(faultOf(brick('Dummy', ['x'], ['x{0'], ...twice)), /already feeds Dummy-1/);
  assert.match(faultOf(brick('Duplicator', ['x'], ['y{0', 'y{0'])), /twice of Duplicator-1/);
  assert.match(faultOf(brick('Dummy', ['eth0'], ['eth0'])), /round for ever/);
  const loop = [brick('Dummy', ['pcap:a'], ['x{1']), brick('Dummy', ['x'], ['pcap:a'])];
  assert.match(faultOf(...loop), /input pcap:a is an output of/);
  const same = [brick('Dummy', ['x'], ['x{1']), brick('Dummy', ['x'], ['x{2'])];
  assert.match(faultOf(...same), /input x is read by Dummy-\d+ too/);
});

test('every fault is named at once', () => {
  const brick = maker();
  const long = `${'n'.repeat(255)}}1`;
  const text = faultOf(
    brick('LoadBalancer', [], []),
    brick('Merge', ['x', ''], ['x{0', 'x{1']),
    brick('Dummy', [long], ['a b']),
  );
  assert.match(text, /^invalid_graph: the graph has \d faults:/);
  assert.match(text, /LoadBalancer-1: a LoadBalancer takes 1 to \d+ input\(s\), it has 0/);
  assert.match(text, /LoadBalancer-1: a LoadBalancer takes 1 to \d+ output\(s\), it has 0/);
  assert.match(text, /Merge-1: a Merge takes exactly 1 output\(s\), it has 2/);
  assert.match(text, /Merge-1: a port name is empty/);
  assert.match(text, /Dummy-1: the name n+\.\.\. is 257 bytes long; 1 to 255/);
  assert.match(text, /Dummy-1: the port name "a b" has a blank/);
});

test('only bad port names: the code says so', () => {
  const brick = maker();
  assert.match(faultOf(brick('Dummy', ['null:'], ['x{0'])), /^invalid_port_name: /);
});
