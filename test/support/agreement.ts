/**
 * Files that say row by row where bricks and another program differ, and why. Lines that begin with
 * `# name (rows): why` are the reasons; all other lines are rows, a reason their last cell.
 * UPDATE_GOLDEN=1 rewrites rows and counts; reasons of new rows have to be filled in by somebody
 * who has looked at the packets.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './source-tree.ts';

export interface Agreement {
  readonly head: readonly string[];
  /** name -> how many rows the file says it has. */
  readonly reasons: ReadonlyMap<string, number>;
  /** cells, joined by tabs -> name of the reason. */
  readonly rows: ReadonlyMap<string, string>;
}

export function readAgreement(path: string): Agreement {
  const lines = readFileSync(join(root, path), 'utf8').trimEnd().split('\n');
  const head = lines.filter((line) => line.startsWith('#'));
  const reasons = head.flatMap((line): [string, number][] => {
    const [, name, count] = /^# (\S+) \((\d+)\): .{10}/.exec(line) ?? [];
    return name === undefined ? [] : [[name, Number(count)]];
  });
  const rows = lines
    .filter((line) => !line.startsWith('#'))
    .map((line): [string, string] => {
      const cells = line.split('\t');
      return [cells.slice(0, -1).join('\t'), cells.at(-1) ?? ''];
    });
  return { head, reasons: new Map(reasons), rows: new Map(rows) };
}

function counted(rows: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of rows) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

function rewrite(path: string, { head, rows }: Agreement, found: readonly string[]): void {
  const counts = counted(found.map((key) => rows.get(key) ?? 'UNEXPLAINED'));
  const heads = head.map((line) =>
    line.replace(/^# (\S+) \(\d+\):/, (_, name: string) => `# ${name} (${counts.get(name) ?? 0}):`),
  );
  const body = found.map((key) => `${key}\t${rows.get(key) ?? 'UNEXPLAINED'}`);
  writeFileSync(join(root, path), `${[...heads, ...body].join('\n')}\n`);
}

/** Reasons that rows have and nobody has told, or whose number of rows is not what is said. */
export function reasonFaults({ reasons, rows }: Agreement): string[] {
  const counts = counted(rows.values());
  return [
    ...[...rows].filter(([, why]) => !reasons.has(why)).map(([key, why]) => `${why}? ${key}`),
    ...[...reasons]
      .filter(([why, count]) => counts.get(why) !== count)
      .map(([why, count]) => `${why}: ${counts.get(why) ?? 0} rows, its line says ${count}`),
  ];
}

/** What is wrong with the file at `path`, these being the differences that there are. */
export function faultsOf(path: string, differences: readonly (readonly string[])[]): string[] {
  const found = [...new Set(differences.map((cells) => cells.join('\t')))];
  const known = readAgreement(path);
  if (process.env['UPDATE_GOLDEN'] === '1') {
    rewrite(path, known, found);
    return [];
  }
  const wanted = new Set(found);
  return [
    ...found.filter((key) => !known.rows.has(key)).map((key) => `unexplained: ${key}`),
    ...[...known.rows.keys()]
      .filter((key) => !wanted.has(key))
      .map((key) => `not so any more: ${key}`),
    ...reasonFaults(known),
  ];
}
