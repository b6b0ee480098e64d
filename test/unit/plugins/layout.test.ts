/** What both sides of a script's ring believe of its memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadBinding } from '../../../src/native/load.ts';
import { codes } from '../../../src/plugins/api.ts';
import { at, calls, eventBytes, eventNames, reasonNames } from '../../../src/plugins/layout.ts';
import { protocolNames, RecordReader, recordKinds } from '../../../src/plugins/records.ts';
import { readSource } from '../../support/source-tree.ts';

const layouts = loadBinding().pluginLayouts();

test('fields of an event are where native code puts them', () => {
  assert.deepEqual({ ...at }, { ...layouts.event });
  assert.equal(eventBytes, layouts.eventBytes);
});

test('calls have the numbers that native code knows', () => {
  assert.deepEqual(Object.keys(calls), layouts.calls);
  assert.deepEqual(
    Object.values(calls),
    layouts.calls.map((_, number) => number),
  );
});

/** Names of an enum's values by number, without their common beginning, in small letters. */
function enumOf(file: string, prefix: string): string[] {
  const names: string[] = [];
  for (const [, name = '', number] of readSource(file).matchAll(
    new RegExp(`\\b${prefix}(\\w+) = (-?\\d+)`, 'g'),
  )) {
    names[Number(number)] = name.toLowerCase().replaceAll('_', '');
  }
  return names;
}

test('events, protocols, records and errors are those of the headers', () => {
  const small = (name: string | undefined): string | undefined => name?.toLowerCase();
  assert.deepEqual(enumOf('native/abi/bricks_event.h', 'BRICKS_EVENT_'), [...eventNames]);
  const protocols = enumOf('native/abi/bricks_protocols.h', 'BRICKS_PROTOCOL_');
  assert.deepEqual(protocols.slice(1, -1), protocolNames.slice(1));
  const records = enumOf('native/abi/bricks_protocols.h', 'BRICKS_RECORD_');
  assert.deepEqual(records.slice(1, -1), recordKinds.slice(1).map(small));
  const source = readSource('native/abi/bricks_error.h');
  const numbers = [...source.matchAll(/BRICKS_\w+ = (-?\d+)/g)].map(([, number]) => Number(number));
  // The header has more: those of the packet IO library.
  for (const code of Object.values(codes)) assert.ok(numbers.includes(code), String(code));
});

test('reasons are those of the headers, in words', () => {
  for (const [event, prefix, file] of [
    ['closing', 'BRICKS_CLOSE_', 'bricks_session.h'],
    ['gap', 'BRICKS_GAP_', 'bricks_event.h'],
    ['conflict', 'BRICKS_CONFLICT_', 'bricks_event.h'],
  ] as const) {
    const names = reasonNames[event].map((name) => name?.replaceAll('_', ''));
    assert.deepEqual([...enumOf(`native/abi/${file}`, prefix)], names);
  }
});

test('a record is read from its copy', () => {
  const reader = new RecordReader(layouts.records);
  const dns = layouts.records[1];
  assert.ok(dns);
  const fieldAt = (name: string): number => {
    const found = dns.fields.find((field) => field.name === name);
    assert.ok(found, name);
    return found.at;
  };
  const copy = Buffer.alloc(dns.size + 16);
  copy.writeUInt16LE(4711, fieldAt('id'));
  copy.writeUInt8(1, fieldAt('response'));
  copy.writeUInt32LE(dns.size, fieldAt('name'));
  copy.writeUInt32LE(11, fieldAt('name') + 8);
  copy.write('example.org', dns.size, 'latin1');
  const record = reader.read(1, 1, copy);
  assert.equal(record?.kind, 'dns');
  assert.equal(record?.protocol, 'dns');
  assert.equal(record?.fields['id'], 4711);
  assert.equal(record?.fields['response'], 1);
  assert.equal(record?.fields['name'], 'example.org');
  assert.deepEqual(record?.fields['records'], []);
  assert.equal(reader.read(99, 1, copy), undefined);
  assert.equal(reader.read(1, 99, copy), undefined);
});
