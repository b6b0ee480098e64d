/** Finds and loads the native addon; one per process, whichever thread asks first. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BricksError } from '../errors.ts';
import type { NativeBinding } from './binding.ts';
import type { ScriptBinding } from './scripts.ts';

/** All of the addon: what engines are made of, and what runs plugins in TypeScript. */
export type Addon = NativeBinding & ScriptBinding;

/** The nearest folder upwards that holds package.json: the same from src/ and from dist/src/. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('package.json is not above this module');
    folder = parent;
  }
  return folder;
}

/** As package.json has it. */
export function packageVersion(): string {
  const text = readFileSync(join(packageRoot(), 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

let loaded: Addon | undefined;

/** The addon, ready for use. Throws `unsupported` when it is not built or does not load. */
export function loadBinding(): Addon {
  if (loaded !== undefined) return loaded;
  // Another build (sanitizers, faults) by its folder's name.
  const build = process.env['BRICKS_BUILD'] ?? 'release';
  const file = join(packageRoot(), 'native', 'build', basename(build), 'bricks.node');
  if (!existsSync(file)) {
    throw new BricksError(
      'unsupported',
      `the native part is not built: ${file} is missing; build it with: scripts/setup`,
    );
  }
  try {
    loaded = createRequire(import.meta.url)(file) as Addon;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BricksError(
      'unsupported',
      `the native part does not load: ${reason}; build it again with: scripts/setup`,
    );
  }
  loaded.lendErrorClass(BricksError as new (code: string, message: string) => Error);
  return loaded;
}
