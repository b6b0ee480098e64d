/**
 * The golden cases of test/cases, through the real program: `bricks -f` with capture files in and
 * out. UPDATE_GOLDEN=1 rewrites what they expect; look at the difference before it is committed.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readCapture } from '../src/capture/read.ts';
import {
  captureOf,
  framesOf,
  type GoldenCase,
  nameOf,
  parseCase,
  scriptOf,
  withExpectation,
} from './support/golden-case.ts';
import { readSource, root } from './support/source-tree.ts';

const update = process.env['UPDATE_GOLDEN'] === '1';

/** Runs a case in `folder` and says what came out, in the words of `--- expect`. */
function outcomeOf(golden: GoldenCase, folder: string): string {
  const frames = framesOf(golden);
  for (const input of golden.inputs.keys())
    writeFileSync(join(folder, `${input}.in.pcap`), captureOf(frames, input));
  const script = join(folder, 'case.lua');
  writeFileSync(script, scriptOf(golden));
  const run = spawnSync(join(root, 'bin/bricks'), ['-f', script], {
    cwd: folder,
    // The seed makes the balancer's choices the same on every run.
    env: { ...process.env, BRICKS_RUN_DIR: folder, BRICKS_HASH_SEED: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(run.status, 0, `exit code ${run.status ?? run.signal}: ${run.stderr}${run.stdout}`);
  const outputs = golden.outputs.map((output) => {
    const { records, damage } = readCapture(join(folder, `${output}.out.pcap`));
    const names = records.map((record) => nameOf(record, frames));
    return `${output}: ${names.join(' ')}${damage ? ` damaged: ${damage}` : ''}`.trimEnd();
  });
  const ledger = [...run.stdout.matchAll(/^LEDGER (.*)$/gm)].map(([, words = '']) => words);
  return [...outputs, `ledger: ${ledger.join(', ')}`].join('\n');
}

const names = readdirSync(join(root, 'test/cases')).filter((name) => name.endsWith('.case'));

test('there are golden cases', () => {
  assert.ok(names.length >= 12);
});

for (const name of names.sort()) {
  const source = readSource(`test/cases/${name}`);
  const golden = parseCase(source);
  test(`${name}: ${golden.text.replaceAll('\n', ' ')}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'bricks-case-'));
    try {
      const outcome = outcomeOf(golden, folder);
      if (update) writeFileSync(join(root, 'test/cases', name), withExpectation(source, outcome));
      else assert.equal(outcome, golden.expectation);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}
