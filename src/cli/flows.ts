/** `bricks flows`: a program of its own (native/flows); the launcher in bin/ starts it. */
import { type Command, helpOption, jsonOption, startedByLauncher } from './command.ts';

export const flowsCommand: Command = {
  name: 'flows',
  usage: 'FILE… [--tsv] [--flows N] [-q]',
  summary: 'the flows in captures, a row each',
  details:
    'One JSON object a line, with the columns level proto ip_a port_a ip_b port_b pkts_ab\n' +
    'bytes_ab pkts_ba bytes_ba payload_ab payload_ba first_ts last_ts state reason\n' +
    'community_id. A is who sent the first packet; bytes are those of whole frames on the\n' +
    'wire, payload is what is above TCP, UDP, SCTP, DCCP or UDP-Lite. Level "only":\n' +
    'packets without a tunnel; "outer" and "inner": the two ends of a tunnel, each packet\n' +
    "of which counts in both. A fragment counts with its datagram's flow; an ICMP error\n" +
    'counts with its own sender and receiver, although a LoadBalancer sends it where the\n' +
    'flow goes that it quotes. Files are read one after the other as one capture; - is\n' +
    'standard input. A truncated capture gives what is whole, a warning, and exit code 0.',
  options: {
    tsv: { type: 'boolean', summary: 'tab-separated rows under a line of column names' },
    ...jsonOption,
    flows: {
      type: 'string',
      value: 'N',
      summary: 'list at most N flows, 4,000,000 unless given; exit code 3 when there are more',
    },
    quiet: {
      type: 'boolean',
      short: 'q',
      summary: 'do not say on stderr how many packets are in no row',
    },
    ...helpOption,
  },
  words: [1, Number.POSITIVE_INFINITY],
  completes: 'file',
  run: startedByLauncher('flows', '…'),
};
