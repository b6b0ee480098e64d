/**
 * Zeek's conn.log of the shared captures, whatever its columns are called there, and lines of the
 * flow logger in the same names.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pcapFolder, table } from './shared-captures.ts';

/** A connection; columns by Zeek's own names, without those that a log leaves out or unset. */
export type Connection = Readonly<Record<string, string>>;

export interface ZeekLog {
  readonly capture: string;
  /** Of Zeek's test, whose run it is. */
  readonly name: string;
  readonly rows: readonly Connection[];
}

/** Some of Zeek's tests rename columns. */
const ownNames: Readonly<Record<string, string>> = {
  src: 'id.orig_h',
  src_port: 'id.orig_p',
  dst: 'id.resp_h',
  dst_port: 'id.resp_p',
};
const ownName = (name: string) => ownNames[name] ?? name.replace(/^id_/, 'id.');

function readLog(path: string): Connection[] {
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !/^#(?!fields)/.test(line));
  const [head = '', ...rest] = lines;
  const names = head.replace(/^#fields\t/, '').split('\t');
  return rest.map((line) => {
    const cells = line.split('\t');
    const said = names.map((name, i): [string, string] => [ownName(name), cells[i] ?? '']);
    return Object.fromEntries(
      said
        .map(([name, value]) => [name, name === 'history' && value === '-' ? '' : value])
        .filter(([, value]) => value !== '-'),
    );
  });
}

/** All that the collection has. */
export function zeekLogs(): ZeekLog[] {
  return table('MANIFEST.tsv').flatMap((row) =>
    (row['expected_facts'] ?? '')
      .split(';')
      .filter((fact) => /^expected\/zeek\/.*\/conn[^/]*\.log$/.test(fact))
      .filter((fact) => existsSync(join(pcapFolder, fact)))
      .map((fact) => ({
        capture: row['file'] ?? '',
        name: `${basename(dirname(fact))}/${basename(fact, '.log')}`.replace(/\/conn$/, ''),
        rows: readLog(join(pcapFolder, fact)),
      })),
  );
}

const addresses = ['id.orig_h', 'id.resp_h'] as const;
const endNames = ['proto', 'id.orig_h', 'id.orig_p', 'id.resp_h', 'id.resp_p'] as const;

/** Of a log that leaves some out: those that it has. */
export const endsText = (row: Connection): string =>
  endNames.map((name) => row[name] ?? '*').join(' ');

export const sameEnds = (zeek: Connection, ours: Connection): boolean =>
  endNames.every((name) => !(name in zeek) || zeek[name] === ours[name]);

/** A protocol that Zeek takes apart no further: it has no ports of it. */
export const sameUnknown = (zeek: Connection, ours: Connection): boolean =>
  zeek['proto'] === 'unknown_transport' && addresses.every((name) => zeek[name] === ours[name]);

/** `^` says that it was turned round; twice is not at all. */
function turnedHistory(history: string): string {
  const swap = (c: string) => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase());
  const swapped = [...history].map(swap).join('');
  return swapped.startsWith('^') ? swapped.slice(1) : swapped && `^${swapped}`;
}

/** The same connection as it would be told if the other side had opened it. */
export function turned(row: Connection): Connection {
  const swapped = Object.entries(row).map(([name, value]) => [
    name.replace(/orig|resp/, (side) => (side === 'orig' ? 'resp' : 'orig')),
    name === 'history' ? turnedHistory(value) : value,
  ]);
  return Object.fromEntries(swapped);
}

/** What both programs tell of a connection. */
const facts = [
  'conn_state',
  'history',
  'orig_bytes',
  'resp_bytes',
  'missed_bytes',
  'orig_pkts',
  'resp_pkts',
  'orig_ip_bytes',
  'resp_ip_bytes',
];

export interface Fact {
  readonly field: string;
  readonly zeek: string;
  readonly ours: string;
}

/** Of what both rows tell, what they tell otherwise; and how much both tell. */
export function compareFacts(zeek: Connection, ours: Connection): { all: number; wrong: Fact[] } {
  const said = facts.filter((field) => field in zeek && field in ours);
  const both = said.map((field) => ({
    field,
    zeek: zeek[field] ?? '',
    ours: ours[field] ?? '',
  }));
  return { all: said.length, wrong: both.filter((fact) => fact.zeek !== fact.ours) };
}

/** A connection as one word or two. */
export const factsText = (row: Connection): string =>
  facts
    .filter((field) => !/bytes/.test(field))
    .map((field) => row[field] || '-')
    .join(' ');
