/** The notation of the golden cases, against bytes written down by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flowOf } from '../../../src/capture/flow.ts';
import { parseCase, withExpectation } from '../../support/golden-case.ts';
import { frameOf } from '../../support/packet-notation.ts';

const flow = (line: string) =>
  flowOf({ timestampNs: 0n, linkType: 1, data: frameOf(line, 1), wireLength: 0 });

test('a line becomes the frame it names', () => {
  const frame = frameOf('udp 10.0.0.1:53 > 10.0.0.2:4000 len 4 vlan 7,5 id 2', 1);
  assert.equal(
    frame.subarray(0, 50).toString('hex'),
    '02000a000002' + // to
      '02000a000001' + // from
      '88a80007' + // outer tag
      '81000005' + // inner tag
      '0800' +
      '45000020000200004011' + // 32 bytes, id 2, UDP
      '66c9' + // 0x4500 + 0x20 + 0x2 + 0x4011 + 0xa00 + 0x1 + 0xa00 + 0x2 = 0x9936, inverted
      '0a0000010a000002' +
      '00350fa0000c' + // 53 > 4000, 12 bytes
      frame.subarray(48, 50).toString('hex'),
  );
  assert.equal(frame.length, 60);
});

test('both spellings of addresses, both directions, one flow', () => {
  const one = flow('tcp [2001:db8::1]:1000 > [2001:db8:0:0:0:0:0:2]:80');
  assert.ok(one?.startsWith('tcp '));
  assert.equal(flow('tcp [2001:db8::2]:80 > [2001:db8::1]:1000 vlan 3'), one);
  assert.notEqual(flow('udp [2001:db8::2]:80 > [2001:db8::1]:1000'), one);
});

test('a later fragment has no ports, an ARP no flow', () => {
  assert.equal(flow('udp 10.0.0.1 > 10.0.0.2 len 520 id 7 frag 1480'), undefined);
  assert.equal(flow('arp 10.0.0.1 > 10.0.0.2'), undefined);
  const fragment = frameOf('udp 10.0.0.1 > 10.0.0.2 len 520 id 7 frag 1480+', 1);
  assert.equal(fragment.readUInt16BE(20), 0x2000 | (1480 / 8));
  assert.equal(fragment.length, 14 + 20 + 520);
});

test('what is not understood is refused with its line', () => {
  for (const line of [
    'tcp 10.0.0.1:1 10.0.0.2:2',
    'tcp 10.0.0.1:1 > 10.0.0.256:2',
    'tcp 10.0.0.1:1 > 10.0.0.2:2 length 5',
    'quic 10.0.0.1:1 > 10.0.0.2:2',
    'udp [2001:db8]:1 > [2001:db8::1]:2',
  ])
    assert.throws(() => frameOf(line, 1), Error, line);
});

test('a case is read and its expectation rewritten', () => {
  const source = `Shows it.
--- graph
b:connect_output(output("x"), output("y"))
--- packets in
# a remark
arp 10.0.0.1 > 10.0.0.2
--- expect
x: 1
`;
  const golden = parseCase(source);
  assert.deepEqual(golden.outputs, ['x', 'y']);
  assert.deepEqual([...golden.inputs], [['in', ['arp 10.0.0.1 > 10.0.0.2']]]);
  assert.equal(golden.expectation, 'x: 1');
  const rewritten = withExpectation(source, 'x:\ny: 1');
  assert.equal(parseCase(rewritten).expectation, 'x:\ny: 1');
  assert.equal(rewritten.split('--- expect')[0], source.split('--- expect')[0]);
});
