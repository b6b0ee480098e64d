/** The lines typed at the prompt, kept from one shell to the next. */
import { readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export const historyLinesMax = 1000;

/** $BRICKS_HISTORY, else ~/.bricks_history. An empty $BRICKS_HISTORY keeps none. */
export function historyPath(env: NodeJS.ProcessEnv = process.env): string {
  return env['BRICKS_HISTORY'] ?? join(homedir(), '.bricks_history');
}

/** Newest first, as node:readline wants it; none where the file cannot be read. */
export function loadHistory(path: string): string[] {
  try {
    const lines = readFileSync(path, 'utf8').split('\n');
    return lines
      .filter((line) => line !== '')
      .reverse()
      .slice(0, historyLinesMax);
  } catch {
    return [];
  }
}

/** Takes them newest first. A history that cannot be written is no reason to fail. */
export function saveHistory(path: string, lines: readonly string[]): void {
  try {
    const oldestFirst = lines.slice(0, historyLinesMax).reverse();
    writeFileSync(path, oldestFirst.map((line) => `${line}\n`).join(''), { mode: 0o600 });
  } catch {
    // a read-only home, no home
  }
}
