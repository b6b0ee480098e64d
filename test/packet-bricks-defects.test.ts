/** docs/from-packet-bricks.md: every defect has its row, and the tests it names exist. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readSource, root } from './support/source-tree.ts';

const page = readSource('docs/from-packet-bricks.md');

/** Patterns that the names of a file's tests match; `${x}` in a template matches anything. */
function testNames(path: string): RegExp[] {
  const source = readSource(path);
  const names = path.endsWith('.cc')
    ? [...source.matchAll(/^TEST\((\w+)\)/gm)].map(([, name = '']) => name)
    : [...source.matchAll(/\btest\(\s*(['"`])(.*?[^\\])\1/gs)].map(([, , name = '']) =>
        name.replace(/\\(.)/g, '$1'),
      );
  return names.map((name) => {
    const parts = name
      .split(/\$\{[^}]*\}/)
      .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
    return new RegExp(`^${parts.join('.+')}$`);
  });
}

test('each of the 26 defects has a row, with tests that exist', () => {
  const rows = [...page.matchAll(/^\| B-(\d\d) \|(.*)\|$/gm)];
  assert.deepEqual(
    rows.map(([, number]) => Number(number)),
    Array.from({ length: 26 }, (_, index) => index + 1),
  );
  for (const [, number, text = ''] of rows) {
    const [how, now, tests] = text.split(' | ');
    assert.ok(how?.trim() && now?.trim(), `B-${number} says how it showed and what happens here`);
    const links = [...(tests ?? '').matchAll(/\[([^\]]+)\]\(\.\.\/([^)]+)\)/g)];
    assert.ok(links.length > 0, `B-${number} names a test`);
    for (const [, name = '', path = ''] of links) {
      assert.ok(existsSync(join(root, path)), `B-${number}: ${path} is there`);
      const found = testNames(path).some((pattern) => pattern.test(name));
      assert.ok(found, `B-${number}: ${path} has no test "${name}"`);
    }
  }
});
