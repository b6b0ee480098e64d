/** The lines typed at the prompt, kept from one shell to the next; several may write at once. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export const historyLinesMax = 1000;

/** $BRICKS_HISTORY, else ~/.bricks_history. An empty $BRICKS_HISTORY keeps none. */
export function historyPath(env: NodeJS.ProcessEnv = process.env): string {
  return env['BRICKS_HISTORY'] ?? join(homedir(), '.bricks_history');
}

const asText = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

/**
 * Newest first and each once, as node:readline wants it; none where the file cannot be read. A file
 * that has grown long is cut.
 */
export function loadHistory(path: string): string[] {
  try {
    const stored = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
    const lines = [...new Set(stored.reverse())].slice(0, historyLinesMax);
    if (stored.length > 2 * historyLinesMax) {
      writeFileSync(path, asText(lines.toReversed()), { mode: 0o600 });
    }
    return lines;
  } catch {
    return [];
  }
}

/** Adds a line that was typed. A history that cannot be written is no reason to fail. */
export function appendHistory(path: string, line: string): void {
  try {
    appendFileSync(path, `${line}\n`, { mode: 0o600 });
  } catch {
    // a read-only home, no home
  }
}
