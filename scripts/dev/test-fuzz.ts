/** The step of `npm test` that fuzzes the packet decoder for a minute (docs/flows.md). */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Outcome } from './test-native.ts';

const compiler = 'clang++-14';
const folder = 'native/build/release/fuzz';

function failed(why: string): Outcome {
  return { passed: 0, failed: 1, skipped: [], failures: [`fuzz/decode: ${why}`] };
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

export function fuzzDecoder(): Outcome {
  if (!canFuzz()) {
    const reason = `fuzzing the decoder: no ${compiler} with libFuzzer; try scripts/setup --tests`;
    return { passed: 0, failed: 0, skipped: [reason], failures: [] };
  }
  const built = spawnSync(
    'make',
    ['-C', 'native', '-s', `-j${os.availableParallelism()}`, 'fuzz'],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  if (built.status !== 0) return failed('it does not build');
  const work = mkdtempSync(path.join(os.tmpdir(), 'bricks-fuzz-'));
  try {
    const corpus = path.join(work, 'corpus');
    mkdirSync(corpus);
    if (spawnSync(path.resolve(folder, 'decode_corpus'), [corpus]).status !== 0) {
      return failed('its corpus could not be written');
    }
    const seconds = process.env['BRICKS_FUZZ_SECONDS'] ?? '60';
    const seed = process.env['BRICKS_FUZZ_SEED'] ?? String(Date.now() % 2 ** 31);
    console.log(`seed ${seed}, ${seconds} s (BRICKS_FUZZ_SEED and BRICKS_FUZZ_SECONDS set them)`);
    const run = spawnSync(
      path.resolve(folder, 'decode'),
      [
        `-max_total_time=${seconds}`,
        `-seed=${seed}`,
        '-max_len=512',
        '-print_final_stats=1',
        corpus,
      ],
      { cwd: work, encoding: 'utf8', maxBuffer: 1 << 26 },
    );
    const inputs = /number_of_executed_units: (\d+)/.exec(run.stderr)?.[1];
    if (run.status === 0 && inputs !== undefined) {
      console.log(`${inputs} inputs`);
      return { passed: 1, failed: 0, skipped: [], failures: [] };
    }
    // The input that did it is in the report, as base64.
    console.log(run.stderr.slice(-8000));
    return failed(`seed ${seed}: ${run.signal ?? `exit code ${run.status}`}; its report is above`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
