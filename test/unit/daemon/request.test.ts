import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRequest } from '../../../src/daemon/request.ts';

const execute = { id: 7, type: 'execute', code: 'x = 1', name: 'stdin', interactive: true };

test('requests of the protocol are taken as they are, without what does not belong', () => {
  for (const request of [
    execute,
    { id: 1, type: 'interrupt' },
    { id: 2, type: 'complete', line: 'pe:' },
    { id: 3, type: 'report', report: 'ledger' },
    { id: 4, type: 'shutdown' },
  ]) {
    assert.deepEqual(parseRequest(JSON.stringify({ ...request, extra: 1 })), request);
  }
});

for (const [what, text] of [
  ['no JSON', '{'],
  ['nothing', ''],
  ['null', 'null'],
  ['a list', '[1]'],
  ['no id', JSON.stringify({ type: 'shutdown' })],
  ['an id that is no integer', JSON.stringify({ id: 1.5, type: 'shutdown' })],
  ['an unknown type', JSON.stringify({ id: 1, type: 'format' })],
  ['no code', JSON.stringify({ ...execute, code: 1 })],
  ['no name', JSON.stringify({ ...execute, name: null })],
  ['interactive as a word', JSON.stringify({ ...execute, interactive: 'yes' })],
  ['an unknown report', JSON.stringify({ id: 1, type: 'report', report: 'toString' })],
] as const) {
  test(`${what} is refused`, () => {
    assert.throws(() => parseRequest(text), { code: 'usage', message: /not a request/ });
  });
}
