import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  appendHistory,
  historyLinesMax,
  historyPath,
  loadHistory,
} from '../../../src/shell/history.ts';

function historyFile(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'bricks-history-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'history');
}

test('what two shells add is there for the third, newest first, each line once', (t) => {
  const path = historyFile(t);
  assert.deepEqual(loadHistory(path), []);
  for (const line of ['a = 1', 'print(a)', 'b = 2', 'a = 1']) appendHistory(path, line);
  assert.deepEqual(loadHistory(path), ['a = 1', 'b = 2', 'print(a)']);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('a long file is cut to the newest lines', (t) => {
  const path = historyFile(t);
  const lines = Array.from({ length: 2 * historyLinesMax + 1 }, (_, index) => `line ${index}`);
  writeFileSync(path, `${lines.join('\n')}\n`);
  const loaded = loadHistory(path);
  assert.equal(loaded.length, historyLinesMax);
  assert.equal(loaded[0], lines.at(-1));
  assert.deepEqual(readFileSync(path, 'utf8').trimEnd().split('\n'), loaded.toReversed());
});

test('a history that cannot be kept is no failure', () => {
  appendHistory('', 'x');
  assert.deepEqual(loadHistory(''), []);
  assert.equal(historyPath({ BRICKS_HISTORY: '' }), '');
  assert.match(historyPath({}), /\.bricks_history$/);
});
