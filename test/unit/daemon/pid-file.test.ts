import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { PidFile, pidFileHolder } from '../../../src/daemon/pid-file.ts';

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bricks-pid-'));
  path = join(folder, 'bricks.pid');
});
afterEach(() => rmSync(folder, { recursive: true }));

test('holds the process number, refuses a second, leaves nothing behind', () => {
  const held = PidFile.take(path);
  assert.equal(readFileSync(path, 'utf8'), `${process.pid}\n`);
  assert.equal(pidFileHolder(path), process.pid);
  assert.throws(() => PidFile.take(path), {
    code: 'busy',
    message: new RegExp(`process ${process.pid} .*bricks-shell.*--run-dir`),
  });
  assert.deepEqual(readdirSync(folder), ['bricks.pid']);
  held.release();
  assert.deepEqual(readdirSync(folder), []);
  assert.equal(pidFileHolder(path), undefined);
});

for (const [what, text] of [
  ['a process that is no more', '4194399\n'],
  // The number is that of a live process (this one), which does not have the file open.
  ['a number that went to another process', `${process.pid}\n`],
  ['nonsense', '../../etc/passwd\n'],
  ['nothing', ''],
] as const) {
  test(`a stale file with ${what} is replaced`, () => {
    writeFileSync(path, text);
    assert.equal(pidFileHolder(path), undefined);
    const held = PidFile.take(path);
    assert.equal(pidFileHolder(path), process.pid);
    assert.deepEqual(readdirSync(folder), ['bricks.pid']);
    held.release();
  });
}

test('release leaves a file that is somebody else’s by now', () => {
  const held = PidFile.take(path);
  rmSync(path);
  writeFileSync(path, '1\n');
  held.release();
  assert.ok(existsSync(path));
});
