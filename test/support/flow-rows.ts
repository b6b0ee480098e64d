/**
 * Flow tables that can be compared: what `bricks flows` prints, what tshark and other programs say
 * about the shared captures (test/support/shared-captures.ts).
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { addressHex, type Row, rowsOf } from './shared-captures.ts';
import { root } from './source-tree.ts';

/** Packets and bytes one way and the other, from the end whose name comes first. */
export type Counts = readonly [number, number, number, number];

/** name -> counts. A name has no blanks but between its parts: level, protocol, both ends. */
export type FlowRows = Map<string, Counts>;

/** Protocols that tshark's table knows by name; all others, and what it cannot tell, are one. */
const named = new Set(['tcp', 'udp', 'sctp', 'icmp', 'icmpv6', 'igmp', 'esp', 'ah', 'gre']);

function endOf(row: Row, end: 'a' | 'b', hasPorts: boolean): { sort: string; text: string } {
  const address = row[`ip_${end}`] ?? '';
  const port = hasPorts ? (row[`port_${end}`] ?? '0') : '0';
  const sort = `${addressHex(address)} ${port.padStart(5, '0')}`;
  return { sort, text: `${address.replace(/^\[|\]$/g, '').toLowerCase()},${port}` };
}

/** Adds `row` to `rows` under `level`. */
export function addRow(rows: FlowRows, row: Row, level: string): void {
  const said = (row['proto'] ?? '').toLowerCase();
  const protocol = named.has(said) ? said : 'frag-or-other';
  const a = endOf(row, 'a', protocol !== 'frag-or-other');
  const b = endOf(row, 'b', protocol !== 'frag-or-other');
  const [low, high] = a.sort <= b.sort ? [a, b] : [b, a];
  const count = (column: string) => Number(row[column] ?? 0);
  const there = [count('pkts_ab'), count('bytes_ab')] as const;
  const back = [count('pkts_ba'), count('bytes_ba')] as const;
  const counts = a.sort <= b.sort ? [...there, ...back] : [...back, ...there];
  const name = `${level} ${protocol} ${low.text} ${high.text}`;
  const sum = (rows.get(name) ?? [0, 0, 0, 0]).map((value, i) => value + (counts[i] ?? 0));
  rows.set(name, sum as unknown as Counts);
}

/** What `bricks flows --tsv` prints. */
export function listFlows(...args: string[]): { code: number; rows: Row[]; stderr: string } {
  const program = join(root, 'native/build/release/bricks-flows');
  const { status, stdout, stderr } = spawnSync(program, ['--tsv', ...args], {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  });
  return { code: status ?? -1, rows: stdout === '' ? [] : rowsOf(stdout), stderr };
}
