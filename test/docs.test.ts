/** The documentation is what the code is: generated pages are fresh, links lead somewhere. */
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { referencePages } from '../scripts/dev/reference-pages.ts';
import { type ErrorCode, errorCatalogue } from '../src/errors.ts';
import { loadBinding } from '../src/native/load.ts';
import { readSource, root, sourceFiles } from './support/source-tree.ts';

test('generated pages are what the tables say now', () => {
  const pages = referencePages(loadBinding(), root);
  assert.ok(pages.size >= 5);
  for (const [path, text] of pages) {
    const stored = existsSync(join(root, path)) ? readSource(path) : '';
    assert.ok(stored === text, `${path} is not up to date; write it again with: npm run docs`);
  }
});

test('every table has something to say about each of its rows', () => {
  const binding = loadBinding();
  for (const { name, summary, details, options } of binding.brickTypes()) {
    assert.ok(summary !== '' && details !== '', `brick ${name}`);
    for (const option of options) assert.ok(option.summary !== '', `${name}'s ${option.name}`);
  }
  for (const { scheme, example, asInput, asOutput, options } of binding.portSchemes()) {
    assert.ok(example !== '' && (asInput !== undefined || asOutput !== undefined), scheme);
    for (const option of options) assert.ok(option.summary !== '', `${scheme}'s ${option.name}`);
  }
  const header = readSource('native/mem/limits.hh');
  const limits = [...header.matchAll(/^inline constexpr uint(?:32|64)_t (k\w+)/gm)].map(
    ([, name]) => name,
  );
  assert.deepEqual(Object.keys(binding.limits()).sort(), limits.sort());
});

test('whatever code native can throw is in the catalogue', () => {
  const codes = loadBinding().statusCodes();
  assert.ok(codes.length > 10);
  for (const code of codes)
    assert.ok(code === 'ok' || errorCatalogue[code as ErrorCode] !== undefined, code);
});

test('links between pages lead to files that are there', () => {
  const broken: string[] = [];
  let seen = 0;
  for (const page of sourceFiles().filter((file) => file.endsWith('.md'))) {
    for (const [, link = ''] of readSource(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      seen += 1;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : normalize(join(dirname(page), path));
      if (!existsSync(join(root, target))) {
        broken.push(`${page}: ${link}`);
      } else if (anchor !== undefined && statSync(join(root, target)).isFile()) {
        const headings = [...readSource(target).matchAll(/^#+ (.*)$/gm)].map(([, text = '']) =>
          text
            .toLowerCase()
            .replaceAll(/[^\w\- ]/g, '')
            .replaceAll(' ', '-'),
        );
        if (!headings.includes(anchor)) broken.push(`${page}: ${link}: no such heading`);
      }
    }
  }
  assert.ok(seen > 10);
  assert.equal(broken.join('\n'), '');
});
