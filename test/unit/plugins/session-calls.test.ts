/** test/cases/session-calls.tsv with plugins in TypeScript, in an engine, over a TCP session. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { PluginEntry } from '../../../src/native/plugin-binding.ts';
import { type PluginEngine, tcpFrames, usePluginEngine } from '../../support/plugin-engine.ts';
import { readSource, root } from '../../support/source-tree.ts';
import { patientMs } from '../../support/written-plugin.ts';

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
    const keys: Record<string, string | number | string[]> = {
      path: script,
      name: letter,
      timeout_ms: patientMs,
    };
    const names = { O: 'opening', 1: 'active', 2: 'payload', C: 'conflict', X: 'closing' } as const;
    keys['events'] = [...events].map((mark) => names[mark as keyof typeof names]);
    for (const key of one.keys.split(' ').filter((text) => text.startsWith(`${letter}.`))) {
      const [name = '', value = ''] = key.slice(2).split('=');
      keys[name] = /^\d+$/.test(value) ? Number(value) : value;
    }
    const own = one.actions.split(' ').filter((text) => text.startsWith(letter));
    return { keys, options: { letter, told, wanted: events, do: own.join(' ') } };
  });
}

/** Rows that are about something this language has not. */
const without: Readonly<Record<string, string>> = {
  'no session': 'a session is that of the event: there is never none',
  "lock with another's number": 'lock() and unlock() take no number: it is always the own one',
  'metadata, free that comes back': 'values have no free of their own',
  'metadata, free that throws': 'values have no free of their own',
  'detach with a context': 'contexts are values of JavaScript: they do not leak (test below)',
  'context left behind': 'contexts are values of JavaScript: they do not leak (test below)',
};

async function check(engine: PluginEngine, one: Case): Promise<void> {
  const told = join(engine.folder, `${one.name.replaceAll(' ', '-')}.txt`);
  const frames = tcpFrames(1, { conflict: one.plugins.some(([, events]) => events.includes('C')) });
  const { rows, delivered } = await engine.run(frames, entriesOf(one, told), undefined, {}, 2);
  const lines = existsSync(told) ? readFileSync(told, 'utf8').trim().split('\n') : [];
  const calls = lines.filter((line) => !line.startsWith('=')).join(' ');
  if (one.calls !== '') assert.equal(calls, one.calls, one.name);
  for (const [letter] of one.plugins) {
    const results = lines.filter((line) => line.startsWith(`= ${letter}`));
    const expected = one.results.split(' ').filter((text) => text.startsWith(letter));
    assert.deepEqual(
      results.map((line) => line.slice(2)),
      expected,
      one.name,
    );
  }
  for (const text of one.after.split(' ')) {
    const [, dropped] = /^dropped=(\d+)$/.exec(text) ?? [];
    if (dropped !== undefined) assert.equal(delivered, frames.length - Number(dropped), text);
    const [, disabled] = /^disabled=(\w)$/.exec(text) ?? [];
    if (disabled !== undefined) {
      const off = rows.filter((row) => row.disabled).map(({ name }) => name);
      assert.deepEqual(off, [disabled]);
    }
    const [, letter, count, value] = /^([a-d])\.(\w+)=(\d+)$/.exec(text) ?? [];
    if (count === undefined) continue;
    const row = rows.find(({ name }) => name === letter);
    assert.equal(row?.counts[count], Number(value), `${one.name}: ${text}`);
  }
}

test('take_over and CLOSING in TypeScript; all edges of the calls', async (t) => {
  const engine = usePluginEngine(t);
  const cases = readCases();
  for (const name of Object.keys(without))
    assert.ok(
      cases.some((each) => each.name === name),
      `there is no row "${name}" any more`,
    );
  for (const one of cases) {
    const reason = without[one.name];
    if (reason === undefined) await t.test(one.name, () => check(engine, one));
    else t.diagnostic(`not in TypeScript: ${one.name}: ${reason}`);
  }
});

test('contexts that a plugin leaves behind are let go of, and are no leak', async (t) => {
  const engine = usePluginEngine(t);
  for (const actions of ['a1.context a1.detach', 'a1.context', 'a1.context a1.throw']) {
    const told = join(engine.folder, 'contexts.txt');
    const one = { name: '', plugins: [['a', 'O12X']], actions, keys: '' } as const;
    const entries = entriesOf({ ...one, calls: '', results: '', after: '' }, told);
    const { rows } = await engine.run(tcpFrames(), entries);
    assert.equal(rows[0]?.counts['ctx_leaks'], 0, actions);
  }
});
