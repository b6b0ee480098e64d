/**
 * Plugins in TypeScript that do what they should not, in an engine of this process, beside one that
 * behaves: what goes wrong is said, packets go on by the policy, and the other one sees them all.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BricksError } from '../../../src/errors.ts';
import type { PluginEntry } from '../../../src/native/plugin-binding.ts';
import { type PluginEngine, udpFrames, usePluginEngine } from '../../support/plugin-engine.ts';
import { countsOf, plugin } from '../../support/written-plugin.ts';

/** Counts every packet; whatever its neighbour does, it is told of all. */
const neighbour = (engine: PluginEngine): PluginEntry =>
  plugin(
    engine,
    'neighbour',
    `figures: ['packets'], start(host) { count = () => host.count('packets'); },
    onPacket() { count(); },`,
    {},
    {},
    'let count: () => void;',
  );

/** Waits for the first warning, which is to be this. */
const said = async (engine: PluginEngine, message: RegExp): Promise<void> => {
  while (engine.warnings.length === 0) await sleep(5);
  assert.match(engine.warnings[0] ?? '', message);
};

const policies = [
  // 10 sessions of 4 packets; it fails at the second of each.
  { policy: 'pass', delivered: 40, seen: 40 },
  { policy: 'drop', delivered: 10, seen: 40 },
  // Closed at once: what still comes of it passes, and nobody is told.
  { policy: 'close', delivered: 40, seen: 20 },
] as const;

for (const { policy, delivered, seen } of policies) {
  test(`one that throws: its error is told, packets go on by on_error = ${policy}`, async (t) => {
    const engine = usePluginEngine(t);
    const entry = plugin(
      engine,
      'throws',
      "onPacket({ session }) { if (session.packets(0) === 2) throw new Error('not today'); },",
      { on_error: policy },
    );
    const ran = await engine.run(udpFrames(10, 4), [entry, neighbour(engine)]);
    assert.match(ran.warnings.join('\n'), /^throws: not today \(the first error is told\)$/m);
    const { errors, detached } = countsOf(ran.rows, 'throws');
    assert.deepEqual([errors, detached], [10, 10]);
    assert.equal(countsOf(ran.rows, 'neighbour')['packets'], seen);
    assert.equal(ran.delivered, delivered);
  });
}

for (const policy of ['pass', 'drop'] as const) {
  test(`one that loops for ever is ended and begins again; on_error = ${policy}`, async (t) => {
    const engine = usePluginEngine(t);
    const seen = JSON.stringify(join(engine.folder, 'seen'));
    const entry = plugin(
      engine,
      'loops',
      `onPacket({ session }) {
        if (session.packets(0) !== 2 || existsSync(${seen})) return;
        appendFileSync(${seen}, '');
        for (;;);
      },`,
      { timeout_ms: 2000, on_error: policy },
      {},
      "import { existsSync } from 'node:fs';",
    );
    const { rows, delivered } = await engine.run(
      udpFrames(10, 3),
      [entry, neighbour(engine)],
      () => said(engine, /^plugin loops: no answer within 2000 ms .*started again/),
      { batch: 1 },
    );
    const counts = countsOf(rows, 'loops');
    assert.equal(counts['script_timeouts'], 1);
    assert.equal(counts['script_restarts'], 1);
    assert.equal(counts['errors'], 1);
    // The one it hung at and the next of that session, and those that came while nobody was there.
    const lost = counts['script_lost'] ?? 0;
    assert.ok(lost > 0, `${lost} lost`);
    assert.equal(delivered, policy === 'pass' ? 30 : 30 - 2 - lost);
    assert.equal(countsOf(rows, 'neighbour')['packets'], 30);
  });
}

const hoards = 'onPacket() { for (;;) kept.push(new Array(10_000).fill(kept.length)); },';
const leaks = 'onPacket() { kept.push(new Array(100_000).fill(kept.length)); },';

