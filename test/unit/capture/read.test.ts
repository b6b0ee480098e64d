import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCapture } from '../../../src/capture/read.ts';

interface Order {
  readonly little: boolean;
}

/** 16- and 32-bit words and bytes, in a byte order, one after the other. */
function bytes({ little }: Order, ...parts: (['u16' | 'u32', number] | Buffer)[]): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      if (Buffer.isBuffer(part)) {
        return part;
      }
      const [type, value] = part;
      const out = Buffer.alloc(type === 'u16' ? 2 : 4);
      if (type === 'u16') {
        little ? out.writeUInt16LE(value) : out.writeUInt16BE(value);
      } else {
        little ? out.writeUInt32LE(value) : out.writeUInt32BE(value);
      }
      return out;
    }),
  );
}

const frame = Buffer.from('0123456789abcdef');

function pcap(order: Order, magic: number): Buffer {
  const header = bytes(
    order,
    ['u32', magic],
    ['u16', 2],
    ['u16', 4],
    ['u32', 0],
    ['u32', 0],
    ['u32', 65_535],
    ['u32', 113],
  );
  const record = bytes(order, ['u32', 1_700_000_000], ['u32', 123_456], ['u32', 16], ['u32', 99]);
  return Buffer.concat([header, record, frame]);
}

for (const little of [true, false]) {
  for (const [magic, nanoseconds] of [
    [0xa1b2c3d4, 123_456_000n],
    [0xa1b23c4d, 123_456n],
  ] as const) {
    test(`pcap: magic ${magic.toString(16)}, ${little ? 'little' : 'big'}-endian`, () => {
      const { records, damage } = parseCapture(pcap({ little }, magic), 'made');
      assert.equal(damage, undefined);
      assert.equal(records.length, 1);
      assert.deepEqual(records[0], {
        timestampNs: 1_700_000_000_000_000_000n + nanoseconds,
        linkType: 113,
        data: frame,
        wireLength: 99,
      });
    });
  }
}

function block(order: Order, type: number, body: Buffer): Buffer {
  const pad = Buffer.alloc((4 - (body.length % 4)) % 4);
  const length = 12 + body.length + pad.length;
  return bytes(order, ['u32', type], ['u32', length], body, pad, ['u32', length]);
}

function sectionHeader(order: Order): Buffer {
  const size = Buffer.alloc(8, 0xff);
  return block(order, 0x0a0d0d0a, bytes(order, ['u32', 0x1a2b3c4d], ['u16', 1], ['u16', 0], size));
}

/** `resolution`: if_tsresol; undefined leaves the option out. */
function description(order: Order, linkType: number, resolution?: number): Buffer {
  const options =
    resolution === undefined
      ? []
      : [bytes(order, ['u16', 9], ['u16', 1], Buffer.from([resolution, 0, 0, 0]), ['u32', 0])];
  return block(order, 1, bytes(order, ['u16', linkType], ['u16', 0], ['u32', 8], ...options));
}

function enhanced(order: Order, interfaceIndex: number, ticks: bigint): Buffer {
  return block(
    order,
    6,
    bytes(
      order,
      ['u32', interfaceIndex],
      ['u32', Number(ticks >> 32n)],
      ['u32', Number(ticks & 0xffffffffn)],
      ['u32', 5],
      ['u32', 77],
      frame.subarray(0, 5),
    ),
  );
}

for (const little of [true, false]) {
  test(`pcapng: interfaces, resolutions, sections, ${little ? 'little' : 'big'}-endian`, () => {
    const order = { little };
    const other = { little: !little };
    const unknown = block(order, 0x0bad, Buffer.from('skip me'));
    const simple = block(order, 3, bytes(order, ['u32', 16], frame.subarray(0, 8)));
    const file = Buffer.concat([
      sectionHeader(order),
      description(order, 1),
      description(order, 101, 9),
      description(order, 101, 0x80 | 10),
      unknown,
      enhanced(order, 0, 1_500_000n),
      enhanced(order, 1, (7n << 32n) | 5n),
      enhanced(order, 2, 512n),
      simple,
      sectionHeader(other),
      description(other, 276),
      enhanced(other, 0, 1n),
    ]);
    const { records, damage } = parseCapture(file, 'made');
    assert.equal(damage, undefined);
    assert.deepEqual(
      records.map(({ timestampNs, linkType, data, wireLength }) => [
        timestampNs,
        linkType,
        data.toString(),
        wireLength,
      ]),
      [
        [1_500_000_000n, 1, '01234', 77],
        [(7n << 32n) + 5n, 101, '01234', 77],
        [500_000_000n, 101, '01234', 77],
        [0n, 1, '01234567', 16], // a simple packet block: cut to the interface's snap length
        [1000n, 276, '01234', 77],
      ],
    );
  });
}

test('a capture cut anywhere gives what is whole, and says that it is damaged', () => {
  const order = { little: true };
  const classic = Buffer.concat([pcap(order, 0xa1b2c3d4), pcap(order, 0xa1b2c3d4).subarray(24)]);
  const ng = Buffer.concat([
    sectionHeader(order),
    description(order, 1),
    enhanced(order, 0, 1n),
    enhanced(order, 0, 2n),
  ]);
  for (const [file, wholeAt] of [
    [classic, [24, 56, 88]],
    [ng, [28, 48, 88, 128]],
  ] as const) {
    assert.equal(file.length, wholeAt.at(-1));
    for (let length = 12; length <= file.length; length++) {
      const { records, damage } = parseCapture(file.subarray(0, length), 'made');
      const isWhole = (wholeAt as readonly number[]).includes(length);
      assert.equal(damage === undefined, isWhole, `${length} bytes: ${damage}`);
      const ends = wholeAt.slice(wholeAt.length - 2);
      assert.equal(records.length, ends.filter((end) => end <= length).length, `${length} bytes`);
    }
  }
});

test('what is no capture is refused by name', () => {
  for (const text of ['', 'x', '#!/bin/sh\necho hello\n']) {
    assert.throws(() => parseCapture(Buffer.from(text), 'hello.sh'), {
      code: 'not_a_capture',
      message: /hello\.sh/,
    });
  }
});
