/**
 * What README and the pages in docs/ say to type works when it is typed: blocks are taken from the
 * pages as they stand; an interface that this machine does not have becomes generated packets.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readCapture } from '../../src/capture/read.ts';
import { makeTraffic, pcapOf } from '../../src/traffic/traffic.ts';
import { readSource, root } from '../support/source-tree.ts';
import { until, useWorld, type World } from './world.ts';

const release = join(root, 'native/build/release');
const unbuilt = existsSync(join(release, 'plugins/firewall.so'))
  ? false
  : 'plugins are not built: make -C native core_test';

/** The first block of that language on a page that has `word` in it. */
function block(page: string, language: string, word: string): string {
  const blocks = [...readSource(page).matchAll(/^```(\w+)\n(.*?)^```/gms)];
  const found = blocks.find(([, name, text]) => name === language && text?.includes(word));
  assert.ok(found?.[2] !== undefined, `${page}: no block of ${language} with ${word}`);
  return found[2];
}

const generated = (script: string) =>
  script.replaceAll(/connect_input\("eth3"\)/g, 'connect_input("gen:60?flows=10")');

/** Of the capture that all of them read. */
const traffic = makeTraffic({ seed: 5, flows: 20, packets: 600 });
const packets = traffic.length;
function addCapture(world: World): void {
  world.file('in.pcap', pcapOf(traffic));
}
const count = (world: World, file: string) => readCapture(join(world.folder, file)).records.length;

/** A line of a block for sh: `bin/NAME WORDS # why`, as name and words. */
function commandOf(line: string): { name: string; words: string[] } {
  const [program = '', ...words] = line
    .replace(/#.*$/, '')
    .trim()
    .match(/'[^']*'|\S+/g)
    ?.map((word) => word.replace(/^'|'$/g, '')) ?? [''];
  return { name: program.replace('bin/', ''), words };
}

test('start.md: a file is split into files', async (t) => {
  const world = useWorld(t);
  addCapture(world);
  world.file('split.lua', block('docs/start.md', 'lua', 'pcap:b.pcap'));
  const { words } = commandOf(block('docs/start.md', 'sh', 'split.lua').replace('< /dev/null', ''));
  const { code, stdout, stderr } = await world.run('bricks', words);
  assert.equal(code, 0, stderr);
  assert.equal(count(world, 'a.pcap') + count(world, 'b.pcap'), packets);
  assert.match(stdout, /main/);
});

test('README: the script runs, and consumers get what it splits', async (t) => {
  const world = useWorld(t);
  addCapture(world);
  const script = world.file('split.lua', block('README.md', 'lua', 'connect_outputs("web", 2)'));
  const consumers = ['web}0', 'web}1'].map((pipe, i) =>
    world.start('bricks', ['cat', pipe, '-w', `${i}.pcap`]),
  );
  const shell = world.start('bricks', ['-f', script]);
  await until('all is delivered or dropped', async () => {
    const { received } = await world.ledger().catch(() => ({ received: 0 }));
    return received === packets;
  });
  shell.endInput();
  assert.equal((await shell.ended).code, 0);
  for (const consumer of consumers) assert.equal((await consumer.ended).code, 0);
});

test('start.md: pipes, looking, changing, stopping', async (t) => {
  const world = useWorld(t);
  addCapture(world);
  world.file('pipes.lua', block('docs/start.md', 'lua', 'speed=1'));
  const [first = ''] = block('docs/start.md', 'sh', 'bricks-server').split('\n');
  const server = commandOf(first);
  const started = await world.run(server.name, server.words);
  assert.equal(started.code, 0, started.stderr);
  const consumer = world.start('bricks', ['cat', 'web}1', '-w', 'one.pcap']);
  for (const line of block('docs/start.md', 'sh', 'ledger --json').trimEnd().split('\n')) {
    const { name, words } = commandOf(line);
    const { code, stdout, stderr } = await world.run(name, words);
    assert.equal(code, 0, `${line}: ${stderr}`);
    if (words.length > 0) assert.notEqual(stdout, '', line);
  }
  const changes = block('docs/start.md', 'lua', 'pcap:extra.pcap');
  const changed = await world.run('bricks-shell', [], changes);
  assert.equal(changed.code, 0, changed.stderr);
  assert.doesNotMatch(changed.stdout + changed.stderr, /error|E_/i);
  const stop = await world.run(commandOf(block('docs/start.md', 'sh', 'kill-server')).name, []);
  assert.equal(stop.code, 0, stop.stderr);
  assert.equal((await consumer.ended).code, 0);
  assert.ok(existsSync(join(world.folder, 'extra.pcap')));
});

test('queues.md: a group, a brick, another rate, and away', async (t) => {
  const world = useWorld(t);
  const script = generated(block('docs/queues.md', 'lua', 'queue_group'));
  const file = world.file('q.lua', `pe = PktEngine.new("e0")\n${script}`);
  const { code, stdout, stderr } = await world.run('bricks', ['-f', file]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^\d+$/m);
});

test('plugins.md: a Session with two plugins, a reload, others', { skip: unbuilt }, async (t) => {
  const world = useWorld(t);
  const put = (from: string, to: string) => copyFileSync(from, join(world.folder, to));
  put(join(release, 'plugins/firewall.so'), 'firewall.so');
  put(join(release, 'plugins/session_counter.so'), 'other.so');
  put(join(root, 'examples/plugins/flow_logger.lua'), 'flow_logger.lua');
  const script = generated(block('docs/plugins.md', 'lua', 'firewall.so'));
  const file = world.file('s.lua', `${script}\nprint("left", s:plugins()[1].name)`);
  const { code, stdout, stderr } = await world.run('bricks', ['-f', file]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /left\tother/);
});

const hasCompiler = spawnSync('cc', ['--version']).error === undefined;
const noCompiler = hasCompiler ? false : 'no cc: scripts/setup';

test('plugins.md: the plugin in C builds as written', { skip: noCompiler }, async (t) => {
  const world = useWorld(t);
  world.file('short.c', block('docs/plugins.md', 'c', 'drops long packets'));
  const line = block('docs/plugins.md', 'sh', '-o short.so').trim();
  const command = line.replace('-I native/abi', `-Wall -Werror -I ${root}/native/abi`);
  const made = spawnSync('sh', ['-c', command], { cwd: world.folder, encoding: 'utf8' });
  assert.equal(made.status, 0, made.stderr);
  const { code, stdout } = await world.run('bricks', ['plugin', 'check', 'short.so']);
  assert.equal(code, 0);
  assert.match(stdout, /short/);
});

test('packet-io.md: the program in C copies a capture', { skip: noCompiler }, (t) => {
  const world = useWorld(t);
  addCapture(world);
  const body = block('docs/packet-io.md', 'c', 'packet_io_rx');
  world.file('copy.c', `#include <bricks_packet_io.h>\nint main(void) {\n${body}return 0;\n}\n`);
  const library = join(release, 'libbricks-packet-io.so');
  const words = ['-Wall', '-Werror', `-I${root}/native/abi`, '-o', 'copy', 'copy.c', library];
  const made = spawnSync('cc', words, { cwd: world.folder, encoding: 'utf8' });
  assert.equal(made.status, 0, made.stderr);
  const env = { ...process.env, LD_LIBRARY_PATH: release };
  const ran = spawnSync('./copy', { cwd: world.folder, encoding: 'utf8', env });
  assert.equal(ran.status, 0, ran.stderr);
  assert.equal(count(world, 'out.pcap'), packets);
});
