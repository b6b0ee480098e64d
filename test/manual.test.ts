/** Man pages: what a reader of man(1) gets. That they are fresh is in docs.test.ts. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { commands, sharedFiles } from '../src/cli/commands.ts';
import { readSource, root } from './support/source-tree.ts';

const pages = [...sharedFiles()].filter(([path]) => path.endsWith('.1'));

test('every program of bin/ has a page', () => {
  const names = readdirSync(join(root, 'bin'));
  assert.ok(names.length >= 6);
  for (const name of names) {
    assert.ok(
      pages.some(([path]) => path === `share/man/man1/${name}.1`),
      name,
    );
  }
});

test('the main page has every command and option', () => {
  const text = readSource('share/man/man1/bricks.1').replaceAll('\\-', '-');
  for (const { name, options } of commands) {
    assert.ok(text.includes(`.SS bricks ${name}\n`), name);
    for (const option of Object.keys(options)) assert.ok(text.includes(`--${option}`), option);
  }
});

test('pages are ASCII: other characters go by their number', () => {
  for (const [path, text] of pages) assert.equal(Buffer.byteLength(text), text.length, path);
});

const hasGroff = spawnSync('groff', ['--version']).status === 0;
test('groff has nothing to complain of', { skip: !hasGroff && 'groff is not here' }, () => {
  for (const [path, text] of pages) {
    const { status, stdout, stderr } = spawnSync('groff', ['-man', '-ww', '-z', '-Tutf8'], {
      input: text,
      encoding: 'utf8',
    });
    assert.deepEqual([status, stderr, stdout], [0, '', ''], path);
  }
});
