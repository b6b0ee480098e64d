/** The step of `npm test` that fuzzes the packet decoder for a minute, the readers of
 * announcements and TCP reassembly for a quarter of one and those of payload for half of one
 * (docs/flows.md, docs/streams.md). */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Job, type Outcome, runCaptured } from './test-native.ts';

const compiler = 'clang++-14';
const folder = 'native/build/release/fuzz';

/** Inputs of up to `longest` bytes; `seeds`: a program that writes the first ones. */
interface Target {
  readonly name: string;
  readonly share: number;
  readonly longest: number;
  readonly seeds?: string;
  readonly dictionary?: string;
}

const targets: readonly Target[] = [
  { name: 'decode', share: 1, longest: 512, seeds: 'decode_corpus' },
  { name: 'announcements', share: 0.25, longest: 1500, dictionary: 'fuzz/announcements.dict' },
  { name: 'payload', share: 0.5, longest: 4000, dictionary: 'fuzz/payload.dict' },
  { name: 'segments', share: 0.25, longest: 4096 },
];

function failed(target: string, why: string): Outcome {
  return { passed: 0, failed: 1, skipped: [], failures: [`fuzz/${target}: ${why}`] };
}

/** Built as it is, but on the fuzzer's library: which Debian has in a package of its own. */
function canFuzz(): boolean {
  const made = spawnSync(
    compiler,
    ['-fsanitize=fuzzer,address,undefined', '-x', 'c++', '-', '-o', '/dev/null'],
    { input: 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' },
  );
  return made.status === 0;
}

async function fuzz(target: Target, seconds: number, seed: string): Promise<Outcome> {
  const work = mkdtempSync(path.join(os.tmpdir(), 'bricks-fuzz-'));
  try {
    const corpus = path.join(work, 'corpus');
    mkdirSync(corpus);
    if (
      target.seeds !== undefined &&
      spawnSync(path.resolve(folder, target.seeds), [corpus]).status !== 0
    ) {
      return failed(target.name, 'its corpus could not be written');
    }
    const options = [
      `-max_total_time=${Math.max(1, Math.round(seconds * target.share))}`,
      `-seed=${seed}`,
      `-max_len=${target.longest}`,
      '-print_final_stats=1',
    ];
    if (target.dictionary !== undefined) options.push(`-dict=${path.resolve(target.dictionary)}`);
    const run = await runCaptured(path.resolve(folder, target.name), [...options, corpus], work);
    const inputs = /number_of_executed_units: (\d+)/.exec(run.stderr)?.[1];
    if (run.ok && inputs !== undefined) {
      console.log(`fuzz/${target.name}: ${inputs} inputs`);
      return { passed: 1, failed: 0, skipped: [], failures: [] };
    }
    // The input that did it is in the report, as base64.
    console.log(run.stderr.slice(-8000));
    return failed(target.name, `seed ${seed}: ${run.ending}; its report is above`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Builds all targets; a job for each. */
export function fuzzers(): Job[] {
  const say = (outcome: Outcome): Job[] => [{ run: () => Promise.resolve(outcome) }];
  if (!canFuzz()) {
    const reason = `fuzzing: no ${compiler} with libFuzzer; try scripts/setup --tests`;
    return say({ passed: 0, failed: 0, skipped: [reason], failures: [] });
  }
  const jobs = `-j${os.availableParallelism()}`;
  const built = spawnSync('make', ['-C', 'native', '-s', jobs, 'fuzz'], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (built.status !== 0) return say(failed('*', 'it does not build'));
  const seconds = process.env['BRICKS_FUZZ_SECONDS'] ?? '60';
  const seed = process.env['BRICKS_FUZZ_SEED'] ?? String(Date.now() % 2 ** 31);
  console.log(
    `fuzz: seed ${seed}, ${seconds} s (BRICKS_FUZZ_SEED and BRICKS_FUZZ_SECONDS set them)`,
  );
  return targets.map((target) => ({ run: () => fuzz(target, Number(seconds), seed) }));
}
