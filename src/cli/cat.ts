/**
 * `bricks cat` is a program of its own (native/client), which the launcher in bin/ starts without
 * Node.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BricksError } from '../errors.ts';
import { type Command, helpOption, startedByLauncher } from './command.ts';

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

export const catCommand: Command = {
  name: 'cat',
  usage: "'NAME}N' | (--tap | --last S) LINK [-f EXPR]; [-w FILE|-] [-c N] [--timeout S] ...",
  summary: 'a consumer: read a pipe, or a copy of any link, and write pcap',
  details:
    'Writes to stdout unless -w names a file; on a terminal, one line per packet. Ends at the\n' +
    'end of the input. With --tap, a copy of what passes an input, a link between bricks or an\n' +
    'output (bricks status lists them), whoever else reads it; nobody waits for this copy. With\n' +
    '--last, it begins with the last seconds, where pe:record(LINK, SECONDS) keeps them.',
  options: {
    tap: { type: 'boolean', summary: 'a copy of a link of the graph, instead of a pipe' },
    filter: {
      type: 'string',
      short: 'f',
      value: 'EXPR',
      summary: 'with --tap or --last: packets that match (pcap-filter(7))',
    },
    last: { type: 'string', value: 'S', summary: 'a copy that begins with the last S seconds' },
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
  run: startedByLauncher('cat', '…'),
};
