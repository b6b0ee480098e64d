/**
 * `bricks cat`. Reading a pipe is a program of its own (native/client), which the launcher in bin/
 * starts without Node. What is here is the tap: a copy of a link, into a pipe made for it.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { locateRunDir } from '../daemon/run-dir.ts';
import { BricksError } from '../errors.ts';
import { DaemonClient } from '../shell/client.ts';
import { type Arguments, type Command, helpOption } from './command.ts';

/** The program, from dist/src/cli or from src/cli. */
export function clientProgram(name: string): string {
  const found = ['../../..', '../..']
    .map((up) => fileURLToPath(new URL(`${up}/native/build/release/${name}`, import.meta.url)))
    .find((path) => existsSync(path));
  if (found === undefined) {
    throw new BricksError('failed', `${name} is not built; build it with: npm run build`);
  }
  return found;
}

/** The options for the program, as it takes them. */
function passedOn(args: Arguments): string[] {
  const words: string[] = [];
  for (const name of ['write', 'count', 'timeout'] as const) {
    const text = args.text(name);
    if (text !== undefined) words.push(`--${name}=${text}`);
  }
  for (const name of ['follow', 'ng', 'quiet'] as const) {
    if (args.flag(name)) words.push(`--${name}`);
  }
  return words;
}

async function readTap(args: Arguments): Promise<number> {
  const [link = ''] = args.words;
  const program = clientProgram('bricks-cat');
  const runDir = locateRunDir(undefined);
  const client = await DaemonClient.connect({ path: runDir.controlSocket });
  const pipe = await client.openTap(link, args.text('filter') ?? '', 1);
  const child = spawn(program, [...passedOn(args), pipe], {
    stdio: 'inherit',
    env: { ...process.env, BRICKS_RUN_DIR: runDir.path },
  });
  // A terminal signals both of us; kill(1) only this one. The reader decides when it ends.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => child.kill(signal));
  }
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (status, signal) => {
      resolve(signal === null ? (status ?? 1) : 128 + (constants.signals[signal] ?? 0));
    });
  });
  await client.close();
  return code;
}

export const catCommand: Command = {
  name: 'cat',
  usage: "'NAME}N' | --tap LINK [-f EXPR]; [-w FILE|-] [-c N] [--timeout S] [--follow] [--ng] [-q]",
  summary: 'a consumer: read a pipe, or a copy of any link, and write pcap',
  details:
    'Writes to stdout unless -w names a file; on a terminal, one line per packet. Ends at the\n' +
    'end of the input. With --tap, a copy of what passes an input, a link between bricks or an\n' +
    'output (bricks status lists them), whoever else reads it; nobody waits for this copy.',
  options: {
    tap: { type: 'boolean', summary: 'a copy of a link of the graph, instead of a pipe' },
    filter: {
      type: 'string',
      short: 'f',
      value: 'EXPR',
      summary: 'with --tap: packets that match (pcap-filter(7))',
    },
    write: {
      type: 'string',
      short: 'w',
      value: 'FILE',
      completes: 'file',
      summary: 'write pcap here; - is stdout',
    },
    count: { type: 'string', short: 'c', value: 'N', summary: 'end after N packets' },
    timeout: {
      type: 'string',
      value: 'S',
      summary: 'end with exit code 124 when nothing has come for S seconds',
    },
    follow: { type: 'boolean', summary: 'do not end with the input: wait for the next' },
    ng: { type: 'boolean', summary: 'write pcapng, which holds packets of several link types' },
    quiet: { type: 'boolean', short: 'q', summary: 'no summary at the end' },
    ...helpOption,
  },
  words: [1, 1],
  completes: 'pipe',
  run: (args) => {
    if (args.flag('tap')) return readTap(args);
    throw new BricksError(
      'usage',
      args.text('filter') === undefined
        ? 'bricks cat is started by the launcher: type bin/bricks cat …'
        : '-f filters a tap: bricks cat --tap LINK -f EXPR',
    );
  },
};
