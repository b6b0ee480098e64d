/**
 * Types of a plugin's file. The compiler is no part of bricks: the one that is found from the
 * file's own folder is used, or the one that bricks itself is built with, where that is installed.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BricksError } from '../errors.ts';

export interface TypeCheck {
  readonly checked: boolean;
  /** Which compiler has checked; or why none has, and what to do about it. */
  readonly how: string;
}

/** A compiler that is silent for so long hangs. */
const timeoutMs = 60_000;

const own = fileURLToPath(import.meta.url);
const api = join(dirname(own), own.endsWith('.ts') ? 'api.ts' : 'api.d.ts');

/** Folder of a package, as seen from each of these files in turn. */
function findPackage(name: string, from: readonly string[]): string | undefined {
  for (const file of from) {
    try {
      return dirname(createRequire(file).resolve(`${name}/package.json`));
    } catch {
      // The next one may see it.
    }
  }
  return undefined;
}

function settings(file: string, nodeTypes: string): string {
  return JSON.stringify({
    files: [file],
    compilerOptions: {
      target: 'ES2023',
      lib: ['ES2023'],
      module: 'ESNext',
      moduleResolution: 'bundler',
      moduleDetection: 'force',
      allowImportingTsExtensions: true,
      noEmit: true,
      strict: true,
      skipLibCheck: true,
      types: ['node'],
      typeRoots: [dirname(nodeTypes)],
      paths: { 'bricks/plugin': [api] },
    },
  });
}

/** Lines of the compiler's, with files' names as they are seen from here. */
function readable(output: string, folder: string): string {
  return output
    .trim()
    .split('\n')
    .map((line) => {
      const [whole = '', name = '', row = '', column = ''] =
        /^(\S.*?)\((\d+),(\d+)\): /.exec(line) ?? [];
      if (whole === '') return line;
      const path = join(folder, name);
      const shown = relative(process.cwd(), existsSync(path) ? path : name);
      const place = `${shown.startsWith('..') ? path : shown}:${row}:${column}`;
      return `${place}: ${line.slice(whole.length)}`;
    })
    .join('\n');
}

/** `from`: whose packages it may use. Throws `invalid_argument` with all that does not fit. */
export function checkTypes(file: string, from = [realpathSync(file), own]): TypeCheck {
  const compiler = findPackage('typescript', from);
  const nodeTypes = findPackage('@types/node', from);
  if (compiler === undefined || nodeTypes === undefined) {
    const missing = compiler === undefined ? 'typescript' : '@types/node';
    const how =
      `no package ${missing} is found from ${dirname(file)}; ` +
      'install it there with: npm install --no-save typescript @types/node';
    return { checked: false, how };
  }
  const about = JSON.parse(readFileSync(join(compiler, 'package.json'), 'utf8')) as {
    readonly version: string;
    readonly bin: Readonly<Record<string, string>>;
  };
  const folder = mkdtempSync(join(tmpdir(), 'bricks-types-'));
  try {
    const project = join(folder, 'tsconfig.json');
    writeFileSync(project, settings(realpathSync(file), nodeTypes));
    const { status, stdout, stderr, error } = spawnSync(
      process.execPath,
      [join(compiler, about.bin['tsc'] ?? 'bin/tsc'), '-p', project, '--pretty', 'false'],
      { cwd: folder, encoding: 'utf8', timeout: timeoutMs },
    );
    const how = `TypeScript ${about.version}`;
    if (status === 0) return { checked: true, how };
    if (error !== undefined || status === null || stdout === '') {
      const reason = error?.message ?? stderr.trim();
      return { checked: false, how: `${how} does not run: ${reason}` };
    }
    throw new BricksError('invalid_argument', `${file}: types:\n${readable(stdout, folder)}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
