/**
 * Seven programs that people have, unmodified, on each kind of port, alone and three of a kind:
 * one graph has a LoadBalancer for each of them. Each worker sees as many packets as the ledger
 * says that its output had; what the workers of a program found is what it finds in the capture.
 */
// Alone: seven programs at a time read in time.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { TimedFrame } from '../../src/traffic/conversations.ts';
import { pcapOf } from '../../src/traffic/traffic.ts';
import { makeWebTraffic } from '../../src/traffic/web.ts';
import { has, type StockProgram, searchPath, stockPrograms } from './stock-programs.ts';
import { refusals } from './tool-refusals.ts';
import { type OpenWay, openWays } from './tool-ways.ts';
import { type Program, until, useWorld, World } from './world.ts';

const seed = 21;
const traffic: readonly TimedFrame[] = makeWebTraffic(seed, 120);
/** Of this moment: argus takes no packets from an interface that are much older. */
const capture = (): Buffer => pcapOf(traffic, Math.floor(Date.now() / 1000));

const present = stockPrograms.filter(({ name, needs }) => has(name) && (!needs || has(needs)));

/** What a program finds in the whole capture, read from a file. */
const found = new Map<string, Promise<readonly string[]>>();

async function findsInWhole(program: StockProgram): Promise<readonly string[]> {
  const world = new World();
  try {
    const file = world.file('whole.pcap', capture());
    const args = [...program.open({ kind: 'file', name: file }), ...program.rest(world.folder)];
    const run = world.startProgram('env', [searchPath, program.name, ...args]);
    const { stdout } = await run.ended;
    return program.findings(world.folder, stdout).sort();
  } finally {
    await world.end();
  }
}

function expected(program: StockProgram): Promise<readonly string[]> {
  const known = found.get(program.name) ?? findsInWhole(program);
  found.set(program.name, known);
  return known;
}

interface Worker {
  readonly program: StockProgram;
  readonly run: Program;
  readonly folder: string;
  readonly port: string;
}

const findings = (workers: readonly Worker[]): string[] =>
  workers.flatMap(({ program, folder, run }) => program.findings(folder, run.stdout)).sort();

/** The graph: all programs' LoadBalancers behind one Duplicator. */
function script(input: string, ports: ReadonlyMap<StockProgram, readonly string[]>): string {
  const balancers = [...ports].map(
    ([{ name }, outputs]) => `
      dup:connect_output("to-${name}{0")
      lb = Brick.new("LoadBalancer")
      lb:connect_input("to-${name}}0")
      ${outputs.map((output) => `lb:connect_output("${output}")`).join('\n')}
      dup:link(lb)`,
  );
  return `dup = Brick.new("Duplicator")
    dup:connect_input("${input}")
    ${balancers.join('\n')}
    pe = PktEngine.new("e0")
    pe:link(dup)
    pe:start()`;
}

async function feed(t: TestContext, way: OpenWay, consumers: number): Promise<void> {
  t.diagnostic(`seed ${seed}, ${traffic.length} packets`);
  const world = useWorld(t);
  const place = await way.prepare(t, world);
  const input = world.file('in.pcap', capture());
  const ports = new Map<StockProgram, string[]>();
  for (const program of present) {
    const numbers = Array.from({ length: consumers }, (_, i) => i);
    ports.set(program, await Promise.all(numbers.map((i) => place.port(program.name, i))));
  }
  const graph = script(way.waits ? `pcap:${input}` : 'idle}0', ports);
  const server = await world.run('bricks-server', ['-f', world.file('s.lua', graph)]);
  assert.equal(server.code, 0, server.stderr);

  const workers: Worker[] = [];
  for (const [program, outputs] of ports) {
    for (const [i, port] of outputs.entries()) {
      const folder = world.folderOf(`${program.name}${i}`);
      const run = place.start(world, program, port, folder);
      workers.push({ program, run, folder, port });
    }
  }
  if (!way.waits) {
    await Promise.all(workers.map(({ program, run, port }) => place.listens(program, run, port)));
    const line = `dup:connect_input("pcap:${input}")`;
    const { code, stderr } = await world.run('bricks-shell', ['-c', line]);
    assert.equal(code, 0, stderr);
  }
  for (const program of present) {
    await t.test(program.name, async () => {
      const own = workers.filter((worker) => worker.program === program);
      await judge(world, way, own, await expected(program));
    });
  }
  const ledger = await world.ledger();
  assert.deepEqual(
    [ledger.delivered, ledger.dropped, ledger.held, ledger.difference],
    [traffic.length * present.length, {}, 0, 0],
  );
}

async function judge(
  world: World,
  way: OpenWay,
  workers: readonly Worker[],
  things: readonly string[],
): Promise<void> {
  const { program } = workers[0] as Worker;
  assert.ok(things.length > 0, `${program.name} finds nothing in the capture itself`);
  const interrupted = new Set<Program>();
  if (!way.ends || program.endless) {
    const told = (): boolean =>
      workers.some(({ run }) => run.isOver) || findings(workers).length >= things.length;
    await until(`${program.name} has found ${things.length} things`, told);
    for (const { run } of workers) {
      if (!run.isOver) interrupted.add(run);
      run.kill('SIGINT');
    }
  }
  for (const { run } of workers) {
    const { code, signal, stderr } = await run.ended;
    // Whatever it has died of, what it had is in its file: that is counted below.
    if (interrupted.has(run) && signal && signal === program.diesInterrupted) continue;
    const gone = way.isInterface && program.lastWords?.test(stderr);
    assert.deepEqual([code, signal], [gone ? 1 : 0, null], stderr);
  }
  assert.deepEqual(findings(workers), things);
  const { outputs } = await world.ledger();
  let sum = 0;
  for (const { run, folder, port } of workers) {
    const delivered = outputs.find(({ name }) => name === port)?.delivered;
    if (program.packets) {
      assert.equal(program.packets(folder, await run.ended), delivered, `packets of ${port}`);
    }
    assert.ok(delivered, `${port} had nothing`);
    sum += delivered;
  }
  assert.equal(sum, traffic.length);
}

for (const way of openWays) {
  for (const consumers of [1, 3]) {
    test(`${way.name}: ${consumers} of each program`, async (t) => {
      const reason = way.missing();
      if (reason) return t.skip(reason);
      await feed(t, way, consumers);
    });
  }
}

test('what programs cannot do with us they say as docs/tools.md does', async (t) => {
  const world = useWorld(t);
  for (const { program, tries, says } of refusals) {
    if (!has(program)) continue; // skipped by name below
    const { code, stdout, stderr } = await world.startProgram('env', [
      ...[searchPath, 'bash', '-c', tries],
    ]).ended;
    assert.notEqual(code, 0, tries);
    assert.match(stdout + stderr, says, tries);
  }
});

for (const { name, needs } of stockPrograms) {
  const missing = [name, needs].filter((program) => program && !has(program));
  if (missing.length > 0) {
    test(`${name} on every kind of port`, (t) => {
      t.skip(`${missing.join(' and ')} not installed; scripts/setup --tests installs it as root`);
    });
  }
}
