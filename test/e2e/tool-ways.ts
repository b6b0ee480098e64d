/** The ways in which a program opens an output: what they take, and who cannot go them. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { root } from '../support/source-tree.ts';
import { type Source, type StockProgram, searched, searchPath } from './stock-programs.ts';
import { type Program, until, type World } from './world.ts';

/** A way, made ready in one world. */
export interface Place {
  /** The output's name for worker `i` of a program; that port is still free. */
  port(program: string, i: number): string | Promise<string>;
  start(world: World, program: StockProgram, port: string, folder: string): Program;
  /** Until the program would see whatever comes from now on. */
  listens(program: StockProgram, run: Program, port: string): Promise<void>;
}

export interface OpenWay {
  readonly name: string;
  /** The output, as an operator would write it. */
  readonly output: string;
  /** About it, for those who choose. */
  readonly said: string;
  /** What a user types to open it. */
  shown(program: StockProgram): string;
  /** The engine waits for its reader: the capture may begin at once. */
  readonly waits: boolean;
  /** A program is told when the input has ended. */
  readonly ends: boolean;
  /** The program believes that it has an interface. */
  readonly isInterface: boolean;
  /** Why this machine cannot; undefined: it can. */
  missing(): string | undefined;
  prepare(t: TestContext, world: World): Promise<Place>;
}

/** Starts the program itself: no shell, no wrapper lives on between it and the test. */
function startOn(
  world: World,
  program: StockProgram,
  source: Source,
  folder: string,
  before: readonly string[] = [],
): Program {
  const command = [program.name, ...program.open(source), ...program.rest(folder)];
  return world.startProgram('env', [searchPath, ...before, ...command]);
}

/** As it is typed, with quotes where a shell needs them. */
function typed(program: StockProgram, source: Source): string {
  const words = [program.name, ...program.open(source)];
  return words.map((word) => (/[{}]/.test(word) ? `'${word}'` : word)).join(' ');
}

const always = async (): Promise<void> => {};

/** A number that was free a moment ago. */
function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const number = typeof address === 'object' && address ? address.port : 0;
      server.close(() => resolve(number));
    });
  });
}

const isRoot = (): boolean => process.getuid?.() === 0;

function noTap(): string | undefined {
  if (!isRoot()) return 'interfaces take root';
  try {
    accessSync('/dev/net/tun', constants.W_OK);
    return undefined;
  } catch {
    return 'there is no /dev/net/tun on this machine';
  }
}

/** The program has said so where it does, and has a packet socket on that interface. */
async function hasOpened(program: StockProgram, run: Program, index: number): Promise<void> {
  if (program.ready) await run.says(program.ready);
  await until(`${program.name} listens on interface ${index}`, () => {
    if (run.isOver) throw new Error(`${program.name} ended: ${run.text}`);
    const sockets = readFileSync(`/proc/${run.pid}/net/packet`, 'utf8').trim().split('\n');
    return sockets.slice(1).some((line) => {
      const [, , , , iface, running] = line.trim().split(/\s+/);
      return iface === String(index) && running === '1';
    });
  });
}

function indexOf(name: string, netns?: string): number {
  const where = netns === undefined ? [] : ['-n', netns];
  const { stdout } = spawnSync('ip', [...where, '-j', 'link', 'show', 'dev', name], {
    encoding: 'utf8',
    env: searched,
  });
  return (JSON.parse(stdout) as [{ ifindex: number }])[0].ifindex;
}

/** Interface names that no other test has: by this process's number. */
const own = (process.pid % 0xffff).toString(16);

const fifo: OpenWay = {
  name: 'fifo',
  output: 'fifo:/run/ids/0.fifo',
  said: 'A named pipe: it takes no rights but to read that file.',
  shown: (program) => typed(program, { kind: 'file', name: '/run/ids/0.fifo' }),
  waits: true,
  ends: true,
  isInterface: false,
  missing: () => undefined,
  prepare: async (_t, world) => ({
    port: (program, i) => `fifo:${join(world.folder, `${program}${i}.fifo`)}`,
    start: (_world, program, port, folder) =>
      startOn(world, program, { kind: 'file', name: port.slice('fifo:'.length) }, folder),
    listens: always,
  }),
};

