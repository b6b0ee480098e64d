/**
 * Programs of other people, unmodified, on pipes: each sees exactly the packets of its pipe.
 * A program that is not installed is skipped by name; scripts/setup --tests installs them.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readCapture } from '../../src/capture/read.ts';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import { root } from '../support/source-tree.ts';
import { type Ended, type Program, until, useWorld, type World } from './world.ts';

const library = join(root, 'native/build/release/libbricks-pcap.so');
const flows = 150;

function has(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`], { env: searched }).status === 0;
}

const searched = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };

/** A replay through a LoadBalancer to `count` pipes t{0, t{1, ...; waits for their consumers. */
async function serve(world: World, count: number): Promise<number> {
  const capture = join(world.folder, 'in.pcap');
  const { packets } = writeTraffic(capture, { seed: 11, flows });
  const script = `
    lb = Brick.new("LoadBalancer")
    lb:connect_input("pcap:${capture}")
    lb:connect_outputs("t", ${count})
    pe = PktEngine.new("e0")
    pe:link(lb)
    pe:start()`;
  const { code, stderr } = await world.run('bricks-server', ['-f', world.file('s.lua', script)]);
  assert.equal(code, 0, stderr);
  return packets;
}

function preloaded(world: World, command: string, ...args: string[]): Program {
  return world.startProgram('env', [
    `LD_PRELOAD=${library}`,
    `PATH=${searched.PATH}`,
    command,
    ...args,
  ]);
}

interface Tool {
  readonly name: string;
  /** Arguments that read `device` and leave what was seen at `out`. */
  args(device: string, out: string): string[];
  /** Packets that it says, or has written down, that it has seen; undefined: it does not tell. */
  count(out: string, ended: Ended): number | undefined;
  /** It goes on when its input has ended: interrupt it. */
  readonly endless?: boolean;
}

const said = (text: string, pattern: RegExp): number => {
  const found = pattern.exec(text);
  assert.ok(found, `it does not say how many packets: ${text.slice(-400)}`);
  return Number(found[1]);
};

const tools: readonly Tool[] = [
  {
    name: 'tcpdump',
    args: (device, out) => ['-n', '-U', '-i', device, '-w', out],
    count: (out, { stderr }) => {
      const packets = readCapture(out).records.length;
      assert.equal(said(stderr, /(\d+) packets captured/), packets);
      assert.equal(said(stderr, /(\d+) packets dropped by kernel/), 0);
      return packets;
    },
  },
  {
    name: 'tshark',
    args: (device, out) => ['-n', '-q', '-i', device, '-w', out],
    count: (out) => readCapture(out).records.length,
  },
  {
    name: 'ngrep',
    args: (device, out) => ['-q', '-d', device, '-O', out, ''],
    count: () => undefined, // it keeps to what it knows: TCP, UDP, ICMP over IP
  },
  {
    name: 'p0f',
    args: (device, out) => ['-i', device, '-o', out],
    count: () => undefined, // it looks at TCP only
  },
  {
    name: 'tcpflow',
    args: (device, out) => ['-q', '-i', device, '-o', `${out}.flows`],
    count: () => undefined,
  },
  {
    name: 'argus',
    args: (device, out) => ['-i', device, '-w', out],
    count: () => undefined,
    endless: true,
  },
];

/** Runs the tool on each pipe of a replay; returns what they had, all together. */
async function feed(t: TestContext, tool: Tool, consumers: number): Promise<string> {
  const world = useWorld(t);
  const sent = await serve(world, consumers);
  const programs: Program[] = [];
  const outs: string[] = [];
  for (let i = 0; i < consumers; i++) {
    const out = join(world.folderOf(`out${i}`), 'seen');
    outs.push(out);
    programs.push(preloaded(world, tool.name, ...tool.args(`bricks:t}${i}`, out)));
  }
  const deliveredAll = async (): Promise<boolean> => {
    const gone = programs.find(({ isOver }) => isOver);
    const ledger = await world.ledger();
    if (ledger.delivered === sent) return true;
    if (gone && programs.every(({ isOver }) => isOver)) {
      throw new Error(`all have ended at ${ledger.delivered} of ${sent}: ${gone.text}`);
    }
    return false;
  };
  await until(`${tool.name} has read ${sent} packets`, deliveredAll);
  if (tool.endless) for (const program of programs) program.kill('SIGINT');
  const ended = await Promise.all(programs.map(({ ended: over }) => over));
  const ledger = await world.ledger();
  assert.deepEqual(
    [ledger.delivered, ledger.dropped, ledger.held, ledger.difference],
    [sent, {}, 0, 0],
  );
  for (let i = 0; i < consumers; i++) {
    const count = tool.count(outs[i] ?? '', ended[i] as Ended);
    const output = ledger.outputs.find(({ name }) => name === `t{${i}`);
    if (count !== undefined) assert.equal(count, output?.delivered, `pipe ${i}`);
  }
  if (tool.name !== 'tcpflow') return '';
  // Contents: the same files for any number of workers.
  const files = outs.flatMap((out) =>
    readdirSync(`${out}.flows`)
      .filter((name) => name !== 'report.xml')
      .map((name) => `${name} ${readFileSync(join(`${out}.flows`, name)).toString('base64')}`),
  );
  return files.sort().join('\n');
}

