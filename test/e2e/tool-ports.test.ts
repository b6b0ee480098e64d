/**
 * Ports that need nothing of the program behind them: fifo:, tcp: and tap: with the programs that
 * people have. Each sees exactly the packets of its output.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { readCapture } from '../../src/capture/read.ts';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import { type Program, until, useWorld, type World } from './world.ts';

function has(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}

/** A replay through a LoadBalancer to these ports; how many packets it has. */
async function replay(world: World, ports: readonly string[]): Promise<number> {
  const capture = join(world.folder, 'in.pcap');
  const { packets } = writeTraffic(capture, { seed: 12, flows: 150 });
  const script = `
    lb = Brick.new("LoadBalancer")
    lb:connect_input("pcap:${capture}")
    ${ports.map((port) => `lb:connect_output("${port}")`).join('\n')}
    pe = PktEngine.new("e0")
    pe:link(lb)
    pe:start()`;
  const { code, stderr } = await world.run('bricks-server', ['-f', world.file('s.lua', script)]);
  assert.equal(code, 0, stderr);
  return packets;
}

/** Waits for the programs to end; what they wrote is what the ledger says, output by output. */
async function judge(
  world: World,
  sent: number,
  programs: readonly Program[],
  outs: readonly string[],
  ports: readonly string[],
): Promise<void> {
  for (const program of programs) {
    const { code, stderr } = await program.ended;
    assert.equal(code, 0, stderr);
  }
  await until('all is delivered', async () => (await world.ledger()).held === 0);
  const ledger = await world.ledger();
  assert.deepEqual([ledger.delivered, ledger.dropped, ledger.difference], [sent, {}, 0]);
  for (const [i, port] of ports.entries()) {
    const output = ledger.outputs.find(({ name }) => name === port);
    assert.equal(readCapture(outs[i] ?? '').records.length, output?.delivered, port);
  }
}

for (const consumers of [1, 3]) {
  test(`fifo: ${consumers} tcpdump -r`, async (t) => {
    if (!has('tcpdump')) return t.skip('tcpdump is not installed');
    const world = useWorld(t);
    const names = Array.from({ length: consumers }, (_, i) => join(world.folder, `fifo${i}`));
    const ports = names.map((name) => `fifo:${name}`);
    const sent = await replay(world, ports);
    const outs = names.map((name) => `${name}.out`);
    const programs = names.map((name, i) =>
      world.startProgram('tcpdump', ['-r', name, '-w', outs[i] ?? '']),
    );
    await judge(world, sent, programs, outs, ports);
  });

  test(`tcp: ${consumers} tshark -i TCP@`, async (t) => {
    if (!has('tshark')) return t.skip('tshark is not installed');
    const world = useWorld(t);
    const numbers = await freePorts(consumers);
    const ports = numbers.map((number, i) => `tcp:127.0.0.1:${number}${i % 2 ? '?ng=1' : ''}`);
    const sent = await replay(world, ports);
    const outs = numbers.map((number) => join(world.folder, `${number}.out`));
    const programs = numbers.map((number, i) =>
      world.startProgram('tshark', ['-q', '-i', `TCP@127.0.0.1:${number}`, '-w', outs[i] ?? '']),
    );
    await judge(world, sent, programs, outs, ports);
  });
}

/** Numbers that were free a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const numbers = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, '127.0.0.1', () => {
            const address = server.address();
            resolve(typeof address === 'object' && address ? address.port : 0);
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return numbers;
}
