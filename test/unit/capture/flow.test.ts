import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FlowOptions, flowOf, membershipsOf, sightingOf } from '../../../src/capture/flow.ts';
import { ethernet, type Host, ip, protocols, tcp, udp } from '../../../src/traffic/frames.ts';

const a4: Host = { mac: Buffer.alloc(6, 2), address: Buffer.from([10, 0, 0, 1]), port: 4000 };
const b4: Host = { mac: Buffer.alloc(6, 4), address: Buffer.from([192, 0, 2, 9]), port: 443 };
const a6 = { ...a4, address: Buffer.from('20010db8000000000000000000000001', 'hex') };
const b6 = { ...b4, address: Buffer.from('20010db8000000000000000000000002', 'hex') };
const segment = { sequence: 1, acknowledgment: 0, flags: 2, payload: Buffer.alloc(0) };

function record(linkType: number, data: Buffer) {
  return { linkType, data, timestampNs: 0n, wireLength: data.length };
}

test('both directions are one flow, under every link type and VLAN tag', () => {
  const there = ip(a4, b4, protocols.tcp, tcp(a4, b4, segment));
  const back = ip(b4, a4, protocols.tcp, tcp(b4, a4, segment));
  const expected = 'tcp 0a000001.4000 c0000209.443';
  const family = Buffer.from([2, 0, 0, 0]);
  const cooked = Buffer.from('00000001000602020202020200000800', 'hex');
  const cooked2 = Buffer.from('0800000000000001000100060202020202020000', 'hex');
  for (const packet of [there, back]) {
    for (const [linkType, data] of [
      [1, ethernet(a4, b4, 0x0800, [], packet)],
      [1, ethernet(a4, b4, 0x0800, [7], packet)],
      [1, ethernet(a4, b4, 0x0800, [7, 8], packet)],
      [101, packet],
      [228, packet],
      [0, Buffer.concat([family, packet])],
      [108, Buffer.concat([family, packet])],
      [113, Buffer.concat([cooked, packet])],
      [276, Buffer.concat([cooked2, packet])],
    ] as const) {
      assert.equal(flowOf(record(linkType, data)), expected, `link type ${linkType}`);
    }
  }
});

test("a frame says of which VLANs and tunnels' networks it is", () => {
  const inner = ip(a4, b4, protocols.tcp, tcp(a4, b4, segment));
  const vxlan = (network: number): Buffer => {
    const header = Buffer.from([8, 0, 0, 0, 0, 0, 0, 0]);
    header.writeUIntBE(network, 4, 3);
    const payload = Buffer.concat([header, ethernet(a4, b4, 0x0800, [9], inner)]);
    return ip(a4, b4, protocols.udp, udp(a4, { ...b4, port: 4789 }, payload));
  };
  for (const [tenants, packet] of [
    ['', ethernet(a4, b4, 0x0800, [], inner)],
    ['', ethernet(a4, b4, 0x0800, [0], inner)], // a priority, no VLAN
    [' vlan 7', ethernet(a4, b4, 0x0800, [7], inner)],
    [' vlan 7 vlan 8', ethernet(a4, b4, 0x0800, [7, 8], inner)],
    [' vlan 7 vni 70000 vlan 9', ethernet(a4, b4, 0x0800, [7], vxlan(70000))],
    [' vlan 9', ethernet(a4, b4, 0x0800, [], vxlan(0))],
  ] as const) {
    assert.equal(sightingOf(record(1, packet))?.tenants, tenants);
  }
});

test('IPv6, with and without extension headers', () => {
  const datagram = udp(a6, b6, Buffer.from('hello'));
  const expected = 'udp 20010db8000000000000000000000001.4000 20010db8000000000000000000000002.443';
  assert.equal(flowOf(record(229, ip(a6, b6, protocols.udp, datagram))), expected);
  const options = Buffer.from([protocols.udp, 1, ...Array<number>(14).fill(0)]);
  const hopByHop = Buffer.concat([Buffer.from([60, 0, 1, 4, 0, 0, 0, 0]), options, datagram]);
  assert.equal(flowOf(record(229, ip(a6, b6, 0, hopByHop))), expected);
});

test('fragments have a flow only when asked: that of their datagram, or of its first', () => {
  for (const [a, b] of [
    [a4, b4],
    [a6, b6],
  ] as const) {
    const datagram = udp(a, b, Buffer.alloc(64));
    const first = ip(a, b, protocols.udp, datagram.subarray(0, 32), { id: 5, moreFragments: true });
    const last = ip(a, b, protocols.udp, datagram.subarray(32), { id: 5, fragmentOffset: 32 });
    const other = ip(a, b, protocols.udp, datagram.subarray(32), { id: 6, fragmentOffset: 32 });
    const whole = ip(b, a, protocols.udp, udp(b, a, Buffer.alloc(4)));
    const flows = (options: FlowOptions, ...packets: Buffer[]) =>
      membershipsOf(
        packets.map((packet) => record(101, packet)),
        options,
      ).map((member) => member?.flow);
    assert.deepEqual(flows({}, first, last), [undefined, undefined]);
    const [apart, strange] = flows({ fragments: true }, last, other);
    assert.ok(apart && strange && apart !== strange);
    for (const order of [
      [first, last, whole],
      [last, whole, first],
    ]) {
      const names = flows({ fragments: true }, ...order);
      assert.deepEqual(new Set(names).size, 1, names.join());
      assert.match(names[0] ?? '', /^udp /);
    }
  }
});

test('no prefix of a frame makes it fail', () => {
  const v6 = ip(
    a6,
    b6,
    0,
    Buffer.from([60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
  );
  for (const data of [
    ethernet(a4, b4, 0x0800, [7], ip(a4, b4, protocols.tcp, tcp(a4, b4, segment))),
    ethernet(a6, b6, 0x86dd, [], v6),
  ]) {
    let keyed = 0;
    for (const linkType of [0, 1, 101, 108, 113, 147, 276]) {
      for (let length = 0; length <= data.length; length++) {
        keyed += flowOf(record(linkType, data.subarray(0, length))) === undefined ? 0 : 1;
      }
    }
    assert.ok(keyed > 0);
  }
});
