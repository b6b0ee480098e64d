/** Plugins in TypeScript that behave, in an engine of this process. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { udpFrames, usePluginEngine } from '../../support/plugin-engine.ts';
import { countsOf, plugin, toldBy } from '../../support/written-plugin.ts';

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
    {},
    {},
    'let count: (n: number) => void;',
  );
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