for (const tool of tools) {
  test(`preload: ${tool.name} on a pipe, and three of them on three`, async (t) => {
    if (!has(tool.name)) return t.skip(`${tool.name} is not installed`);
    const one = await feed(t, tool, 1);
    const three = await feed(t, tool, 3);
    assert.equal(three, one);
    if (tool.name === 'tcpflow') assert.ok(one.length > 1000);
  });
}

test('preload: tcpdump filters, is interrupted, and says what is wrong', async (t) => {
  if (!has('tcpdump')) return t.skip('tcpdump is not installed');
  const world = useWorld(t);
  const script = `
    lb = Brick.new("Duplicator")
    lb:connect_input("gen:60?flows=100&seed=1")
    lb:connect_outputs("t", 2)
    pe = PktEngine.new("e0")
    pe:link(lb)
    pe:start()`;
  await world.run('bricks-server', ['-f', world.file('s.lua', script)]);
  const some = preloaded(world, 'tcpdump', '-n', '-i', 'bricks:t}0', '-c', '50', 'ip');
  const first = await some.ended;
  assert.equal(first.code, 0, first.stderr);
  assert.equal(first.stdout.trim().split('\n').length, 50);
  const endless = preloaded(world, 'tcpdump', '-n', '-i', 'bricks:t}1', '-w', '/dev/null');
  await endless.says(/listening on bricks:t}1, link-type EN10MB/);
  await until('it reads', async () => (await world.delivered('t{1')) > 10_000);
  endless.kill('SIGINT');
  const interrupted = await endless.ended;
  assert.equal(interrupted.code, 0, interrupted.stderr);
  // Full pipes drop: what tcpdump says it missed is what the ledger says, and no more.
  const missed = said(interrupted.stderr, /(\d+) packets dropped by kernel/);
  const { outputs } = await world.ledger();
  const dropped = Object.values(outputs.find(({ name }) => name === 't{1')?.dropped ?? {});
  assert.ok(missed > 0 && missed <= dropped.reduce((sum, n) => sum + n, 0));
  const none = await preloaded(world, 'tcpdump', '-i', 'bricks:no}1').ended;
  assert.equal(none.code, 1);
  assert.match(none.stderr, /no}1/);
});

test('preload: every call of libpcap that takes a handle is served or passed on', (t) => {
  const header = '/usr/include/pcap/pcap.h';
  if (!existsSync(header) || !has('nm')) return t.skip(`needs ${header} and nm`);
  const exported = (file: string): Set<string> => {
    const { stdout } = spawnSync('nm', ['-D', '--defined-only', file], { encoding: 'utf8' });
    return new Set([...stdout.matchAll(/ [TW] (\w+)/g)].map(([, name]) => name ?? ''));
  };
  const ours = exported(library);
  const linked = spawnSync(
    'sh',
    ['-c', "ldconfig -p | sed -n 's/.*libpcap.so.* => //p' | head -1"],
    {
      encoding: 'utf8',
      env: searched,
    },
  );
  const theirs = exported(linked.stdout.trim());
  assert.ok(theirs.size > 50);
  const declared = readFileSync(header, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const taking = [...declared.matchAll(/\b(pcap_\w+)\(\s*pcap_t\s*\*/g)].map(
    ([, name]) => name ?? '',
  );
  assert.ok(taking.length > 40);
  assert.deepEqual(
    taking.filter((name) => theirs.has(name) && !ours.has(name)),
    [],
  );
});
