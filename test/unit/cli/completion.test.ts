/** Completion, as bash carries it out; the other shells as far as they are here. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { bricksCommand } from '../../../src/cli/bricks.ts';
import { commands } from '../../../src/cli/commands.ts';
import { completionPage } from '../../../src/cli/completion.ts';

const page = (shell: string): string => completionPage(shell, bricksCommand, commands);

/** A folder with a `bricks` that knows two pipes, and two files. */
function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'bricks-completion-'));
  t.after(() => rmSync(path, { recursive: true }));
  writeFileSync(join(path, 'bricks'), "#!/bin/sh\nprintf '%s\\n' 'web}0' 'web}1' 'mail}0'\n");
  chmodSync(join(path, 'bricks'), 0o755);
  writeFileSync(join(path, 'start.lua'), '');
  return path;
}

/** What bash offers for the last of `words`. */
function offers(t: TestContext, ...words: string[]): string[] {
  const path = folder(t);
  const script = `${page('bash')}
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_bricks
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', ...words], {
    cwd: path,
    encoding: 'utf8',
    env: { ...process.env, PATH: `${path}${delimiter}${process.env['PATH']}` },
  });
  assert.deepEqual([status, stderr], [0, '']);
  return stdout.split('\n').filter((line) => line !== '');
}

test('bash: commands, options, their values', (t) => {
  const names = commands.map(({ name }) => name);
  assert.deepEqual(offers(t, 'bricks', ''), names);
  assert.deepEqual(offers(t, 'bricks', 'st'), ['status', 'stats', 'streams']);
  assert.deepEqual(offers(t, 'bricks', 'stats', '--'), [
    ...['--watch', '--json', '--run-dir', '--help'],
  ]);
  assert.deepEqual(offers(t, 'bricks', 'help', 'led'), ['ledger']);
  assert.deepEqual(offers(t, '/usr/bin/bricks', 'completion', 'z'), ['zsh']);
  assert.deepEqual(offers(t, 'bricks-server', '-f', 'sta'), ['start.lua']);
  assert.deepEqual(offers(t, 'bricks-server', 'st'), []);
  assert.deepEqual(offers(t, 'bricks-shell', '--comm'), ['--command']);
  assert.deepEqual(offers(t, 'bricks-shell', '-c', ''), []);
});

test('bash: interfaces and the pipes of the running daemon, quoted as the line needs', (t) => {
  assert.ok(offers(t, 'bricks-load-balance', 'l').includes('lo'));
  assert.ok(offers(t, 'bricks', 'lb', '-i', 'l').includes('lo'));
  assert.deepEqual(offers(t, 'bricks', 'cat', 'web'), ['web\\}0', 'web\\}1']);
  assert.deepEqual(offers(t, 'bricks', 'cat', 'web\\}'), ['web\\}0', 'web\\}1']);
  assert.deepEqual(offers(t, 'bricks', 'cat', "'web}"), ['web}0', 'web}1']);
  assert.deepEqual(offers(t, 'bricks', 'cat', 'web\\}0', '-w', 'sta'), ['start.lua']);
});

test('every option of every command is in every shell’s file', () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const text = page(shell);
    for (const { name, options } of [bricksCommand, ...commands]) {
      assert.ok(text.includes(name), `${shell}: ${name}`);
      for (const option of Object.keys(options)) {
        const word = shell === 'fish' ? `-l ${option} ` : `--${option}`;
        assert.ok(text.includes(word), `${shell}: bricks ${name} --${option}`);
      }
    }
  }
  assert.throws(() => page('tcsh'), { code: 'usage', message: /bash, zsh, fish/ });
});

for (const shell of ['bash', 'zsh', 'fish']) {
  const isHere = spawnSync(shell, ['-c', 'true']).status === 0;
  test(`${shell} can read its file`, { skip: !isHere && `${shell} is not here` }, (t) => {
    const file = join(folder(t), 'page');
    writeFileSync(file, page(shell));
    const { status, stderr } = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
    assert.deepEqual([status, stderr], [0, '']);
  });
}
