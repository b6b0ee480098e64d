/** Plugins in TypeScript that behave, and some that do not, in an engine of this process. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BricksError } from '../../../src/errors.ts';
import type { PluginEntry, PluginRow } from '../../../src/native/plugin-binding.ts';
import { type PluginEngine, udpFrames, usePluginEngine } from '../../support/plugin-engine.ts';

/** A plugin's file with this in its definition. */
function plugin(
  engine: PluginEngine,
  name: string,
  body: string,
  keys: PluginEntry['keys'] = {},
  options: PluginEntry['options'] = {},
): PluginEntry {
  const path = join(engine.folder, `${name}.ts`);
  writeFileSync(
    path,
    `import { appendFileSync } from 'node:fs';
import { codes, definePlugin, type PluginEvent, type PluginEvents } from 'bricks/plugin';
const told = (text: string): void => appendFileSync(${JSON.stringify(`${path}.txt`)}, text + '\\n');
interface Mine { packets: number }
export default definePlugin<Mine>({ name: '${name}', summary: 'for a test',\n${body}\n});\n`,
  );
  return { keys: { path, ...keys }, options };
}

const toldBy = (entry: PluginEntry): string[] =>
  readFileSync(`${entry.keys['path'] as string}.txt`, 'utf8')
    .trimEnd()
    .split('\n');

function countsOf(rows: readonly PluginRow[], name: string): Readonly<Record<string, number>> {
  const row = rows.find((each) => each.name === name);
  assert.ok(row, name);
  return row.counts;
}

test('sees sessions, packets and payload, and keeps a context of each', async (t) => {
  const engine = usePluginEngine(t);
  const entry = plugin(
    engine,
    'sees',
    `copy: { payload: 64, frame: 0 }, figures: ['seen'],
    options: { file: { type: 'text', summary: 'lines', preset: '' } },
    onPacket(event: PluginEvent<Mine>) {
      const mine = (event.session.context ??= { packets: 0 });
      const text = Buffer.from(event.payload).toString();
      if (!text.startsWith('packet ' + mine.packets + ' of ')) told('wrong: ' + text);
      if (event.packet?.payloadLength !== text.length) told('wrong length');
      mine.packets += 1;
    },
    onClosing({ session, packet }) {
      const { state, protocol, closeReason } = session;
      const packets = [session.packets(0), session.packets(1)];
      const facts = [session.context?.packets, state, protocol, closeReason > 11, packets];
      told([...facts, !packet].join(' '));
    },`,
  );
  const { rows, delivered } = await engine.run(udpFrames(20, 5), [entry]);
  assert.equal(delivered, 100);
  assert.deepEqual(new Set(toldBy(entry)), new Set(['5 closing 17 true 5,0 true']));
  assert.equal(toldBy(entry).length, 20);
  assert.equal(countsOf(rows, 'sees')['ctx_leaks'], 0);
  assert.equal(countsOf(rows, 'sees')['events'], 120);
});

test('drops packets, many sessions at a time', async (t) => {
  const engine = usePluginEngine(t);
  const entry = plugin(
    engine,
    'batch',
    `events: ['packet'], figures: ['seen'],
    start(host) { count = (n) => host.count('seen', n); },
    onBatch(events: PluginEvents<Mine>) {
      count(events.length);
      for (let i = 0; i < events.length; i += 1) {
        const event = events.at(i);
        if (event.session.packets(0) % 2 === 0 && event.drop() !== codes.done) told('no');
      }
    },`,
  );
  const path = entry.keys['path'] as string;
  writeFileSync(path, `let count: (n: number) => void;\n${readFileSync(path, 'utf8')}`);
  const { rows, delivered } = await engine.run(udpFrames(300, 4), [entry]);
  assert.equal(delivered, 600);
  assert.equal(countsOf(rows, 'batch')['seen'], 1200);
});

