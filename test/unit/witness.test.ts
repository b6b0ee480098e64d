/** What the witness of bricks verify says of what it has seen, and of what it has not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge } from '../../src/witness/judge.ts';
import { Sightings } from '../../src/witness/stream.ts';

/** As native/client/observe.c writes it; a number below 0: so many slots were missed. */
function sightings(packets: readonly number[]): Sightings {
  const seen = new Sightings();
  for (const packet of packets) {
    const record = Buffer.alloc(24 + (packet < 0 ? 0 : 60));
    record.writeUInt32LE(packet < 0 ? 0 : 60, 0);
    record.writeUInt32LE(packet < 0 ? -packet : 60, 4);
    record.writeBigUInt64LE(BigInt(Math.max(packet, 0)), 8);
    record.writeUInt32LE(1, 16);
    record.writeUInt32LE(packet < 0 ? 1 : 0, 20);
    if (packet >= 0) record.writeUInt32LE(packet, 24);
    assert.ok(seen.add(record));
  }
  return seen;
}

function counts(input: readonly number[], output: readonly number[]) {
  return judge([sightings(input)], [{ name: 'o', sightings: sightings(output) }], 1, 0).counts;
}

test('a packet that comes out twice is said, unless the input was not looked at then', () => {
  const once = [1, 2, 3, 4, 5, 6];
  assert.equal(counts(once, [1, 2, 3, 3, 4, 5, 6]).twice, 1);
  // Replayed again: what came in while nobody looked comes out, too.
  assert.equal(counts([1, 2, 3, 4, -2, 5, 6], [1, 2, 3, 4, 1, 2, 5, 6]).twice, 0);
  // Missed elsewhere: no excuse.
  assert.equal(counts([1, 2, 3, 4, -2, 5, 6], [1, 2, 2, 3, 4, 5, 6]).twice, 1);
});

test('a packet that nobody sent is said, unless the input was not looked at then', () => {
  assert.equal(counts([1, 2, 3, 4], [1, 2, 9, 3, 4]).foreign, 1);
  assert.equal(counts([1, 2, -1, 3, 4], [1, 2, 9, 3, 4]).foreign, 0);
  assert.equal(counts([1, -1, 2, 3, 4], [1, 2, 9, 3, 4]).foreign, 1);
});
