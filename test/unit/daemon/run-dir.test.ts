import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { locateRunDir, makeRunDir } from '../../../src/daemon/run-dir.ts';

test('the option comes before the variable, the variable before the system’s place', () => {
  const env = { BRICKS_RUN_DIR: '/var/a', XDG_RUNTIME_DIR: '/var/x' };
  assert.equal(locateRunDir('/var/o', env).path, '/var/o');
  assert.equal(locateRunDir(undefined, env).path, '/var/a');
  assert.equal(locateRunDir(undefined, env).controlSocket, '/var/a/control.sock');
  const standard = process.getuid?.() === 0 ? '/run/bricks' : '/var/x/bricks';
  assert.equal(locateRunDir(undefined, { XDG_RUNTIME_DIR: '/var/x' }).path, standard);
});

test('a path too long for a socket is refused, with the limit', () => {
  assert.equal(locateRunDir(`/${'a'.repeat(93)}`).path.length, 94);
  assert.throws(() => locateRunDir(`/${'a'.repeat(94)}`), {
    code: 'invalid_argument',
    message: /at most 94 bytes/,
  });
});

test('it is made for its owner alone; one that others may write is refused', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bricks-run-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const runDir = locateRunDir(join(folder, 'a', 'b'));
  makeRunDir(runDir);
  assert.equal(statSync(runDir.path).mode & 0o777, 0o700);
  makeRunDir(runDir);
  chmodSync(runDir.path, 0o770);
  assert.throws(() => makeRunDir(runDir), { code: 'permission_denied', message: /chmod 700/ });

  const file = join(folder, 'file');
  writeFileSync(file, '');
  assert.throws(() => makeRunDir(locateRunDir(join(file, 'run'))), { code: 'failed' });
});