test('metadata keep their types from plugin to plugin', async (t) => {
  const engine = usePluginEngine(t);
  const writer = plugin(
    engine,
    'writer',
    `onOpening({ session }) {
      const values = { i: 12n, n: 0.5, b: true, y: Uint8Array.of(1, 0, 2), t: 'text' };
      for (const [key, value] of Object.entries(values))
        told(String(session.setMetadata(key, value)));
      told(String(session.setMetadata('k'.repeat(64), 1)), );
      told(String(session.setMetadata('big', new Uint8Array(70000))));
    },`,
  );
  const reader = plugin(
    engine,
    'reader',
    `onOpening({ session }) {
      for (const key of ['i', 'n', 'b', 'y', 't', 'absent']) {
        const value = session.getMetadata(key);
        told(typeof value + ' ' + String(value) + ' ' + session.code);
      }
    },`,
  );
  await engine.run(udpFrames(1, 1), [writer, reader]);
  assert.deepEqual(toldBy(writer), ['0', '0', '0', '0', '0', '-22', '-12']);
  assert.deepEqual(toldBy(reader), [
    'bigint 12 0',
    'number 0.5 0',
    'boolean true 0',
    'object 1,0,2 0',
    'object 116,101,120,116 0',
    'undefined undefined -2',
  ]);
});

test('an event that fails is one session’s: the others go on', async (t) => {
  const engine = usePluginEngine(t);
  const entry = plugin(
    engine,
    'fails',
    `onPacket({ session, payload }) {
      session.context = { packets: 1 };
      if (session.packets(0) === 2 && session.id % 10 === 3) throw new Error('every tenth');
    },`,
  );
  const { rows, delivered } = await engine.run(udpFrames(100, 4), [entry]);
  assert.equal(delivered, 400);
  const counts = countsOf(rows, 'fails');
  assert.equal(counts['errors'], 10);
  assert.equal(counts['detached'], 10);
  assert.equal(counts['events'], 400 - 20);
});

test('calls outside of a callback, and an event kept for later, are refused', async (t) => {
  const engine = usePluginEngine(t);
  const entry = plugin(
    engine,
    'keeps',
    `onOpening(event: PluginEvent<Mine>) {
      queueMicrotask(() => told([event.session.kill(), event.drop()].join(' ')));
    },
    onClosing() { told('closing'); },`,
  );
  await engine.run(udpFrames(1, 1), [entry], async () => {
    while (!toldBy(entry).includes('-201 -201')) await sleep(5);
  });
  assert.deepEqual(toldBy(entry).sort(), ['-201 -201', 'closing']);
});

test('one that loops for ever is ended and begins again; packets go by its policy', async (t) => {
  const engine = usePluginEngine(t);
  const entry = plugin(
    engine,
    'loops',
    `onPacket({ session }) {
      if (session.packets(0) !== 2 || existsSync(seen)) return;
      appendFileSync(seen, '');
      for (;;);
    },`,
    { timeout_ms: 200, on_error: 'drop' },
  );
  const path = entry.keys['path'] as string;
  const seen = JSON.stringify(`${path}.seen`);
  const head = `import { existsSync } from 'node:fs';\nconst seen = ${seen};\n`;
  writeFileSync(path, head + readFileSync(path, 'utf8'));
  const restarted = async (): Promise<void> => {
    while (!engine.warnings.some((text) => text.includes('started again'))) await sleep(5);
  };
  const frames = udpFrames(10, 3);
  const { rows, delivered } = await engine.run(frames, [entry], restarted, { batch: 1 });
  const counts = countsOf(rows, 'loops');
  assert.equal(counts['script_timeouts'], 1);
  assert.equal(counts['script_restarts'], 1);
  assert.equal(counts['errors'], 1);
  // The one it hung at and the next of that session, and those that came while nobody was there.
  const lost = counts['script_lost'] ?? 0;
  assert.ok(lost > 0 && delivered === 30 - 2 - lost, `${delivered} delivered, ${lost} lost`);
  assert.match(engine.warnings.join('\n'), /plugin loops: no answer within 200 ms/);
});

