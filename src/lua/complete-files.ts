/** Completion of file names, as the machine that runs Lua sees them. */
import { readdirSync } from 'node:fs';

/** More than anybody reads. */
export const filesMax = 500;

/** Paths that `word` can become; folders end in a slash, hidden files only where asked for. */
export function fileCandidates(word: string): string[] {
  const slash = word.lastIndexOf('/') + 1;
  const folder = word.slice(0, slash);
  const start = word.slice(slash);
  try {
    return readdirSync(folder === '' ? '.' : folder, { withFileTypes: true })
      .filter(({ name }) => name.startsWith(start) && (start !== '' || !name.startsWith('.')))
      .slice(0, filesMax)
      .map((entry) => folder + entry.name + (entry.isDirectory() ? '/' : ''));
  } catch {
    return []; // no such folder
  }
}