const tcp: OpenWay = {
  name: 'tcp',
  output: 'tcp:127.0.0.1:5555',
  said: 'pcap-over-IP; several may read at a time. `/dev/tcp` is a feature of bash.',
  shown: (program) =>
    program.name === 'tshark'
      ? typed(program, { kind: 'device', name: 'TCP@127.0.0.1:5555' })
      : `cat < /dev/tcp/127.0.0.1/5555 | ${typed(program, { kind: 'stdin' })}`,
  waits: true,
  ends: true,
  isInterface: false,
  missing: () => undefined,
  prepare: async (_t, world) => ({
    // tshark reads pcapng there, too; the second of three gets it.
    port: async (program, i) => {
      const ng = program === 'tshark' && i === 1 ? '?ng=1' : '';
      return `tcp:127.0.0.1:${await freePort()}${ng}`;
    },
    start: (_world, program, port, folder) => {
      const address = port.slice('tcp:'.length).replace(/\?.*/, '');
      if (program.name === 'tshark') {
        return startOn(world, program, { kind: 'device', name: `TCP@${address}` }, folder);
      }
      const read = [
        'bash',
        '-c',
        'exec "$@" < <(exec cat < "/dev/tcp/$0")',
        address.replace(':', '/'),
      ];
      return startOn(world, program, { kind: 'stdin' }, folder, read);
    },
    listens: always,
  }),
};

const preload: OpenWay = {
  name: 'bricks run',
  output: 'eth3{0',
  said: 'The pipe itself: no copy on the way, and drops are told to the program.',
  shown: (program) => `bricks run -- ${typed(program, { kind: 'device', name: 'bricks:eth3}0' })}`,
  waits: true,
  ends: true,
  isInterface: true,
  missing: () => undefined,
  prepare: async (_t, world) => ({
    port: (program, i) => `${program}{${i}`,
    start: (_world, program, port, folder) => {
      const device = `bricks:${port.replace('{', '}')}`;
      const before = [join(root, 'bin/bricks'), 'run', '--'];
      return startOn(world, program, { kind: 'device', name: device }, folder, before);
    },
    listens: always,
  }),
};

const tap: OpenWay = {
  name: 'tap',
  output: 'tap:ids0',
  said: 'An interface; takes root or CAP_NET_RAW to read, and the kernel drops what is too much.',
  shown: (program) => typed(program, { kind: 'interface', name: 'ids0' }),
  waits: false,
  ends: false,
  isInterface: true,
  missing: noTap,
  prepare: async (_t, world) => ({
    port: (program, i) => `tap:t${own}${program.slice(0, 4)}${i}`,
    start: (_world, program, port, folder) =>
      startOn(world, program, { kind: 'interface', name: port.slice('tap:'.length) }, folder),
    listens: (program, run, port) => hasOpened(program, run, indexOf(port.slice('tap:'.length))),
  }),
};

const veth: OpenWay = {
  name: 'veth in a network namespace',
  output: 'veth:ids1p?peer=ids1&netns=box',
  said: 'An interface in another namespace: a container, or one made by `ip netns add box`.',
  shown: (program) => `ip netns exec box ${typed(program, { kind: 'interface', name: 'ids1' })}`,
  waits: false,
  ends: false,
  isInterface: true,
  missing: () => (isRoot() ? undefined : 'interfaces take root'),
  prepare: async (t, world) => {
    const netns = `bricks-${own}`;
    const made = spawnSync('ip', ['netns', 'add', netns], { env: searched, encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`ip netns add: ${made.stderr}`);
    t.after(() => {
      spawnSync('ip', ['netns', 'del', netns], { env: searched });
    });
    const peerOf = (port: string): string => /peer=(\w+)/.exec(port)?.[1] ?? '';
    return {
      port: (program, i) => {
        const name = `${own}${program.slice(0, 5)}${i}`;
        return `veth:a${name}?peer=b${name}&netns=${netns}`;
      },
      start: (_world, program, port, folder) => {
        const before = ['ip', 'netns', 'exec', netns];
        return startOn(world, program, { kind: 'interface', name: peerOf(port) }, folder, before);
      },
      listens: (program, run, port) => hasOpened(program, run, indexOf(peerOf(port), netns)),
    };
  },
};

export const openWays: readonly OpenWay[] = [fifo, tcp, preload, tap, veth];
