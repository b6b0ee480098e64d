/** test/cases/session-calls.tsv with plugins in TypeScript, in an engine, over a TCP session. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadBinding } from '../../../src/native/load.ts';
import type { PluginEntry } from '../../../src/native/plugin-binding.ts';
import { PluginEngine, tcpFrames } from '../../support/plugin-engine.ts';
import { readSource, root } from '../../support/source-tree.ts';

const script = join(root, 'test/plugins/session_script.ts');

interface Case {
  readonly name: string;
  readonly plugins: readonly (readonly [letter: string, events: string])[];
  readonly actions: string;
  readonly keys: string;
  readonly calls: string;
  readonly results: string;
  readonly after: string;
}

const field = (text = '-'): string => (text === '-' ? '' : text);

function readCases(): Case[] {
  return readSource('test/cases/session-calls.tsv')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [name = '', plugins = '', actions, keys, calls, results, after] = line.split('\t');
      return {
        name,
        plugins: plugins.split(' ').map((text) => {
          const [letter = '', events = ''] = text.split(':');
          return [letter, events] as const;
        }),
        actions: field(actions),
        keys: field(keys),
        calls: field(calls),
        results: field(results),
        after: field(after),
      };
    });
}

function entriesOf(one: Case, told: string): PluginEntry[] {
  return one.plugins.map(([letter, events]) => {
    const keys: Record<string, string | number | string[]> = { path: script, name: letter };
    const names = { O: 'opening', 1: 'active', 2: 'payload', X: 'closing' } as const;
    keys['events'] = [...events].map((mark) => names[mark as keyof typeof names]);
    for (const key of one.keys.split(' ').filter((text) => text.startsWith(`${letter}.`))) {
      const [name = '', value = ''] = key.slice(2).split('=');
      keys[name] = /^\d+$/.test(value) ? Number(value) : value;
    }
    const own = one.actions.split(' ').filter((text) => text.startsWith(letter));
    return { keys, options: { letter, told, wanted: events, do: own.join(' ') } };
  });
}

/** What plugins in TypeScript are to show; the others' reasons: see below. */
const vectors = ['T1', 'T2', 'T3', 'T4', 'T5', 'T6', 'T7', 'T8', 'T9', 'T10'];
const edges = [
  'taken over before its first event',
  'take_over after detach_me',
  "take_over under another's lock",
  'take_over in CLOSING of one taken over',
  'errors below the limit',
  'detach twice',
  'drop without a packet',
  'lock twice',
  'metadata keys',
  'metadata, bytes',
  'lock goes with detachment',
];

async function check(engine: PluginEngine, one: Case): Promise<void> {
  const told = join(engine.folder, `${one.name.replaceAll(' ', '-')}.txt`);
  const { rows } = await engine.run(tcpFrames(), entriesOf(one, told));
  const lines = existsSync(told) ? readFileSync(told, 'utf8').trim().split('\n') : [];
  const calls = lines.filter((line) => !line.startsWith('=')).join(' ');
  const results = lines.filter((line) => line.startsWith('=')).map((line) => line.slice(2));
  if (one.calls !== '') assert.equal(calls, one.calls, one.name);
  assert.equal(results.join(' '), one.results, one.name);
  for (const text of one.after.split(' ')) {
    const [, letter, count, value] = /^([a-d])\.(\w+)=(\d+)$/.exec(text) ?? [];
    if (count === undefined || count === 'calls') continue; // calls: of arrays of events
    const row = rows.find(({ name }) => name === letter);
    assert.equal(row?.counts[count], Number(value), `${one.name}: ${text}`);
  }
}

test('take_over and CLOSING in TypeScript', async (t) => {
  const engine = new PluginEngine(loadBinding());
  t.after(() => engine.end());
  const cases = readCases();
  for (const name of [...vectors, ...edges]) {
    const one = cases.find((each) => each.name === name);
    assert.ok(one, `${name} is not in test/cases/session-calls.tsv any more`);
    await t.test(name, () => check(engine, one));
  }
});
