/** Plugins in TypeScript loaded anew while their sessions live. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { udpFrames, usePluginEngine } from '../../support/plugin-engine.ts';
import { countsOf, plugin, toldBy } from '../../support/written-plugin.ts';

/** Counts packets in a context, and says how many there were. */
const counting = (generation: string): string => `figures: ['first', 'second'],
  start(host) { count = () => host.count('${generation}'); },
  onPacket({ session }) {
    session.context ??= { packets: 0 };
    session.context.packets += 1;
    count();
  },
  onClosing({ session }) { told('${generation} ' + session.context?.packets); },`;
const before = 'let count: () => void;';
const later = (frames: ReturnType<typeof udpFrames>): typeof frames =>
  frames.map((each) => ({ ...each, timeUs: each.timeUs + 1_000_000 }));

test('reload: new sessions get the new generation, old ones keep theirs', async (t) => {
  const engine = usePluginEngine(t);
  const { binding } = engine;
  const entry = plugin(engine, 'anew', counting('first'), {}, {}, before);
  const { rows, delivered } = await engine.run(udpFrames(10, 2), [entry], async (list, more) => {
    plugin(engine, 'anew', counting('second'), {}, {}, before);
    binding.reloadPlugins(list);
    assert.equal(binding.listPlugins(list)[0]?.generation, 2);
    await more(later(udpFrames(25, 3)));
    // What no longer compiles changes nothing: sessions that come get what there is.
    plugin(engine, 'anew', 'onPacket( {');
    assert.throws(() => binding.reloadPlugins(list), /anew\.ts:\d+:\d+/);
    assert.equal(binding.listPlugins(list)[0]?.generation, 2);
    await more(later(later(udpFrames(30, 1))));
  });
  assert.equal(delivered, 20 + 75 + 30);
  const counts = countsOf(rows, 'anew');
  assert.deepEqual([counts['first'], counts['second']], [10 * (2 + 3 + 1), 15 * (3 + 1) + 5]);
  const closed = toldBy(entry).sort();
  assert.deepEqual(closed, [
    ...Array.from({ length: 10 }, () => 'first 6'),
    ...Array.from({ length: 5 }, () => 'second 1'),
    ...Array.from({ length: 15 }, () => 'second 4'),
  ]);
  assert.equal(counts['errors'], 0);
  assert.equal(counts['ctx_leaks'], 0);
});

test('reload: a start that fails changes nothing, and is told', async (t) => {
  const engine = usePluginEngine(t);
  const { binding } = engine;
  const entry = plugin(engine, 'anew', counting('first'), {}, {}, before);
  const { rows } = await engine.run(udpFrames(5, 1), [entry], async (list, more) => {
    plugin(engine, 'anew', "onPacket() {}, start() { throw new Error('no licence'); },");
    assert.throws(() => binding.reloadPlugins(list), /no licence/);
    await more(later(udpFrames(10, 1)));
  });
  const counts = countsOf(rows, 'anew');
  assert.deepEqual([counts['first'], counts['second']], [15, 0]);
});
