/** Types of plugins, where there is a compiler, where there is none, and where it does not run. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { BricksError } from '../../../src/errors.ts';
import { checkTypes } from '../../../src/plugins/check-types.ts';
import { root } from '../../support/source-tree.ts';

function write(t: TestContext, text: string): { folder: string; file: string } {
  const folder = mkdtempSync(join(tmpdir(), 'bricks-types-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'mine.ts');
  writeFileSync(file, text);
  return { folder, file };
}

/** A package of the folder's, with this as its program. */
function install(folder: string, name: string, program: string): void {
  const path = join(folder, 'node_modules', name);
  mkdirSync(join(path, 'bin'), { recursive: true });
  const about = { name, version: '9.9.9', bin: { tsc: './bin/tsc' } };
  writeFileSync(join(path, 'package.json'), JSON.stringify(about));
  writeFileSync(join(path, 'bin/tsc'), program);
}

test('types that fit, and types that do not', (t) => {
  const good = write(t, 'export const count: number = 1;\n');
  assert.match(checkTypes(good.file).how, /^TypeScript \d/);
  const bad = write(t, "export const count: number = 'one';\n");
  assert.throws(
    () => checkTypes(bad.file),
    (error) => {
      assert.ok(error instanceof BricksError);
      assert.equal(error.code, 'invalid_argument');
      assert.match(error.message, /mine\.ts:1:14: error TS2322: /);
      return true;
    },
  );
});

test('types of the examples fit', () => {
  const folder = join(root, 'examples/plugins');
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts'));
  assert.ok(files.length > 0);
  for (const name of files) assert.ok(checkTypes(join(folder, name)).checked, name);
});

test('no compiler: it says so, and what to do', (t) => {
  const { folder, file } = write(t, 'export default 1;\n');
  const none = checkTypes(file, [file]);
  assert.equal(none.checked, false);
  assert.match(none.how, /^no package typescript is found from .*; install it there with: npm /);
  install(folder, 'typescript', '');
  const half = checkTypes(file, [file]);
  assert.equal(half.checked, false);
  assert.match(half.how, /^no package @types\/node is found/);
});

test("the compiler of the file's own folder goes first; one that fails is no verdict", (t) => {
  const { folder, file } = write(t, 'export default 1;\n');
  install(folder, 'typescript', "console.error('no licence'); process.exit(1);");
  const { checked, how } = checkTypes(file);
  assert.equal(checked, false);
  assert.equal(how, 'TypeScript 9.9.9 does not run: no licence');
});
