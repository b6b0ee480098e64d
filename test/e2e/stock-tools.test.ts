/** libbricks-pcap: what a program that knows only libpcap is told; tools-matrix.test.ts, too. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../support/source-tree.ts';
import { type Program, until, useWorld, type World } from './world.ts';

const library = join(root, 'native/build/release/libbricks-pcap.so');

function has(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`], { env: searched }).status === 0;
}

const searched = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };

function preloaded(world: World, command: string, ...args: string[]): Program {
  return world.startProgram('env', [
    `LD_PRELOAD=${library}`,
    `PATH=${searched['PATH']}`,
    command,
    ...args,
  ]);
}

const said = (text: string, pattern: RegExp): number => {
  const found = pattern.exec(text);
  assert.ok(found, `it does not say how many packets: ${text.slice(-400)}`);
  return Number(found[1]);
};

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
