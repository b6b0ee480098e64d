/** `bricks plugin new`: a plugin of one's own, with its test, from share/plugin. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BricksError } from '../errors.ts';
import { packageRoot } from '../native/load.ts';

export const languages = ['c', 'lua', 'ts'] as const;
export type Language = (typeof languages)[number];

/** What a list of plugins names. */
const fileOf = (name: string, language: Language): string =>
  `${name}.${language === 'c' ? 'so' : language}`;

/**
 * Makes the folder and returns the files in it, the test last. Throws `invalid_argument`,
 * `already_exists`; what is there already stays as it is.
 */
export function makeSkeleton(name: string, language: Language, folder: string): string[] {
  if (!/^[a-z][a-z0-9_]{0,39}$/.test(name)) {
    throw new BricksError(
      'invalid_argument',
      `'${name}' is no name for a plugin: small letters, digits and _, 40 at most, a letter first`,
    );
  }
  const source = join(packageRoot(), 'share', 'plugin');
  const made = resolve(folder);
  const words = { NAME: name, FILE: join(made, fileOf(name, language)), PROGRAM: programPath() };
  const fill = (text: string): string =>
    text.replaceAll(/\b(NAME|FILE|PROGRAM)\b/g, (word) => words[word as keyof typeof words]);
  const files = readdirSync(join(source, language)).map((file) => ({
    path: join(made, fill(file)),
    text: fill(readFileSync(join(source, language, file), 'utf8')),
  }));
  for (const [file, to] of [
    ['test.lua', 'test.lua'],
    ['test.sh', 'test'],
  ] as const) {
    files.push({ path: join(made, to), text: fill(readFileSync(join(source, file), 'utf8')) });
  }
  try {
    mkdirSync(made, { recursive: true });
    for (const { path, text } of files) writeFileSync(path, text, { flag: 'wx' });
    chmodSync(join(made, 'test'), 0o755);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') {
      throw new BricksError('already_exists', `${made} has such files already: ${message}`);
    }
    const isMine = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
    throw new BricksError(isMine ? 'permission_denied' : 'failed', `${made}: ${message}`);
  }
  return files.map(({ path }) => path);
}

/** This very program, as a test finds it again. */
function programPath(): string {
  return join(packageRoot(), 'bin', 'bricks');
}