for (const [name, body] of Object.entries({ hoards, leaks })) {
  test(`one that ${name} memory is ended and named, and begins again`, async (t) => {
    const engine = usePluginEngine(t);
    const limits = { memory_mb: 16, timeout_ms: 10_000 };
    const entry = plugin(engine, name, body, limits, {}, 'const kept: number[][] = [];');
    const ran = await engine.run(udpFrames(2, 50), [entry, neighbour(engine)], () =>
      said(engine, new RegExp(`^plugin ${name}: more memory than 16 MiB .*started again`)),
    );
    assert.equal(ran.delivered, 100);
    assert.equal(countsOf(ran.rows, 'neighbour')['packets'], 100);
  });
}

test('one that ends its thread is started again, and named', async (t) => {
  const engine = usePluginEngine(t);
  const entry = plugin(
    engine,
    'leaves',
    'onPacket({ session }) { if (session.packets(0) === 3) process.exit(3); },',
  );
  const ran = await engine.run(udpFrames(1, 6), [entry, neighbour(engine)], () =>
    said(engine, /^plugin leaves: it called exit\(3\)/),
  );
  assert.equal(ran.delivered, 6);
  assert.equal(countsOf(ran.rows, 'neighbour')['packets'], 6);
});

test('one that ends its thread while it is loaded is refused at once', (t) => {
  const engine = usePluginEngine(t);
  const ends = (when: string, before: string): PluginEntry =>
    plugin(engine, when, 'onPacket() {}, start() { process.exit(3); },', {}, {}, before);
  refused(engine, ends('starts', ''), /^starts: .*its thread has ended/);
  refused(engine, ends('loads', 'process.exit(4);'), /^loads: .*its thread has ended/);
});

/** A list that has a good one, and what it says to another. */
function refused(engine: PluginEngine, entry: PluginEntry, message: RegExp): void {
  const { binding } = engine;
  const list = binding.openPlugins();
  try {
    binding.setPlugins(list, [plugin(engine, 'good', 'onPacket() {},')]);
    assert.throws(
      () => binding.setPlugins(list, [entry]),
      (error) => {
        assert.ok(error instanceof BricksError);
        assert.match(error.message, message);
        return true;
      },
    );
    const left = binding.listPlugins(list).map(({ name, generation }) => `${name} ${generation}`);
    assert.deepEqual(left, ['good 1']);
  } finally {
    binding.closePlugins(list);
  }
}

const files: readonly (readonly [what: string, body: string, message: RegExp])[] = [
  ['an unknown key', 'onPaket() {},', /onPaket means nothing in a plugin; there are .*onPacket/],
  ['nothing to do', '', /it has none of onOpening/],
  ['onBatch without events', 'onBatch() {},', /onBatch needs events/],
  [
    'an unknown event',
    "events: ['pocket'], onBatch() {},",
    /there is no event pocket; there are opening/,
  ],
  ['a callback that is none', 'onPacket: 7 as never,', /onPacket is not a function/],
  [
    'an unknown protocol',
    "protocols: ['gopher' as never], onProtocol() {},",
    /there is no protocol gopher/,
  ],
  [
    'a wrong number',
    'copy: { payload: -1 }, onPacket() {},',
    /copy.payload is not a number of bytes/,
  ],
  ['wrong syntax', 'onPacket( {', /:\d+:\d+: /],
  [
    'a start that fails',
    "onPacket() {}, start() { throw new Error('no licence'); },",
    /no licence/,
  ],
];
for (const [what, body, message] of files) {
  test(`a file with ${what} is refused, and nothing has changed`, (t) => {
    const engine = usePluginEngine(t);
    refused(engine, plugin(engine, 'wrong', body), message);
  });
}

test('a missing file is refused by its name, and nothing has changed', (t) => {
  const engine = usePluginEngine(t);
  const missing = { keys: { path: join(engine.folder, 'absent.ts') }, options: {} };
  refused(engine, missing, /^absent: .*\/absent\.ts: No such file/);
});

test('an unknown key of the list, an unknown option: refused with those there are', (t) => {
  const engine = usePluginEngine(t);
  const write = (keys: PluginEntry['keys'], options: PluginEntry['options']): PluginEntry =>
    plugin(engine, 'unknown', 'onPacket() {},', keys, options);
  refused(engine, write({}, { colour: 'red' }), /no option "colour"/);
  refused(engine, write({ mode: 'perhaps' }, {}), /mode/);
  refused(engine, write({ max_error: 3 }, {}), /max_error/);
});
