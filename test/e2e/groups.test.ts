/** Copies to groups, balanced within each: what happens in one group does not touch another. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comparePartition } from '../../src/capture/compare.ts';
import { membershipsOf } from '../../src/capture/flow.ts';
import { readCapture } from '../../src/capture/read.ts';
import type { CaptureRecord } from '../../src/capture/record.ts';
import type { Ledger } from '../../src/engine/ledger.ts';
import type { Status } from '../../src/engine/status.ts';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import { judged } from '../support/judged.ts';
import { type Program, until, useWorld, type World } from './world.ts';

async function lua(world: World, code: string): Promise<string> {
  const { code: exit, stdout, stderr } = await world.run('bricks-shell', ['-c', code]);
  assert.equal(exit, 0, stderr);
  return stdout.trim();
}

async function balanced(world: World): Promise<Ledger> {
  const ledger = await world.ledger();
  assert.equal(ledger.difference, 0);
  return ledger;
}

async function statusOf(world: World): Promise<Status> {
  return JSON.parse((await world.run('bricks', ['status', '--json'])).stdout) as Status;
}

test('consumers of one group die, the other group keeps getting all', async (t) => {
  const world = useWorld(t);
  writeTraffic(`${world.folder}/in.pcap`, { seed: 91, flows: 120 });
  const script = world.file(
    's.lua',
    `dup = Brick.new("Duplicator")
     dup:connect_input("pcap:${world.folder}/in.pcap?lossless=0&loop=0&speed=3")
     g = dup:connect_groups({ dies = 3, lives = 2 }, { on_loss = "failover" })
     pe = PktEngine.new("e0", nil, nil, { pipe_slots = 16384 }) pe:link(dup)`,
  );
  assert.equal((await world.run('bricks-server', ['-f', script])).code, 0);
  const pipes = ['dies}0', 'dies}1', 'dies}2', 'lives}0', 'lives}1'];
  const tools = new Map<string, Program>(
    pipes.map((pipe) => [
      pipe,
      world.start('bricks', ['cat', pipe, '-w', `${pipe}.pcap`, '--follow']),
    ]),
  );
  const ready = (count: number): Promise<void> =>
    until(`${count} are ready`, async () => {
      const outputs = (await statusOf(world)).engines[0]?.outputs ?? [];
      return outputs.filter((output) => output.ready).length === count;
    });
  await ready(5);
  await lua(world, 'pe:start()');
  const round = readCapture(`${world.folder}/in.pcap`).records;
  const afterRounds = async (): Promise<void> => {
    const { received } = await balanced(world);
    await until('rounds', async () => (await balanced(world)).received > received + round.length);
  };
  await afterRounds();
  for (const [left, pipe] of [
    [4, 'dies{0'],
    [3, 'dies{2'],
  ] as const) {
    const outputs = (await statusOf(world)).engines[0]?.outputs ?? [];
    process.kill(outputs.find(({ name }) => name === pipe)?.consumer ?? 0, 'SIGKILL');
    await ready(left);
    await afterRounds();
  }
  await lua(world, 'pe:stop()');
  const { received, outputs } = await balanced(world);
  await until('all is read', async () =>
    (await balanced(world)).outputs.every(
      ({ name, held }) => held === 0 || (/[02]$/.test(name) && /^dies/.test(name)),
    ),
  );
  for (const pipe of ['dies}1', 'lives}0', 'lives}1']) tools.get(pipe)?.kill('SIGTERM');
  for (const tool of tools.values()) await tool.ended;
  const recordsOf = (pipe: string): readonly CaptureRecord[] =>
    readCapture(`${world.folder}/${pipe}.pcap`).records;
  const lives = ['lives}0', 'lives}1'].map(recordsOf);
  const spoiled = outputs.filter(({ name, dropped }) => /^lives/.test(name) && sum(dropped) > 0);
  assert.deepEqual(spoiled, [], 'nothing was dropped there');
  assert.equal(lives.flat().length, received, 'the group that lives got every packet');
  const input = Array.from({ length: Math.ceil(received / round.length) }, () => round)
    .flat()
    .slice(0, received);
  const report = comparePartition(input, lives, judged);
  assert.ok(report.ok, report.faults.join('\n'));
  // And in the group that lost two, the one that is left has all flows in the end.
  const flowsOf = (records: readonly CaptureRecord[]): Set<string> =>
    new Set(membershipsOf(records).flatMap((member) => member?.flow ?? []));
  assert.deepEqual(flowsOf(recordsOf('dies}1').slice(-round.length)), flowsOf(round));
});

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
