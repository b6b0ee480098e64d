/**
 * The netmap: port, marked: against libbricks-netmap, which stands in for the kernel module. On a
 * machine with the module scripts/dev/netmap-check runs the same tests against that.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../support/source-tree.ts';
import { useWorld } from './world.ts';

const build = join(root, 'native/build/release');
const skip = existsSync(join(build, 'libbricks-netmap.so'))
  ? false
  : 'libbricks-netmap.so is not built';

test('netmap: port on pipes of libbricks-netmap, not of the kernel module', { skip }, async (t) => {
  const world = useWorld(t);
  assert.equal((await world.run('bricks-server', [])).code, 0);
  const program = ['run', '--', join(build, 'core_test'), 'netmap_device'];
  const { code, stdout, stderr } = await world.run('bricks', program);
  assert.equal(code, 0, stdout + stderr);
  t.diagnostic(stdout.trim());
  const [, passed = 0] = /(\d+) passed, 0 failed/.exec(stdout) ?? [];
  assert.ok(Number(passed) >= 4, stdout);
});
