import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { comparePartition } from '../../src/capture/compare.ts';
import { readCapture } from '../../src/capture/read.ts';
import type { ReplaySummary } from '../../src/cli/replay-progress.ts';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import { root } from '../support/source-tree.ts';
import { useWorld, type World } from './world.ts';

const groups = ['--to', 'zeek:3', '--to', 'ids:2'];
const pipes = ['zeek}0', 'zeek}1', 'zeek}2', 'ids}0', 'ids}1'];

function capture(world: World): { path: string; packets: number } {
  const path = join(world.folder, 'in.pcap');
  return { path, packets: writeTraffic(path, { seed: 3, flows: 300 }).packets };
}

async function replayInto(world: World, folder: string, path: string, ...more: string[]) {
  world.folderOf(folder);
  const command = `'${join(root, 'bin/bricks')}' cat {} -q -w ${folder}/{}.pcap`;
  const ended = await world.run('bricks', ['replay', path, ...groups, '--run', command, ...more]);
  const got = pipes.map((pipe) => readCapture(join(world.folder, folder, `${pipe}.pcap`)).records);
  return { ended, got };
}

test('replay: every group has all packets, balanced inside; the same for a seed', async (t) => {
  const world = useWorld(t);
  const { path, packets } = capture(world);
  const first = await replayInto(world, 'one', path, '--seed', '5', '--json');
  assert.equal(first.ended.code, 0, first.ended.stderr);
  const summary = JSON.parse(first.ended.stdout) as ReplaySummary;
  assert.deepEqual(
    [summary.packets, summary.delivered, summary.dropped, summary.held, summary.complete],
    [packets, packets * 2, {}, 0, true],
  );
  const input = readCapture(path).records;
  for (const group of [first.got.slice(0, 3), first.got.slice(3)]) {
    const verdict = comparePartition(input, group);
    assert.deepEqual(verdict.faults, []);
    assert.ok(group.every((records) => records.length > 0));
  }
  const second = await replayInto(world, 'two', path, '--seed', '5');
  assert.match(second.ended.stdout, /nothing lost/);
  const sizes = (got: typeof first.got) => got.map((records) => records.length);
  assert.deepEqual(sizes(second.got), sizes(first.got));
});

test('replay waits for consumers and says for whom; --timeout, --for, Ctrl-C', async (t) => {
  const world = useWorld(t);
  const { path } = capture(world);
  const late = await world.run('bricks', ['replay', path, '--to', 'zeek:2', '--timeout', '0.5']);
  assert.equal(late.code, 124);
  assert.match(late.stderr, /waiting for consumers of 'zeek\}0', 'zeek\}1'/);
  const words = ['--loop', '0', '--speed', '1', '--progress=json'];
  const replay = world.start('bricks', ['replay', path, '--to', 'a:1', ...words]);
  world.start('bricks', ['cat', 'a}0', '-q', '-w', '/dev/null']);
  await replay.says(/"packets":\d+/);
  replay.kill('SIGINT');
  assert.equal((await replay.ended).code, 130);
  const cut = world.start('bricks', ['replay', path, '--to', 'b:1', '--loop', '0', '--for', '0.5']);
  world.start('bricks', ['cat', 'b}0', '-q', '-w', '/dev/null']);
  const { code, stdout } = await cut.ended;
  assert.equal(code, 0, stdout);
  assert.match(stdout, /nothing lost/);
  for (const [args, pattern] of [
    [[path], /--to zeek:4/],
    [[path, '--to', 'zeek'], /GROUP:N/],
    [[path, '--to', 'z:1', '--speed', 'fast'], /--speed/],
  ] as const) {
    const wrong = await world.run('bricks', ['replay', ...args]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, pattern);
  }
  assert.equal((await world.run('bricks', ['replay', 'no.pcap', '--to', 'z:1'])).code, 6);
});
