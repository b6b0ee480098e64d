/**
 * `npm run bench [-- --json] [-- NAME…]`: builds and runs the native benchmarks, measures the
 * program as a whole (memory, start), prints a table or the same as data. Figures are of this
 * machine and this minute; the limit loop beside them tells what it could have done.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pluginFigures } from '../../bench/plugin-events.ts';
import { packageRoot } from '../../src/native/load.ts';

interface Figure {
  readonly name: string;
  readonly input: string;
  readonly unit: string;
  readonly min: number;
  readonly median: number;
  readonly max: number;
  readonly limit?: number;
  readonly share?: number;
}

const root = packageRoot();
const bricks = path.join(root, 'bin/bricks');
const runs = 5;

const script = `
local pe = PktEngine.new("bench")
local lb = Brick.new("LoadBalancer")
lb:connect_input("gen:60?flows=1000")
lb:connect_outputs("bench", 4)
pe:link(lb)
pe:start()
pe:wait(3600)
`;

function nativeFigures(names: readonly string[]): Figure[] {
  const built = spawnSync('make', ['-s', '-C', 'native', '-j2', 'bench'], {
    cwd: root,
    stdio: ['ignore', 2, 'inherit'],
  });
  if (built.status !== 0) throw new Error('the native benchmarks do not build; see above');
  const made = spawnSync(path.join(root, 'native/build/release/core_bench'), ['--json', ...names], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 24,
  });
  if (made.status !== 0) throw new Error(`core_bench ended with status ${made.status}`);
  return JSON.parse(made.stdout) as Figure[];
}

/** One daemon from its start to the first packet a waiting consumer gets; then its memory. */
async function startOnce(folder: string): Promise<{ startMs: number; residentMb: number }> {
  const file = path.join(folder, 'bench.lua');
  writeFileSync(file, script);
  const env = { ...process.env, BRICKS_RUN_DIR: path.join(folder, 'run') };
  const consumer = spawn(bricks, ['cat', 'bench}0', '-c', '1', '-q', '-w', '/dev/null'], {
    env,
    stdio: 'ignore',
  });
  const first = new Promise<void>((resolve) => consumer.once('exit', () => resolve()));
  const begin = performance.now();
  const daemon = spawn(bricks, ['-f', file], { env, stdio: ['pipe', 'ignore', 'inherit'] });
  const ended = new Promise<void>((resolve) => daemon.once('exit', () => resolve()));
  await first;
  const startMs = performance.now() - begin;
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const status = readFileSync(`/proc/${daemon.pid}/status`, 'utf8');
  const residentMb = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  daemon.kill('SIGTERM');
  await ended;
  return { startMs, residentMb };
}

function figureOf(name: string, input: string, unit: string, values: number[]): Figure {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number): number => Math.round((sorted[index] ?? Number.NaN) * 10) / 10;
  return {
    name,
    input,
    unit,
    min: at(0),
    median: at(Math.floor(sorted.length / 2)),
    max: at(sorted.length - 1),
  };
}

async function programFigures(wanted: (name: string) => boolean): Promise<Figure[]> {
  if (!wanted('memory') && !wanted('start')) return [];
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bricks-bench-'));
  try {
    const starts: number[] = [];
    const memories: number[] = [];
    for (let run = 0; run < runs; run += 1) {
      const { startMs, residentMb } = await startOnce(folder);
      starts.push(startMs);
      memories.push(residentMb);
    }
    return [
      figureOf('start', '1 engine, 4 pipes', 'ms to the first packet', starts),
      figureOf('memory', '1 engine, 4 pipes', 'MiB resident', memories),
    ].filter((figure) => wanted(figure.name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function printTable(figures: readonly Figure[]): void {
  const rows = figures.map((f) => [
    f.name,
    f.input,
    String(f.min),
    String(f.median),
    String(f.max),
    f.unit,
    f.limit === undefined ? '' : String(f.limit),
    f.share === undefined ? '' : f.share.toFixed(2),
  ]);
  const head = ['NAME', 'INPUT', 'MIN', 'MEDIAN', 'MAX', 'UNIT', 'LIMIT', 'SHARE'];
  const widths = head.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  for (const row of [head, ...rows]) {
    console.log(
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
}

const usage =
  'usage: npm run bench [-- --json] [-- NAME ...]   (docs/performance.md has the names)';
const words = process.argv.slice(2);
const unknown = words.filter((word) => word.startsWith('-') && word !== '--json');
if (unknown.length > 0) {
  const isHelp = unknown.every((word) => word === '-h' || word === '--help');
  console[isHelp ? 'log' : 'error'](isHelp ? usage : `bench: no option ${unknown[0]}; ${usage}`);
  process.exit(isHelp ? 0 : 2);
}
const json = words.includes('--json');
const names = words.filter((word) => !word.startsWith('-'));
const wanted = (name: string): boolean => names.length === 0 || names.includes(name);
const ours = ['memory', 'start', 'session-events-ts'];
const nativeNames = names.filter((name) => !ours.includes(name));
const figures = [
  ...(names.length === 0 || nativeNames.length > 0 ? nativeFigures(nativeNames) : []),
  ...(await programFigures(wanted)),
  ...(await pluginFigures(wanted)).map(({ name, input, unit, values }) =>
    figureOf(name, input, unit, values),
  ),
];
const missing = names.filter((name) => !figures.some((figure) => figure.name.startsWith(name)));
if (missing.length > 0) {
  console.error(`bench: nothing is measured by the name of ${missing.join(', ')}; ${usage}`);
  process.exitCode = 2;
}
const machine = {
  processor: os.cpus()[0]?.model ?? 'unknown',
  cores: os.cpus().length,
  memoryGiB: Math.round(os.totalmem() / 2 ** 30),
  kernel: os.release(),
  load: os.loadavg()[0],
};
if (json) {
  console.log(JSON.stringify({ machine, figures }, null, 1));
} else {
  console.log(
    `${machine.processor}, ${machine.cores} cores, Linux ${machine.kernel}, load ${machine.load}\n`,
  );
  printTable(figures);
}
