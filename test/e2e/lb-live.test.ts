/** `bricks lb` on an interface, as Zeek's manual has it, in a network of its own. */
// Alone: it changes outputs under full load.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseCapture } from '../../src/capture/read.ts';
import type { Status } from '../../src/engine/status.ts';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import { root } from '../support/source-tree.ts';
import { noNetwork, useNetwork } from '../support/veth-network.ts';
import { Program, until, useWorld } from './world.ts';

const noReplay = spawnSync('tcpreplay', ['--version']).status !== 0 && 'tcpreplay is not there';

test('lb -i IF -p zeek:2: default names too, all arrive', {
  skip: noNetwork || noReplay,
}, async (t) => {
  const world = useWorld(t);
  const network = useNetwork(t, [{ name: 'cap0' }]);
  const capture = join(world.folder, 'in.pcap');
  const { packets } = writeTraffic(capture, { seed: 11, flows: 120 });
  const lb = ['lb', '-i', 'netmap:cap0', '-p', 'zeek:2', '-p', '1', '-w', '0', '-B', '5000'];
  const [command, args] = network.command(join(root, 'bin', 'bricks'), lb);
  const program = new Program(spawn(command, args, { env: world.env }));
  t.after(() => program.kill('SIGKILL'));
  const consumers = ['zeek}0', 'zeek}1', 'cap0}0'].map((pipe, index) => {
    const file = join(world.folder, `${index}.pcap`);
    return { file, program: world.start('bricks', ['cat', pipe, '-w', file]) };
  });
  await until('three outputs have their consumers', async () => {
    const { code, stdout } = await world.run('bricks', ['status', '--json']);
    const engine = code === 0 ? (JSON.parse(stdout) as Status).engines[0] : undefined;
    const read = engine?.outputs.filter(({ consumer }) => consumer > 0) ?? [];
    return engine?.state === 'running' && read.length === 3;
  });
  network.send('cap0', capture);
  await until('all have been received and read', async () => {
    const { received, held } = await world.ledger();
    return received >= packets && held === 0;
  });
  program.kill('SIGINT');
  const { code, stdout, stderr } = await program.ended;
  assert.deepEqual([code, stderr], [0, '']);
  const total = 2 * packets;
  assert.equal(stdout, `${total} packets forwarded.  0 packets dropped. Total ${total}\n`);
  const counts = [];
  for (const consumer of consumers) {
    assert.equal((await consumer.program.ended).code, 0, consumer.program.text);
    const { file } = consumer;
    counts.push(parseCapture(readFileSync(file), file).records.length);
  }
  const [zero = 0, one = 0, all = 0] = counts;
  assert.deepEqual([zero + one, all], [packets, packets]);
  assert.ok(zero > 0 && one > 0);
});
