/** What /proc and /sys say; undefined where they say nothing. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';

export function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

export function numberOf(path: string): number | undefined {
  const text = textOf(path);
  return text === undefined || !/^-?[0-9]+$/.test(text) ? undefined : Number(text);
}

export function namesIn(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}

/** The word in brackets of `always [madvise] never`. */
export function chosenOf(path: string): string | undefined {
  return /\[(.+?)\]/.exec(textOf(path) ?? '')?.[1];
}

/** `CapEff` and the like of /proc/self/status. */
export function statusField(name: string): string | undefined {
  const text = textOf('/proc/self/status') ?? '';
  return new RegExp(`^${name}:\\s*(.+)$`, 'm').exec(text)?.[1];
}
