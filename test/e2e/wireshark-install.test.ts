/** `bricks wireshark`: where it puts its program, and what it will not do. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseFolders } from '../../src/cli/wireshark.ts';
import { root } from '../support/source-tree.ts';
import { useWorld } from './world.ts';

test('bricks wireshark: status, uninstall, and what it will not do', async (t) => {
  const world = useWorld(t);
  const folder = world.folderOf('extcap');
  const run = (...words: string[]) =>
    world.run('bricks', ['wireshark', ...words, '--folder', folder]);
  const state = async (): Promise<string> =>
    JSON.parse((await run('status', '--json')).stdout).folders[0].state;
  assert.equal(await state(), 'absent');
  assert.equal((await run('install')).code, 0);
  assert.equal(await state(), 'linked');
  assert.equal((await run('install', '--copy')).code, 0);
  assert.equal(await state(), 'copied');
  assert.match((await run('uninstall')).stdout, /removed .*bricks-extcap/);
  assert.match((await run('uninstall')).stdout, /not installed/);
  writeFileSync(join(folder, 'bricks-extcap'), '#!/bin/sh\n');
  const foreign = await run('install');
  assert.equal(foreign.code, 7);
  assert.match(foreign.stderr, /somebody else's program/);
  assert.equal((await run('uninstall')).code, 0);
  assert.equal(readFileSync(join(folder, 'bricks-extcap'), 'utf8'), '#!/bin/sh\n');
  const wrong = await world.run('bricks', ['wireshark', 'remove']);
  assert.equal(wrong.code, 2);
  if (process.getuid?.() === 0) {
    const words = ['wireshark', 'install', '--folder', '/usr/lib'];
    const asNobody = ['--reuid', '65534', '--regid', '65534', '--clear-groups'];
    const bricks = join(root, 'bin/bricks');
    if (spawnSync('setpriv', [...asNobody, 'test', '-r', bricks]).status !== 0) {
      return t.skip('user nobody cannot reach the build');
    }
    const refused = await world.startProgram('setpriv', [...asNobody, bricks, ...words]).ended;
    assert.equal(refused.code, 5, refused.stderr);
    assert.match(refused.stderr, /not yours to write/);
  }
  assert.deepEqual(
    parseFolders(
      'Temp:            \t/tmp\nPersonal Extcap path:\t/u/a/.local/lib/wireshark/extcap\n' +
        'Global Extcap path:  \t/usr/lib/x86_64-linux-gnu/wireshark/extcap\n',
    ),
    [
      { path: '/u/a/.local/lib/wireshark/extcap', kind: 'user' },
      { path: '/usr/lib/x86_64-linux-gnu/wireshark/extcap', kind: 'system' },
    ],
  );
});
