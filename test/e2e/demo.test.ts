import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import { root } from '../support/source-tree.ts';
import { patienceMs, useWorld } from './world.ts';

function demo(...args: string[]) {
  const program = join(root, 'dist', 'scripts', 'dev', 'demo.js');
  return spawnSync(process.execPath, [program, ...args], {
    encoding: 'utf8',
    timeout: patienceMs * 2,
  });
}

test('the demo verifies what four consumers got, and ends by itself', () => {
  const { status, stdout, stderr } = demo();
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^verified: /m);
  for (const part of ['demo}0', 'demo}1', 'demo}2', 'demo}3', 'DIFFERENCE']) {
    assert.ok(stdout.includes(part), part);
  }
});

test('the demo takes any capture, whatever its name', (t) => {
  const world = useWorld(t);
  const path = join(world.folder, 'a capture?speed=1, with "signs".pcap');
  const { packets } = writeTraffic(path, { seed: 21, flows: 30 });
  const { status, stdout, stderr } = demo(path);
  assert.equal(status, 0, stdout + stderr);
  assert.ok(stdout.includes(`verified: ${packets} packets`), stdout);
});

test('the demo says what it cannot read: 6, 3', (t) => {
  const world = useWorld(t);
  assert.equal(demo(join(world.folder, 'nowhere.pcap')).status, 6);
  const text = world.file('text.txt', 'this is no capture\n');
  const { status, stderr } = demo(text);
  assert.equal(status, 3);
  assert.match(stderr, /text\.txt is neither pcap nor pcapng/);
});
