/** A daemon whose pipes, links and inputs are interfaces of tshark, as an unprivileged user. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chownSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { readCapture } from '../../src/capture/read.ts';
import type { Status } from '../../src/engine/status.ts';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import { root } from '../support/source-tree.ts';
import { type Program, until, useWorld, type World } from './world.ts';

export const program = join(root, 'native/build/release/bricks-extcap');
export const isRoot = process.getuid?.() === 0;
export const nobody = 65534;
const asNobody = ['--reuid', String(nobody), '--regid', String(nobody), '--clear-groups'];

function whyNot(): string | undefined {
  if (spawnSync('tshark', ['--version']).status !== 0) return 'tshark is not installed';
  if (!isRoot) return undefined;
  const reach = spawnSync('setpriv', [...asNobody, 'test', '-x', program]);
  return reach.status === 0 ? undefined : 'user nobody cannot reach the build';
}
export const skip = whyNot() ?? false;

/** Any program as the unprivileged user, with our folder as Wireshark's. */
export function start(world: World, command: string, ...args: string[]): Program {
  const words = ['env', `WIRESHARK_EXTCAP_DIR=${join(world.folder, 'extcap')}`, command, ...args];
  return isRoot
    ? world.startProgram('setpriv', [...asNobody, ...words])
    : world.startProgram('env', words.slice(1));
}

export async function statusOf(world: World): Promise<Status> {
  return JSON.parse((await world.run('bricks', ['status', '--json'])).stdout) as Status;
}

export async function lua(world: World, code: string): Promise<string> {
  const { code: exit, stdout, stderr } = await world.run('bricks-shell', ['-c', code]);
  assert.equal(exit, 0, stderr);
  return stdout;
}

/** in.pcap through a Duplicator to a LoadBalancer with pipes, and to a Filter; not started. */
export async function prepare(
  t: TestContext,
  pipes = 2,
): Promise<{ world: World; packets: number; input: string }> {
  const world = useWorld(t);
  const input = join(world.folder, 'in.pcap');
  const { packets } = writeTraffic(input, { seed: 31, flows: 60 });
  const outputs = Array.from({ length: pipes }, (_, i) => `"zeek{${i}"`).join(', ');
  const script = world.file(
    's.lua',
    `d = Brick.new("Duplicator") d:connect_input("pcap:${input}") d:connect_output("a{0", "a{1")
     lb = Brick.new("LoadBalancer") lb:connect_input("a}0") lb:connect_output(${outputs})
     f = Brick.new("Filter") f:connect_input("a}1") f:connect_output("null:")
     d:link(lb, f)
     pe = PktEngine.new("e0") pe:link(d) pe:record("a{1", 3600)`,
  );
  if (isRoot) chownSync(world.folder, nobody, nobody);
  const installed = await world.run('bricks', [
    'wireshark',
    'install',
    '--folder',
    join(world.folder, 'extcap'),
  ]);
  assert.equal(installed.code, 0, installed.stderr);
  const server = await start(world, join(root, 'bin/bricks-server'), '-f', script).ended;
  assert.equal(server.code, 0, server.stderr);
  return { world, packets, input };
}

export function tshark(world: World, name: string, out: string, ...args: string[]): Program {
  return start(
    world,
    'tshark',
    '-n',
    '-i',
    `bricks:${name}`,
    '-w',
    join(world.folder, out),
    ...args,
  );
}

export async function taps(world: World, count: number): Promise<void> {
  await until(`${count} copies are read`, async () => {
    const rows = (await statusOf(world)).engines[0]?.taps ?? [];
    return rows.filter(({ consumer }) => consumer !== 0).length === count;
  });
}

export const hex = (world: World, name: string): string[] =>
  readCapture(join(world.folder, name)).records.map(
    ({ data, timestampNs }) => `${timestampNs}${data.toString('hex')}`,
  );

/** What libpcap's own program finds in a file. */
export function matching(input: string, expression: string): number {
  const { stdout } = spawnSync('tcpdump', ['-n', '-r', input, expression], { encoding: 'utf8' });
  return stdout.split('\n').length - 1;
}
