/**
 * Pipes for users who are neither root nor the daemon's: who gets in, who does not, and that a
 * locked filter holds for whoever attaches.
 */
import assert from 'node:assert/strict';
import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readCapture } from '../../src/capture/read.ts';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import { root } from '../support/source-tree.ts';
import { type Ended, type Program, useWorld, type World } from './world.ts';

const skip = process.getuid?.() !== 0 && 'needs root, to become somebody else';
const nobody = 65534;
const ids = 54322;

/** bricks-cat as another user. */
function catAs(world: World, groups: string, pipe: string, ...args: string[]): Program {
  const who = ['--reuid', `${nobody}`, '--regid', `${nobody}`, groups];
  const cat = join(root, 'native/build/release/bricks-cat');
  return world.startProgram('setpriv', [...who, cat, pipe, '-w', '-', ...args], '');
}

async function serve(world: World, outputs: string): Promise<void> {
  chmodSync(world.folder, 0o711);
  writeTraffic(`${world.folder}/in.pcap`, { seed: 3, flows: 60 });
  const script = `
    dup = Brick.new("Duplicator")
    dup:connect_input("pcap:${world.folder}/in.pcap")
    dup:connect_output(${outputs})
    pe = PktEngine.new("e0")
    pe:link(dup)`;
  const { code, stderr } = await world.run('bricks-server', ['-f', world.file('s.lua', script)]);
  assert.equal(code, 0, stderr);
}

async function start(world: World): Promise<void> {
  assert.equal((await world.run('bricks-shell', ['-c', 'pe:start()'])).code, 0);
}

function mode(path: string): number {
  return statSync(path).mode & 0o777;
}

/** Whether that user can reach the program at all: not in a checkout below a folder of root's. */
async function reachable(world: World): Promise<boolean> {
  const who = ['--reuid', `${nobody}`, '--regid', `${nobody}`, '--clear-groups'];
  const cat = join(root, 'native/build/release/bricks-cat');
  return (await world.startProgram('setpriv', [...who, cat, '-h'], '').ended).code === 0;
}

test('a pipe of its user, of a group, of nobody else; closed doors otherwise', {
  skip,
}, async (t) => {
  const world = useWorld(t);
  if (!(await reachable(world))) return t.skip(`user ${nobody} may not enter ${root}`);
  await serve(world, `"own{0", "mine{0?user=${nobody}", "ours{0?group=${ids}&mode=0640"`);
  assert.equal(mode(world.runDir), 0o711);
  assert.equal(mode(join(world.runDir, 'ports.sock')), 0o666);
  assert.equal(mode(join(world.runDir, 'control.sock')), 0o600);

  const refused = async (ended: Promise<Ended>, pipe: string): Promise<void> => {
    const { code, stderr } = await ended;
    assert.equal(code, 5, stderr);
    assert.match(stderr, new RegExp(`'${pipe}' is not for nobody to read: it belongs to `));
  };
  await refused(catAs(world, '--clear-groups', 'own}0').ended, 'own}0');
  await refused(catAs(world, '--clear-groups', 'ours}0').ended, 'ours}0');
  const readers = [
    catAs(world, '--clear-groups', 'mine}0', '--timeout', '50'),
    catAs(world, `--groups=${ids}`, 'ours}0', '--timeout', '50'),
    world.start('bricks', ['cat', 'own}0', '-w', '/dev/null', '--timeout', '50']),
  ];
  await start(world);
  const packets = readCapture(`${world.folder}/in.pcap`).records.length;
  for (const reader of readers) {
    const { code, stderr } = await reader.ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, new RegExp(`^${packets} packets, `, 'm'));
  }
  assert.equal((await world.ledger()).difference, 0);

  const unshare = 'dup:disconnect_output("mine{0") dup:disconnect_output("ours{0")';
  assert.equal((await world.run('bricks-shell', ['-c', unshare])).code, 0);
  assert.equal(mode(world.runDir), 0o700);
  const shut = await catAs(world, '--clear-groups', 'own}0').ended;
  assert.equal(shut.code, 5, shut.stderr);
  assert.match(shut.stderr, /may not be opened/);
});

test('a locked filter holds for whoever attaches, root included', { skip }, async (t) => {
  const world = useWorld(t);
  if (!(await reachable(world))) return t.skip(`user ${nobody} may not enter ${root}`);
  const expression = 'tcp and port 443 or icmp';
  await serve(world, `"all{0", "web{0?user=${nobody}&filter=${expression}"`);
  chmodSync(world.folder, 0o777); // that user writes its capture there
  const reader = catAs(world, '--clear-groups', 'web}0', '-w', 'web.pcap', '--timeout', '50');
  const other = world.start('bricks', ['cat', 'all}0', '-w', 'all.pcap', '--timeout', '50']);
  await start(world);
  for (const { code, stderr } of [await reader.ended, await other.ended]) {
    assert.equal(code, 0, stderr);
  }
  const expected = world.startProgram('tcpdump', [
    '-nr',
    'in.pcap',
    '-w',
    'tcpdump.pcap',
    expression,
  ]);
  assert.equal((await expected.ended).code, 0);
  const [got, wanted, all] = ['web.pcap', 'tcpdump.pcap', 'all.pcap'].map((name) =>
    readCapture(`${world.folder}/${name}`).records.map(({ data }) => data.toString('hex')),
  );
  assert.deepEqual(got, wanted);
  assert.ok((got?.length ?? 0) > 0 && (got?.length ?? 0) < (all?.length ?? 0));
  const ledger = await world.ledger();
  assert.equal(ledger.difference, 0);
  const lock = ledger.bricks.find(({ id }) => id === 'filter of web{0');
  assert.equal(lock?.dropped['filtered'], (all?.length ?? 0) - (got?.length ?? 0));
});

test('what makes no sense is refused by name, and changes nothing', async (t) => {
  const world = useWorld(t);
  await serve(world, '"own{0"');
  const said = async (code: string): Promise<string> => {
    const { code: exit, stderr } = await world.run('bricks-shell', ['-c', code]);
    assert.notEqual(exit, 0, code);
    return stderr;
  };
  const connect = (name: string): Promise<string> => said(`dup:connect_output("${name}")`);
  assert.match(await connect('x{0?user=no-such-user'), /no user "no-such-user"/);
  assert.match(await connect('x{0?mode=0777'), /mode is "0777"; it is octal/);
  assert.match(await connect('x{0?filter=tcp porrt 443'), /Filter: .*syntax error/s);
  assert.match(await connect('x{0?filter=tcp&user=root'), /Filter: /); // filter has all of the rest
  const shared = `s = Brick.new("Duplicator") s:connect_input("gen:60")
    s:connect_output("s{0?mode=0644")
    PktEngine.new("e1", nil, nil, { shared = true }):link(s)`;
  assert.match(await said(shared), /engine e1 keeps all packets in one memory/);
  const { outputs } = await world.ledger();
  assert.deepEqual(
    outputs.map(({ name }) => name),
    ['own{0'],
  );
});
