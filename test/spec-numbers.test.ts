/**
 * Every vector and edge case that the specification of sessions numbers has a test of that number:
 * T1 to T10 of take_over in C, Lua and TypeScript, the 21 edge cases, overlaps V1 to V14, queues
 * T-E1 to T-E8.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSource, sourceFiles } from './support/source-tree.ts';

const counted = (length: number, name: (n: number) => string) =>
  Array.from({ length }, (_, i) => name(i + 1));

test('every numbered case of the specification is a named test', () => {
  const native = sourceFiles('test/native').filter((path) => path.endsWith('.cc'));
  const names = native.flatMap((path) =>
    [...readSource(path).matchAll(/^TEST\((\w+)\)/gm)].map(([, name = '']) => name),
  );
  const rows = readSource('test/cases/session-calls.tsv')
    .split('\n')
    .map((line) => line.split('\t')[0] ?? '');
  const wanted = [
    ...counted(10, (n) => `take_over_t${n}_c`),
    ...counted(10, (n) => `take_over_t${n}_lua`),
    ...counted(21, (n) => `edge_case_${String(n).padStart(2, '0')}_`),
    ...counted(14, (n) => `streams_V${n}_`),
    ...counted(8, (n) => `queue_T_E${n}_`),
  ];
  const missing = wanted.filter((start) => !names.some((name) => name.startsWith(start)));
  assert.deepEqual(missing, []);
  // TypeScript plays the rows, each a test of its name.
  assert.deepEqual(
    counted(10, (n) => `T${n}`).filter((name) => !rows.includes(name)),
    [],
  );
});