test('one that takes too much memory is ended, and named', async (t) => {
  const engine = usePluginEngine(t);
  const entry = plugin(
    engine,
    'hoards',
    `onPacket() {
      const all: object[] = [];
      for (;;) all.push({ a: [1, 2, 3], b: { c: all.length } });
    },`,
    { memory_mb: 16, timeout_ms: 10_000 },
  );
  const { delivered } = await engine.run(udpFrames(2, 1), [entry], async () => {
    while (engine.warnings.length === 0) await sleep(5);
  });
  assert.equal(delivered, 2);
  assert.match(engine.warnings.join('\n'), /plugin hoards: more memory than 16 MiB/);
});

test('asynchronously: nobody waits, and what it says holds from the next packet on', async (t) => {
  const engine = usePluginEngine(t);
  const entry = plugin(
    engine,
    'later',
    `onPacket({ session }) {
      session.context ??= { packets: 0 };
      session.context.packets += 1;
      if (session.lock() !== codes.notSupported) told('locked');
    },
    onClosing({ session }) { told(String(session.context?.packets)); },`,
    { mode: 'async' },
  );
  const { rows, delivered } = await engine.run(udpFrames(50, 3), [entry], async () => {
    while (engine.binding.snapshot().length === 0) await sleep(1);
  });
  assert.equal(delivered, 150);
  assert.equal(countsOf(rows, 'later')['script_lost'], 0);
});

test('what is wrong with a file is said, and nothing is loaded', async (t) => {
  const engine = usePluginEngine(t);
  const { binding } = engine;
  const list = binding.openPlugins();
  t.after(() => binding.closePlugins(list));
  const wrong: readonly (readonly [body: string, message: RegExp])[] = [
    ['onPaket() {},', /onPaket means nothing in a plugin; there are .*onPacket/],
    ['', /it has none of onOpening/],
    ['onBatch() {},', /onBatch needs events/],
    ["events: ['pocket'], onBatch() {},", /there is no event pocket; there are opening/],
    ['onPacket: 7 as never,', /onPacket is not a function/],
    ["protocols: ['gopher' as never], onProtocol() {},", /there is no protocol gopher/],
    ['copy: { payload: -1 }, onPacket() {},', /copy.payload is not a number of bytes/],
    ['onPacket( {', /:\d+:\d+: /],
    ["onPacket() {}, start() { throw new Error('no licence'); },", /no licence/],
  ];
  const good = plugin(engine, 'good', 'onPacket() {},');
  binding.setPlugins(list, [good]);
  wrong.forEach(([body, message], i) => {
    assert.throws(
      () => binding.setPlugins(list, [plugin(engine, `wrong${i}`, body)]),
      (error) => error instanceof BricksError && message.test(error.message),
      String(message),
    );
  });
  const missing = { keys: { path: join(engine.folder, 'absent.ts') }, options: {} };
  assert.throws(() => binding.setPlugins(list, [missing]), /absent\.ts/);
  const unknown = plugin(engine, 'unknown', 'onPacket() {},', {}, { colour: 'red' });
  assert.throws(() => binding.setPlugins(list, [unknown]), /colour/);
  const mode = plugin(engine, 'mode', 'onPacket() {},', { mode: 'perhaps' });
  assert.throws(() => binding.setPlugins(list, [mode]), /mode/);
  assert.deepEqual(
    binding.listPlugins(list).map(({ name }) => name),
    ['good'],
  );
});

test('loaded anew: the file as it is now', async (t) => {
  const engine = usePluginEngine(t);
  const { binding } = engine;
  const list = binding.openPlugins();
  t.after(() => binding.closePlugins(list));
  const entry = plugin(engine, 'anew', "onPacket() {}, start() { told('first'); },");
  binding.setPlugins(list, [entry]);
  plugin(engine, 'anew', "onPacket() {}, start() { told('second'); },");
  binding.reloadPlugins(list);
  assert.deepEqual(toldBy(entry), ['first', 'second']);
  assert.equal(binding.listPlugins(list)[0]?.generation, 2);
});
