/**
 * Hooks of Node's module loader: files in TypeScript run as they are, without their types (their
 * lines and columns stay), and `bricks/plugin` is found wherever a plugin's file is.
 */
import { readFile } from 'node:fs/promises';
import type { LoadHook, ResolveHook } from 'node:module';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@swc/wasm-typescript';

const api = new URL(import.meta.url.endsWith('.ts') ? './api.ts' : './api.js', import.meta.url)
  .href;

export const resolve: ResolveHook = (specifier, context, next) =>
  specifier === 'bricks/plugin' ? { url: api, shortCircuit: true } : next(specifier, context);

interface SyntaxFault {
  readonly message?: string;
  readonly startLine?: number;
  readonly startColumn?: number;
}

export const load: LoadHook = async (url, context, next) => {
  if (!/\.m?ts$/.test(url)) return next(url, context);
  const file = fileURLToPath(url);
  const text = await readFile(file, 'utf8');
  try {
    const { code } = transformSync(text, { mode: 'strip-only', filename: file });
    return { format: 'module', source: `${code}\n//# sourceURL=${url}`, shortCircuit: true };
  } catch (error) {
    const { message, startLine = 0, startColumn = 0 } = error as SyntaxFault;
    throw new SyntaxError(`${file}:${startLine}:${startColumn + 1}: ${message ?? String(error)}`);
  }
};
