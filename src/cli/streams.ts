/** `bricks streams`: a program of its own (native/flows); the launcher in bin/ starts it. */
import { type Command, helpOption, jsonOption, startedByLauncher } from './command.ts';

export const streamsCommand: Command = {
  name: 'streams',
  usage: 'FILE… [--tsv] [--policy NAME] [--streams N]',
  summary: 'the bytes of TCP streams in captures, a row for each direction',
  details:
    'One JSON object a line, with the columns ip_a port_a ip_b port_b bytes sha256 complete\n' +
    'gaps missing: A has sent the bytes, B got them; sha256 is - where there are none;\n' +
    'complete: no byte is known to be missing; missing: how many are, in how many gaps. A SYN\n' +
    'on the same ports is another stream, in rows of its own. Fragments of IP are put\n' +
    'together first. Where segments overlap and differ, --policy says whose reading counts:\n' +
    'that of the system that got them (docs/streams.md): first, last, bsd, linux, old-linux,\n' +
    'solaris, hpux10, hpux11, irix, macos, windows, windows2k3 or vista. Files are read one\n' +
    'after the other as one capture; - is standard input.',
  options: {
    tsv: { type: 'boolean', summary: 'tab-separated rows under a line of column names' },
    ...jsonOption,
    policy: {
      type: 'string',
      value: 'NAME',
      summary: 'whose reading counts where segments overlap; bsd unless given',
    },
    streams: {
      type: 'string',
      value: 'N',
      summary: 'list at most N streams, 1,000,000 unless given; exit code 3 when there are more',
    },
    ...helpOption,
  },
  words: [1, Number.POSITIVE_INFINITY],
  completes: 'file',
  run: startedByLauncher('streams', '…'),
};
