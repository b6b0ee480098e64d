/** Manners that no compiler checks: sizes, names, marks, paths, and the error catalogue. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { type ErrorCode, errorCatalogue } from '../src/errors.ts';
import { readSource, root, sourceFiles } from './support/source-tree.ts';

const files = sourceFiles();
const ofKind = (...extensions: string[]) =>
  files.filter((file) => extensions.some((extension) => file.endsWith(`.${extension}`)));
const code = [
  ...ofKind('ts', 'cc', 'hh', 'c', 'h', 'lua', 'sh'),
  ...files.filter((file) => /^(bin|scripts)\/[a-z-]+$/.test(file)),
];

/** Fails with the list, where there is one. */
function none(found: readonly string[]): void {
  const shown = found.slice(0, 100).join('\n');
  assert.ok(found.length === 0, `${found.length} found:\n${shown}`);
}
const linesOf = (file: string) => readSource(file).replace(/\n$/, '').split('\n');

/** `file:line: what` for every line of `among` that `wrong` finds fault with. */
function faults(among: readonly string[], wrong: (line: string, file: string) => boolean) {
  return among.flatMap((file) =>
    linesOf(file).flatMap((line, index) =>
      wrong(line, file) ? [`${file}:${index + 1}: ${line.trim().slice(0, 80)}`] : [],
    ),
  );
}

test('lines have at most 100 columns', () => {
  assert.ok(code.length > 20, 'the source files are not where this test looks');
  none(faults(code, (line) => [...line].length > 100));
});

test('files are short', () => {
  const limit = (file: string) => {
    if (file === 'src/native/binding.ts') return 250; // the whole boundary on one page
    if (file === 'native/abi/bricks_protocols.h') return 320; // every record on one page
    if (file === 'native/mem/limits.hh') return 240; // a line a limit
    if (file === 'native/abi/pipe_reader.h') return 200; // code that C and C++ share, all inline
    if (file.endsWith('.ts')) return 300;
    return /^native\/.*\.hh?$/.test(file) ? 120 : 400;
  };
  const long = code.filter((file) => linesOf(file).length > limit(file));
  none(long.map((file) => `${file}: ${linesOf(file).length} lines, at most ${limit(file)}`));
});

test('functions have at most 70 lines', () => {
  // A body opens at the end of a line that closes a parameter list, and ends at the same indent.
  const opens = /(\)( const| noexcept| override| final)*|\)(: | -> )[^;]+|=>) \{$/;
  const groups = /^\s*(describe|suite)\(/; // a group of tests is not a function to be read as one
  const long: string[] = [];
  for (const file of ofKind('ts', 'cc', 'hh', 'c', 'h')) {
    const lines = linesOf(file);
    lines.forEach((line, start) => {
      if (!opens.test(line) || groups.test(line)) return;
      const indent = line.search(/\S/);
      const length = lines
        .slice(start + 1)
        .findIndex((other) => other.search(/\S/) <= indent && /^\s*\}/.test(other));
      if (length > 70) long.push(`${file}:${start + 1}: ${length} lines: ${line.trim()}`);
    });
  }
  none(long);
});

test('no file is called after what could be anything', () => {
  const empty = new RegExp(`^(${['util', 'helper', 'common', 'manager', 'misc'].join('|')})s?[.-]`);
  // Scripts written for packet-bricks load this one by name.
  const known = ['scripts/utils.lua'];
  none(files.filter((file) => empty.test(basename(file)) && !known.includes(file)));
});

test('no marks of unfinished work, no test left out', () => {
  // Joined here, so that this file does not hold what it looks for.
  const words = ['TO-DO', 'FIX-ME', 'X-XX', 'HA-CK', 'WI-P'].map((word) => word.replace('-', ''));
  const mark = new RegExp(`\\b(${words.join('|')})\\b`);
  const leftOut = /\b(test|it|describe|suite)\.(only|skip|todo)\b/;
  none(faults([...code, ...ofKind('md', 'json')], (line) => mark.test(line) || leftOut.test(line)));
});

