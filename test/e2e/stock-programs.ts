/**
 * The programs of the matrix: how each opens a file, a stream and an interface, what it finds in
 * packets, and how many packets it says it has had. docs/tools.md is made from this table.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCapture } from '../../src/capture/read.ts';
import type { Ended } from './world.ts';

/** Debian keeps some of them where only root's PATH leads. */
export const searchPath = `PATH=${process.env['PATH']}:/usr/sbin:/sbin`;

export const searched: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: searchPath.slice('PATH='.length),
};

export function has(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`], { env: searched }).status === 0;
}

/** What is looked at; `folder` is one worker's own. */
export type Source =
  | { readonly kind: 'file' | 'device' | 'interface'; readonly name: string }
  | { readonly kind: 'stdin' };

export interface StockProgram {
  readonly name: string;
  /** Debian's package. */
  readonly package: string;
  /** The command beside `name` that is needed to see what it found. */
  readonly needs?: string;
  /** Words behind the program's name with which it opens that. */
  open(source: Source): string[];
  /** Words after these; what it writes goes into `folder`. */
  rest(folder: string): string[];
  /** What somebody who runs it on a port has to know. */
  readonly remarks?: readonly string[];
  /** All it found, one line each, without what differs between two runs (times). */
  findings(folder: string, output: string): string[];
  /** Packets that it says it had, of all kinds. Undefined: it does not tell. */
  packets?(folder: string, ended: Ended): number;
  /** It says so when it has opened an interface. */
  readonly ready?: RegExp;
  /** Said when an interface is gone, then it ends with code 1. So it takes a pipe's end. */
  readonly lastWords?: RegExp;
  /** It goes on, or may, when a pipe or stream has ended, until it is interrupted. */
  readonly endless?: boolean;
  /** What it may die of, all by itself, when it has been interrupted. */
  readonly diesInterrupted?: NodeJS.Signals;
}

/** Of a file that may still be written to. */
function frames(path: string): string[] {
  const begun = existsSync(path) && statSync(path).size > 24;
  return begun ? readCapture(path).records.map(({ data }) => data.toString('base64')) : [];
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

const text = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');

/** `-r FILE`, `-r -` or `-i DEVICE`. */
function usual(source: Source, stdin = '-'): string[] {
  if (source.kind === 'stdin') return ['-r', stdin];
  return [source.kind === 'file' ? '-r' : '-i', source.name];
}

/** Records of a capture that the program wrote; `kept` of its own words, when it has any. */
const captured = (folder: string): number => frames(join(folder, 'seen.pcap')).length;

/** A flow's packets and bytes; its records are added up, however many the clock made of them. */
function argusFlows(folder: string): Map<string, { packets: number; bytes: number }> {
  const flows = new Map<string, { packets: number; bytes: number }>();
  const file = join(folder, 'seen.argus');
  if (!existsSync(file)) return flows;
  const columns = ['proto', 'saddr', 'sport', 'daddr', 'dport', 'pkts', 'bytes'];
  const args = ['-n', '-c', ',', '-r', file, '-s', ...columns, '-', 'not man'];
  const { stdout } = spawnSync('ra', args, { env: searched, encoding: 'utf8' });
  for (const line of lines(stdout)) {
    const [called = '', source, sport, target, dport, packets, bytes] = line.split(',');
    if (!/^\d+$/.test(bytes ?? '')) continue; // the heading
    const proto = called === 'rtp' ? 'udp' : called; // it guesses, and not always alike
    // Elsewhere it puts a type or an id there, whichever it saw first.
    const ports = ['tcp', 'udp'].includes(proto) ? [sport, dport] : ['', ''];
    const ends = [`${source} ${ports[0]}`, `${target} ${ports[1]}`].sort();
    const key = [proto, ...ends].join(' ');
    const sum = flows.get(key) ?? { packets: 0, bytes: 0 };
    flows.set(key, {
      packets: sum.packets + Number(packets),
      bytes: sum.bytes + Number(bytes),
    });
  }
  return flows;
}

/** Little but what HTTP, DNS and TLS take, one thread, and counts once a second. */
const suricataSettings = `%YAML 1.1
---
stats: { enabled: yes, interval: 1 }
logging: { outputs: [ console: { enabled: yes, level: notice } ] }
outputs:
  - eve-log:
      enabled: yes
      filetype: regular
      filename: eve.json
      types:
        - http: { extended: yes }
        - dns: {}
        - tls: { extended: yes }
        - stats: { totals: yes, threads: no, deltas: no }
af-packet: [ { interface: default, threads: 1, cluster-id: 99, use-mmap: yes } ]
app-layer:
  protocols:
    tls: { enabled: yes, detection-ports: { dp: 443 } }
    http: { enabled: yes }
    dns: { udp: { enabled: yes, detection-ports: { dp: 53 } } }
`;

interface EveEvent {
  readonly event_type: string;
  readonly src_ip?: string;
  readonly src_port?: number;
  readonly dest_ip?: string;
  readonly dest_port?: number;
  readonly stats?: { readonly decoder: { readonly pkts: number } };
}

function eve(folder: string): EveEvent[] {
  const whole = text(join(folder, 'eve.json'));
  const complete = whole.slice(0, whole.lastIndexOf('\n') + 1);
  return lines(complete).map((line) => JSON.parse(line) as EveEvent);
}

export const stockPrograms: readonly StockProgram[] = [
  {
    name: 'tcpdump',
    package: 'tcpdump',
    open: usual,
    rest: (folder) => ['-n', '-U', '-w', join(folder, 'seen.pcap')],
    remarks: ['`-U` writes each packet at once; without it the last ones are there at its end.'],
    findings: (folder) => frames(join(folder, 'seen.pcap')),
    packets: captured,
    ready: /listening on/,
  },
  {
    name: 'tshark',
    package: 'tshark',
    open: usual,
    rest: (folder) => ['-n', '-q', '-w', join(folder, 'seen.pcap')],
    remarks: ['Reads `tcp:` by itself: `-i TCP@HOST:PORT`; so does Wireshark.'],
    findings: (folder) => frames(join(folder, 'seen.pcap')),
    packets: captured,
    ready: /Capture started/,
  },
  {
    name: 'ngrep',
    package: 'ngrep',
    open: (source) => {
      if (source.kind === 'stdin') return ['-I', '-'];
      return [source.kind === 'file' ? '-I' : '-d', source.name];
    },
    rest: () => ['-q', '-l', '-W', 'single', ''],
    remarks: [
      'Looks at TCP, UDP, ICMP and IGMP in IP that has no VLAN tag, and at nothing else: its ' +
        'matches are compared, its packets cannot be counted.',
    ],
    findings: (_folder, output) => lines(output).filter((line) => /^[TUI?] /.test(line)),
  },
  {
    name: 'p0f',
    package: 'p0f',
    open: (source) => usual(source, '/dev/stdin'),
    rest: (folder) => ['-o', join(folder, 'p0f.log')],
    remarks: [
      'Looks at TCP alone: its fingerprints are compared.',
      'The end of a pipe is to it an interface that went down: it has written all, says so, and ' +
        'ends with code 1.',
    ],
    findings: (folder) =>
      lines(text(join(folder, 'p0f.log'))).map((line) => line.replace(/^\[[^\]]*\] /, '')),
    ready: /Entered main event loop/,
    lastWords: /Packet capture interface is down/,
  },
  {
    name: 'tcpflow',
    package: 'tcpflow',
    open: usual,
    rest: (folder) => ['-q', '-o', join(folder, 'flows')],
    remarks: ['Looks at TCP alone: its files, one a direction, are compared byte by byte.'],
    findings: (folder) => {
      const place = join(folder, 'flows');
      const files = existsSync(place) ? readdirSync(place) : [];
      return files
        .filter((name) => name !== 'report.xml')
        .map((name) => `${name} ${readFileSync(join(place, name)).toString('base64')}`);
    },
    ready: /listening on/,
  },
  {
    name: 'argus',
    package: 'argus-server',
    needs: 'ra',
    open: usual,
    rest: (folder) => ['-S', '1', '-w', join(folder, 'seen.argus')],
    remarks: [
      'From an interface, and so from a pipe, it takes packets of about now: a capture of last ' +
        'year is counted by it and not reported. Give it old captures by `fifo:` or `tcp:`.',
      'Does not always end with a pipe: interrupt it, then.',
    ],
    findings: (folder) =>
      [...argusFlows(folder)].map(([key, sum]) => `${key} ${sum.packets} ${sum.bytes}`),
    packets: (folder) =>
      [...argusFlows(folder).values()].reduce((sum, { packets }) => sum + packets, 0),
    endless: true,
    // One of its threads frees what its loop over packets still writes the time to.
    diesInterrupted: 'SIGSEGV',
  },
  {
    name: 'suricata',
    package: 'suricata, of bookworm-backports',
    open: (source) => {
      if (source.kind === 'stdin') return ['-r', '/dev/stdin'];
      if (source.kind === 'file') return ['-r', source.name];
      return [`--${source.kind === 'interface' ? 'af-packet' : 'pcap'}=${source.name}`];
    },
    rest: (folder) => {
      const settings = join(folder, 'suricata.yaml');
      writeFileSync(settings, suricataSettings);
      return ['-c', settings, '-S', '/dev/null', '-l', folder, '--runmode', 'single'];
    },
    remarks: ['Goes on when a pipe has ended: interrupt it.'],
    findings: (folder) =>
      eve(folder)
        .filter(({ event_type }) => event_type !== 'stats')
        .map((event) => {
          const { event_type, src_ip, src_port, dest_ip, dest_port } = event;
          const what = (event as unknown as Record<string, unknown>)[event_type];
          return JSON.stringify([event_type, src_ip, src_port, dest_ip, dest_port, what]);
        }),
    packets: (folder) => eve(folder).findLast(({ stats }) => stats)?.stats?.decoder.pkts ?? 0,
    ready: /Engine started/,
    endless: true,
  },
];
