/** What the witness of bricks verify says of what it has seen, and of what it has not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ethernet, type Host, ip, protocols, tcp } from '../../src/traffic/frames.ts';
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

const client: Host = { mac: Buffer.alloc(6, 2), address: Buffer.from([10, 0, 0, 1]), port: 4000 };
const server: Host = { mac: Buffer.alloc(6, 4), address: Buffer.from([192, 0, 2, 9]), port: 443 };

interface Packet {
  /** Where it is found. */
  readonly at: 'a' | 'b' | 'c';
  readonly says?: Buffer | string;
  readonly flags?: number;
  readonly back?: boolean;
  readonly seconds?: number;
  readonly input?: number;
  /** The witness at the input did not see it. */
  readonly unseen?: boolean;
}

/** How many packets of one TCP connection are called split where outputs b and c have a name. */
function splits(packets: readonly Packet[]): number {
  const inputs = [new Sightings({ speech: true }), new Sightings({ speech: true })];
  const outputs = { a: new Sightings(), b: new Sightings(), c: new Sightings() };
  const next: [number, number] = [1, 1];
  packets.forEach(({ at, says = '', flags = 16, back = false, seconds = 0, ...more }, index) => {
    const [from, to] = back ? [server, client] : [client, server];
    const payload = Buffer.from(says);
    const sequence = next[back ? 1 : 0];
    next[back ? 1 : 0] += payload.length;
    const segment = { sequence, acknowledgment: 0, flags, payload };
    const frame = ethernet(
      from,
      to,
      0x0800,
      [],
      ip(from, to, protocols.tcp, tcp(from, to, segment)),
    );
    const timeNs = BigInt(index) * 1_000_000n + BigInt(seconds) * 1_000_000_000n;
    const add = (to: Sightings, missed: boolean): void => {
      const record = Buffer.alloc(24 + (missed ? 0 : frame.length));
      record.writeUInt32LE(missed ? 0 : frame.length, 0);
      record.writeUInt32LE(missed ? 1 : frame.length, 4);
      record.writeBigUInt64LE(timeNs, 8);
      record.writeUInt32LE(1, 16);
      record.writeUInt32LE(missed ? 1 : 0, 20);
      if (!missed) frame.copy(record, 24);
      assert.ok(to.add(record));
    };
    add(inputs[more.input ?? 0] as Sightings, more.unseen ?? false);
    add(outputs[at], false);
  });
  const moves = [
    { application: 'tls', outputs: ['b'] },
    { application: 'http', outputs: ['c'] },
  ];
  const named = Object.entries(outputs).map(([name, seen]) => ({ name, sightings: seen }));
  return judge(inputs, named, 1, 0, { outer: false, tenant: false, moves }).counts.split;
}

const hello = Buffer.from([22, 3, 1, 0, 50, 1, 0, 0, 46, 3, 3]);
const syn: Packet = { at: 'a', flags: 2 };
const answer: Packet = { at: 'a', flags: 18, back: true };

test('a flow may move once: with what it says, to the output that is named for it', () => {
  const moved: Packet[] = [syn, answer, { at: 'a' }, { at: 'b', says: hello }, { at: 'b' }];
  assert.equal(splits(moved), 0);
  assert.equal(splits([...moved, { at: 'b', back: true }]), 0);
  // Not back, not further, not both ways at once.
  assert.equal(splits([...moved, { at: 'a' }]) > 0, true);
  assert.equal(splits([...moved, { at: 'c' }]) > 0, true);
  assert.equal(splits([syn, { at: 'b', back: true }, { at: 'b', says: hello }]) > 0, true);
  // Not before it has said it, nor to where others belong, nor without a word.
  assert.equal(splits([syn, answer, { at: 'b' }, { at: 'b', says: hello }]) > 0, true);
  assert.equal(splits([syn, answer, { at: 'a' }, { at: 'c', says: hello }]) > 0, true);
  assert.equal(splits([syn, answer, { at: 'b', says: 'nothing known' }]) > 0, true);
  assert.equal(splits([syn, answer, { at: 'c', says: 'GET / HTTP/1.1\r\n\r\n' }]), 0);
});

test('what a flow says may come in pieces, and in any order', () => {
  const pieces = [...hello].map((byte): Packet => ({ at: 'a', says: Buffer.from([byte]) }));
  assert.equal(splits([syn, answer, ...pieces.slice(0, 8), { at: 'b', says: 'rest' }]), 0);
  assert.equal(splits([syn, answer, ...pieces.slice(0, 2), { at: 'b', back: true }]) > 0, true);
});

test('a move that the witness could not see the reason of is no split, another one is', () => {
  const at = (unseen: boolean): Packet[] => [syn, { at: 'b', says: hello, unseen }, { at: 'b' }];
  assert.equal(splits(at(true)), 0);
  assert.equal(splits([syn, { at: 'a', unseen: true }, { at: 'a' }, { at: 'b' }]) > 0, true);
});

test('a new connection between the same ports is a flow of its own', () => {
  const once: Packet[] = [syn, answer, { at: 'b', says: hello }, { at: 'b', flags: 17 }];
  assert.equal(splits([...once, ...once]), 0);
  assert.equal(splits([...once, { at: 'a' }]) > 0, true);
  assert.equal(splits([...once, { at: 'a', seconds: 31 }]), 0); // forgotten
});

test('packets of two inputs that come together may be dealt with in either order', () => {
  const answered: Packet = { at: 'b', back: true, input: 1 };
  assert.equal(splits([syn, answer, answered, { at: 'b', says: hello }]), 0);
  assert.equal(splits([syn, answer, answered, { at: 'b', says: hello, seconds: 1 }]) > 0, true);
});