test('no path of somebody’s machine, no address of a package registry', () => {
  const folders = ['work', 'home', 'root', 'Users', 'tmp'].map((name) => `["'\` ]/${name}/`);
  const hosts = ['registry\\.npm', 'artifactory', '"resolved":', 'npmjs\\.org/'];
  const pattern = new RegExp([...folders, ...hosts].join('|'));
  const self = 'test/tidy.test.ts';
  none(faults([...code, ...ofKind('json')], (line, file) => file !== self && pattern.test(line)));
});

test('no big file', () => {
  const big = files.filter((file) => statSync(join(root, file)).size > 256 * 1024);
  none(big);
});

test('text ends with a newline and has no tabs or blanks at the end of lines', () => {
  const among = [...code, ...ofKind('md', 'json', 'case')];
  none(faults(among, (line) => /[ \t]$/.test(line)));
  none(faults(ofKind('ts', 'cc', 'hh', 'c', 'h', 'lua'), (line) => line.includes('\t')));
  none(among.filter((file) => readSource(file) !== '' && !readSource(file).endsWith('\n')));
});

test('native error codes are in the catalogue, with the exit code native says they have', () => {
  const source = readSource('native/mem/status.hh');
  const table = /#define BRICKS_STATUS_CODES\(X\)([\s\S]*?)\n\n/.exec(source)?.[1] ?? '';
  const codes = [...table.matchAll(/X\((\w+)\)(?:\s*\/\* (\d+))?/g)]
    .map(([, name = '', exit = '']) => ({ name, exit: Number(exit) }))
    .filter(({ name }) => name !== 'ok');
  assert.ok(codes.length > 10);
  assert.deepEqual(
    codes.map(({ name, exit }) => `${name} ${exit}`),
    codes.map(({ name }) => `${name} ${errorCatalogue[name as ErrorCode]?.exit}`),
  );
});

test('every limit and every drop reason says what it is', () => {
  const limits = linesOf('native/mem/limits.hh');
  const mute = limits.filter((line, index) => {
    if (!/^inline constexpr/.test(line)) return false;
    return !line.includes('// ') && !limits[index - 1]?.startsWith('// ');
  });
  none(mute);
  const reasons = /BRICKS_DROP_REASONS\(X\)([\s\S]*?)\n\n/.exec(readSource('native/mem/ledger.hh'));
  const rows = [...(reasons?.[1] ?? '').matchAll(/X\((\w+), "([^"]*)"\)/g)];
  assert.ok(rows.length > 5);
  none(rows.filter(([, , text = '']) => text.length < 10).map(([, name = '']) => name));
});

/** SHA-256 of llhttp 9.4.2 as it was released. */
const vendored: Readonly<Record<string, string>> = {
  LICENSE: '628168d68bb5a8a17e0bbefb3bd74e326e1edc20583d76f52f457c82c921867d',
  'api.c': '0f8590206fe2f264db2825401b5fb856b979ee1363dc88b06f36dc9577afb941',
  'http.c': 'a1f2b23168f8e9b5bfa464c89027d3ca259fc649ae3d7e72bfff997d1aeb5d72',
  'llhttp.c': 'd8299eb3d717a73fe9a27e72cc4ccdf84d9b04f2456e6845bf66a73cf83985ef',
  'llhttp.h': '044bf4adf449d2565cd25c845dee1fc23706b97b52113bc73f667b05e2bdfdfa',
};

test('others’ sources are as their release has them', () => {
  const digest = (name: string) =>
    createHash('sha256')
      .update(readSource(`native/vendor/llhttp/${name}`))
      .digest('hex');
  const found = Object.fromEntries(Object.keys(vendored).map((name) => [name, digest(name)]));
  assert.deepEqual(found, vendored);
});
