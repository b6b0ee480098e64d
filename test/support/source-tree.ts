/** The repository as tests see it: its root, and what is in it but is not made by a build. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** From dist/test/support/ as well as from test/support/. */
export const root = resolve(
  import.meta.dirname,
  import.meta.dirname.includes('/dist/') ? '../../..' : '../..',
);

// `vendor`: others' sources as they are (native/vendor/README.md).
const made = new Set(['node_modules', 'dist', '.git', 'build', 'vendor']);

/** Paths from the root of all files, sorted. */
export function sourceFiles(folder = ''): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => !made.has(entry.name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return sourceFiles(path);
      return entry.isFile() ? [path] : [];
    })
    .sort();
}

export function readSource(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** The folder of shared test captures, or undefined where there is none. */
export function sharedFolder(): string {
  return process.env['BRICKS_SHARED'] ?? resolve(root, '../shared');
}
