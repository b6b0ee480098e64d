import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flowOf } from '../../../src/capture/flow.ts';
import { parseCapture } from '../../../src/capture/read.ts';
import { checksum } from '../../../src/traffic/frames.ts';
import { makeTraffic, pcapOf } from '../../../src/traffic/traffic.ts';

const options = { seed: 11, flows: 300 };
const { records, damage } = parseCapture(pcapOf(makeTraffic(options)), 'made');

/** The IP packet inside, and how many VLAN tags it is behind. */
function unwrap(frame: Buffer): { etherType: number; tags: number; packet: Buffer } {
  let at = 12;
  while ([0x8100, 0x88a8].includes(frame.readUInt16BE(at))) {
    at += 4;
  }
  return { etherType: frame.readUInt16BE(at), tags: (at - 12) / 4, packet: frame.subarray(at + 2) };
}
const frames = records.map(({ data }) => unwrap(data));
const v4 = frames.filter(({ etherType }) => etherType === 0x0800).map(({ packet }) => packet);
const v6 = frames.filter(({ etherType }) => etherType === 0x86dd).map(({ packet }) => packet);

test('the same seed makes the same capture, another seed another', () => {
  const capture = pcapOf(makeTraffic(options));
  assert.ok(capture.equals(pcapOf(makeTraffic(options))));
  assert.ok(!capture.equals(pcapOf(makeTraffic({ ...options, seed: 12 }))));
});

test('it has what real traffic has', () => {
  assert.equal(damage, undefined);
  assert.ok(v6.length > 100 && v4.length > 500);
  for (const tags of [0, 1, 2]) {
    assert.ok(
      frames.some((frame) => frame.tags === tags),
      `no frame with ${tags} VLAN tags`,
    );
  }
  assert.ok(
    frames.some(({ etherType }) => etherType === 0x0806),
    'no ARP',
  );
  for (const protocol of [1, 6, 17]) {
    assert.ok(
      v4.some((packet) => packet.readUInt8(9) === protocol),
      `no protocol ${protocol}`,
    );
  }
  assert.ok(
    v4.some((packet) => (packet.readUInt16BE(6) & 0x1fff) > 0),
    'no IPv4 fragment',
  );
  assert.ok(
    v6.some((packet) => packet.readUInt8(6) === 44),
    'no IPv6 fragment',
  );
  const flags = new Set(
    v4.filter((packet) => packet.readUInt8(9) === 6).map((packet) => packet.readUInt8(33)),
  );
  for (const [name, value] of [
    ['SYN', 2],
    ['SYN ACK', 18],
    ['FIN ACK', 17],
    ['RST ACK', 20],
  ] as const) {
    assert.ok(flags.has(value), `no ${name}`);
  }
  assert.ok(new Set(records.map((record) => flowOf(record))).size > 200);
});

test('time never runs backwards', () => {
  for (const [index, record] of records.entries()) {
    assert.ok(index === 0 || record.timestampNs >= (records[index - 1]?.timestampNs ?? 0n));
  }
});

test('checksums are right', () => {
  let checked = 0;
  for (const packet of v4) {
    assert.equal(checksum(packet.subarray(0, 20)), 0, 'IPv4 header');
    const protocol = packet.readUInt8(9);
    const isFragment = (packet.readUInt16BE(6) & 0x3fff) !== 0;
    if (!isFragment && (protocol === 6 || protocol === 17)) {
      const segment = packet.subarray(20, packet.readUInt16BE(2));
      const pseudo = Buffer.alloc(4);
      pseudo.writeUInt8(protocol, 1);
      pseudo.writeUInt16BE(segment.length, 2);
      assert.equal(checksum(packet.subarray(12, 20), pseudo, segment), 0, `protocol ${protocol}`);
      checked += 1;
    }
  }
  for (const packet of v6) {
    const protocol = packet.readUInt8(6);
    if (protocol !== 44) {
      const segment = packet.subarray(40, 40 + packet.readUInt16BE(4));
      const pseudo = Buffer.alloc(8);
      pseudo.writeUInt16BE(segment.length, 2);
      pseudo.writeUInt8(protocol, 7);
      assert.equal(checksum(packet.subarray(8, 40), pseudo, segment), 0, `protocol ${protocol}`);
      checked += 1;
    }
  }
  assert.ok(checked > 500);
});

test('packets cuts the traffic', () => {
  const cut = makeTraffic({ ...options, packets: 10 });
  assert.deepEqual(cut, makeTraffic(options).slice(0, 10));
});
