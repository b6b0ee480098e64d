/**
 * The shared collection of real captures and what tshark says about them. It is not part of this
 * repository: BRICKS_SHARED names its folder, else ../shared is looked at.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CaptureRecord } from '../../src/capture/record.ts';
import { sharedFolder } from './source-tree.ts';

export const pcapFolder = join(sharedFolder(), 'pcaps');

/** Why tests that need the collection cannot run; false when it is there. */
export const capturesMissing: string | false = existsSync(join(pcapFolder, 'MANIFEST.tsv'))
  ? false
  : 'no shared captures: set BRICKS_SHARED to the folder that holds pcaps/MANIFEST.tsv';

export type Row = Readonly<Record<string, string>>;

/** Lines of tab-separated values under one of column names. */
export function rowsOf(text: string): Row[] {
  const [head = '', ...lines] = text.trimEnd().split('\n');
  const columns = head.split('\t');
  return lines.map((line) => {
    const cells = line.split('\t');
    return Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? '']));
  });
}

/** A table of the collection. */
export const table = (name: string): Row[] => rowsOf(readFileSync(join(pcapFolder, name), 'utf8'));

export interface SharedCapture {
  /** As the tables name it. */
  readonly file: string;
  readonly path: string;
  readonly format: string;
  readonly packets: number;
  /** '-' where there is none. */
  readonly damage: string;
}

export function sharedCaptures(): SharedCapture[] {
  return table('MANIFEST.tsv').map((row) => ({
    file: row['file'] ?? '',
    path: join(pcapFolder, row['file'] ?? ''),
    format: row['format'] ?? '',
    packets: Number(row['packets']),
    damage: row['file_damage'] ?? '-',
  }));
}

/** An address as src/capture/flow.ts writes it. */
export function addressHex(address: string): string {
  if (!address.includes(':'))
    return address.split('.').reduce((hex, n) => hex + Number(n).toString(16).padStart(2, '0'), '');
  const mapped = /^(.*:)([\d.]+)$/.exec(address);
  const dotted = mapped?.[2]?.includes('.') ? addressHex(mapped[2]) : undefined;
  const plain = dotted ? `${mapped?.[1]}${dotted.slice(0, 4)}:${dotted.slice(4)}` : address;
  const [head = '', tail] = plain.split('::');
  const groups = (part = '') => (part === '' ? [] : part.split(':'));
  const gap = Array<string>(8 - groups(head).length - groups(tail).length).fill('0');
  const all = tail === undefined ? groups(head) : [...groups(head), ...gap, ...groups(tail)];
  return all.map((group) => group.padStart(4, '0')).join('');
}

/** capture's file -> names, as src/capture/flow.ts gives them, of the flows tshark counts there:
 * TCP and UDP, outside of tunnels. */
export function tsharkFlows(): Map<string, string[]> {
  const flows = new Map<string, string[]>();
  for (const row of table('tshark-flows.tsv')) {
    const [file = '', proto = ''] = [row['file'], row['proto']];
    if (row['level'] !== 'only' || (proto !== 'tcp' && proto !== 'udp')) continue;
    const ends = [
      `${addressHex(row['ip_a'] ?? '')}.${row['port_a']}`,
      `${addressHex(row['ip_b'] ?? '')}.${row['port_b']}`,
    ];
    const names = flows.get(file) ?? [];
    names.push(`${proto} ${ends.sort().join(' ')}`);
    flows.set(file, names);
  }
  return flows;
}

/** Can classic pcap hold these as they are: one link type, 32-bit seconds, one unit of time? */
export function fitsClassicPcap(records: readonly CaptureRecord[]): boolean {
  const [first] = records;
  if (!first) return true;
  const fine = first.timestampNs % 1000n !== 0n; // then the writer chooses nanoseconds
  return records.every(
    ({ linkType, timestampNs }) =>
      linkType === first.linkType &&
      timestampNs / 1_000_000_000n < 2n ** 32n &&
      (fine || timestampNs % 1000n === 0n),
  );
}
