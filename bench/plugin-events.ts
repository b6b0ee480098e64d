/**
 * session-events-ts: PACKET events of a Session to a plugin in TypeScript: the engine's thread and
 * the plugin's on a core each, 100,000 sessions, frames of 60 bytes in turns; with a call for each
 * event, for many, and without waiting for it (async).
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadBinding } from '../src/native/load.ts';
import { PluginThreads } from '../src/plugins/threads.ts';

const runs = 5;
const runMs = 500;
const frames = 'gen:60?flows=100000';

const onBatch = `events: ['packet'],
  onBatch(events) {
    for (let i = 0; i < events.length; i += 1) {
      const { packet } = events.at(i);
      if (packet !== undefined) bytes += packet.wireLength;
    }
  },`;
const onPacket = `onPacket({ packet }) {
    if (packet !== undefined) bytes += packet.wireLength;
  },`;

export interface PluginFigure {
  readonly name: string;
  readonly input: string;
  readonly unit: string;
  readonly values: number[];
}

const measured = [
  { name: 'session-events-ts', input: '100k, onBatch, sync', body: onBatch, mode: 'sync' },
  { name: 'session-events-ts', input: '100k, onPacket, sync', body: onPacket, mode: 'sync' },
  { name: 'session-events-ts', input: '100k, onBatch, async', body: onBatch, mode: 'async' },
] as const;

async function measure(folder: string, body: string, mode: string): Promise<number[]> {
  const binding = loadBinding();
  const path = join(folder, `${mode}${body.length}.ts`);
  writeFileSync(
    path,
    `import { definePlugin } from 'bricks/plugin';
let bytes = 0;
export default definePlugin({ name: 'bench', summary: 'adds up bytes', ${body} });
`,
  );
  const list = binding.openPlugins();
  const name = 'plugin-events';
  binding.setPlugins(list, [{ keys: { path, mode, timeout_ms: 10_000 }, options: {} }]);
  binding.createEngine(name, { batch: 256, cpu: availableParallelism() - 1 });
  try {
    const options = { plugins: list, midstream: true };
    const outlets = [{ name: 'null:' }];
    binding.apply(name, {
      inlets: [{ port: frames, brick: 0 }],
      bricks: [{ id: 's', kind: 'Session', options, level: 0, outlets }],
    });
    binding.start(name);
    // Of those that reached the plugin: asynchronously some are lost.
    const seen = (): number => {
      const counts = binding.listPlugins(list)[0]?.counts ?? {};
      return (counts['events'] ?? 0) - (counts['script_lost'] ?? 0);
    };
    await sleep(runMs);
    const values: number[] = [];
    for (let run = 0; run < runs; run += 1) {
      const begin = performance.now();
      const first = seen();
      await sleep(runMs);
      values.push((seen() - first) / (performance.now() - begin) / 1000);
    }
    binding.stop(name);
    return values;
  } finally {
    binding.deleteEngine(name);
    binding.closePlugins(list);
  }
}

export async function pluginFigures(wanted: (name: string) => boolean): Promise<PluginFigure[]> {
  const figures: PluginFigure[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'bricks-bench-'));
  const threads = new PluginThreads(loadBinding(), (_, text) => console.error(text));
  try {
    for (const { name, input, body, mode } of measured.filter((each) => wanted(each.name))) {
      figures.push({ name, input, unit: 'Mpps', values: await measure(folder, body, mode) });
    }
  } finally {
    await threads.close();
    rmSync(folder, { recursive: true, force: true });
  }
  return figures;
}
