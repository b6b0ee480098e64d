/** Plugins in TypeScript that tests write. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PluginEntry, PluginRow } from '../../src/native/plugin-binding.ts';
import type { PluginEngine } from './plugin-engine.ts';

/** For what is not about time-outs: a script's thread may have no turn for long. */
export const patientMs = 10_000;

/** A plugin's file in the engine's folder, with this in its definition and this before it. */
export function plugin(
  engine: PluginEngine,
  name: string,
  body: string,
  keys: PluginEntry['keys'] = {},
  options: PluginEntry['options'] = {},
  before = '',
): PluginEntry {
  const path = join(engine.folder, `${name}.ts`);
  writeFileSync(
    path,
    `import { appendFileSync } from 'node:fs';
import { codes, definePlugin, type PluginEvent, type PluginEvents } from 'bricks/plugin';
const told = (text: string): void => appendFileSync(${JSON.stringify(`${path}.txt`)}, text + '\\n');
interface Mine { packets: number }
${before}
export default definePlugin<Mine>({ name: '${name}', summary: 'for a test',\n${body}\n});\n`,
  );
  return { keys: { path, timeout_ms: patientMs, ...keys }, options };
}

/** The lines that it has told so far. */
export function toldBy(entry: PluginEntry): string[] {
  const path = `${entry.keys['path'] as string}.txt`;
  return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : [];
}

export function countsOf(
  rows: readonly PluginRow[],
  name: string,
): Readonly<Record<string, number>> {
  const row = rows.find((each) => each.name === name);
  assert.ok(row, name);
  return row.counts;
}
