import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '../../../src/daemon/log.ts';

function capture(isTTY: boolean) {
  const lines: string[] = [];
  return { lines, stream: { isTTY, write: (text: string) => lines.push(text) } };
}

test('a JSON object a line where it is no terminal', () => {
  const { lines, stream } = capture(false);
  createLog(stream, 'info')('warning', 'a "quoted"\nword', { pid: 4 });
  assert.equal(lines.length, 1);
  assert.equal(lines[0]?.indexOf('\n'), (lines[0]?.length ?? 0) - 1);
  const { time, ...rest } = JSON.parse(lines[0] ?? '');
  assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000);
  assert.deepEqual(rest, { level: 'warning', message: 'a "quoted"\nword', pid: 4 });
});

test('the journal reads a priority in front', () => {
  const { lines, stream } = capture(false);
  createLog(stream, 'info', true)('warning', 'late');
  assert.match(lines[0] ?? '', /^<4>\{"time":.*"message":"late"\}\n$/);
});

test('a plain line on a terminal; what is less grave is left out', () => {
  const { lines, stream } = capture(true);
  const log = createLog(stream, 'warning');
  log('info', 'listening');
  log('error', 'gone', { path: '/x' });
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /^\d\d:\d\d:\d\d\.\d{3} error: gone path=\/x\n$/);
});
