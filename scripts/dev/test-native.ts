/** The steps of `npm test` that are programs of their own: linters and the native test program. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';

export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  /** What did not run and why, a line each. */
  readonly skipped: readonly string[];
  /** What failed, a line each. */
  readonly failures: readonly string[];
}

export const sanitizers = [
  { name: 'address', flags: 'address,undefined' },
  { name: 'thread', flags: 'thread' },
] as const;

/** Runs a program, passing on its output as it comes; `onLine` sees each line, without `prefix`. */
function run(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  onLine: (line: string) => void = () => {},
  prefix = '',
): Promise<{ ok: boolean; ending: string }> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...environment },
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      console.log(prefix + line);
      onLine(line);
    });
    child.on('error', (error) => resolve({ ok: false, ending: error.message }));
    child.on('close', (code, signal) =>
      resolve({ ok: code === 0, ending: signal ?? `exit code ${code}` }),
    );
  });
}

/** Runs a program in a folder and keeps what it says on stderr. */
export function runCaptured(
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<{ ok: boolean; ending: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', ({ message }) => resolve({ ok: false, ending: message, stderr }));
    child.on('close', (code, signal) =>
      resolve({ ok: code === 0, ending: signal ?? `exit code ${code}`, stderr }),
    );
  });
}

function one(name: string, ok: boolean, ending: string): Outcome {
  if (ok) return { passed: 1, failed: 0, skipped: [], failures: [] };
  return { passed: 0, failed: 1, skipped: [], failures: [`${name}: ${ending}`] };
}

export async function lint(): Promise<Outcome> {
  const { ok, ending } = await run('node_modules/.bin/biome', ['check', '--error-on-warnings']);
  return one('biome check', ok, ending);
}

/** Only clang-format 14 is asked: each version has its own idea of where lines break. */
export function clangFormat(): Outcome {
  const version = spawnSync('clang-format-14', ['--version']);
  if (version.status !== 0) {
    const reason = 'C++ format: clang-format-14 is not installed';
    return { passed: 0, failed: 0, skipped: [reason], failures: [] };
  }
  const sources = ['native', 'test/native', 'bench', 'fuzz', 'examples']
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((file) => /\.(cc|hh|c|h)$/.test(file) && !/^(build|vendor)\//.test(file))
        .map((file) => `${folder}/${file}`),
    );
  const { status, stderr } = spawnSync('clang-format-14', ['--dry-run', '--Werror', ...sources], {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  });
  const files = new Set([...stderr.matchAll(/^([^:\n]+):\d+:\d+: error/gm)].map(([, f]) => f));
  for (const file of files) console.log(`not as clang-format 14 has it: ${file}`);
  return one('clang-format', status === 0, 'run `npm run format`');
}

export function sum(outcomes: readonly Outcome[]): Outcome {
  return {
    passed: outcomes.reduce((all, { passed }) => all + passed, 0),
    failed: outcomes.reduce((all, { failed }) => all + failed, 0),
    skipped: outcomes.flatMap(({ skipped }) => skipped),
    failures: outcomes.flatMap(({ failures }) => failures),
  };
}

/** A program that is built and ready: `run` keeps one core busy. */
export interface Job {
  readonly run: () => Promise<Outcome>;
}

/** As many at a time as there are cores; in this order. */
export async function runJobs(jobs: readonly Job[]): Promise<Outcome> {
  const outcomes: Outcome[] = [];
  const left = [...jobs];
  const work = async () => {
    for (let job = left.shift(); job; job = left.shift()) outcomes.push(await job.run());
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return sum(outcomes);
}

/**
 * Builds the native test program as built for use, or under a sanitizer: `variant` is "release" or
 * a sanitizer's name.
 */
export async function nativeTests(variant: string): Promise<Job> {
  const sanitizer = sanitizers.find(({ name }) => name === variant);
  const build = `build/${variant}`;
  const make = ['-C', 'native', '-s', `-j${availableParallelism()}`, `BUILD=${build}`, 'core_test'];
  if (sanitizer) make.push(`SANITIZE=${sanitizer.flags}`);
  const made = await run('make', make);
  if (made.ok) return { run: () => runNativeTests(variant) };
  const outcome = one(`build of ${build}/core_test`, false, made.ending);
  return { run: () => Promise.resolve(outcome) };
}

async function runNativeTests(variant: string): Promise<Outcome> {
  const sanitizer = sanitizers.find(({ name }) => name === variant);
  const build = `build/${variant}`;
  let passed = 0;
  let failed = 0;
  let summaries = 0;
  const skipped: string[] = [];
  const failures: string[] = [];
  const program = `native/${build}/core_test`;
  // The thread sanitizer needs its shadow where address randomisation may have put something else.
  const plain = variant === 'thread' && spawnSync('setarch', ['-R', 'true']).status === 0;
  const ended = await run(
    plain ? 'setarch' : program,
    plain ? ['-R', program] : [],
    {
      ASAN_OPTIONS: 'detect_stack_use_after_return=1:strict_string_checks=1',
      UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
      TSAN_OPTIONS: 'halt_on_error=1:second_deadlock_stack=1',
      // Random changes of the graph at full speed: a minute as built, some seconds when watched.
      BRICKS_TEST_SECONDS: process.env['BRICKS_TEST_SECONDS'] ?? (sanitizer ? '6' : '60'),
    },
    (line) => {
      const summary = /^native: (\d+) passed, (\d+) failed, \d+ skipped$/.exec(line);
      if (summary) {
        passed = Number(summary[1]);
        failed = Number(summary[2]);
        summaries += 1;
      } else if (line.startsWith('not ok ')) {
        failures.push(`${variant}: ${line.slice('not ok '.length)}`);
      } else if (line.startsWith('skipped ')) {
        skipped.push(`native ${variant}: ${line.slice('skipped '.length)}`);
      }
    },
    `${variant}: `,
  );
  // A sanitizer's finding, a crash, or an end without a summary is a failure of its own.
  if (summaries !== 1 || (!ended.ok && failed === 0)) {
    failed += 1;
    failures.push(`core_test (${variant}): ${ended.ending}`);
  }
  return { passed, failed, skipped, failures };
}
