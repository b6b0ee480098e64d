/**
 * `npm test [-- PATTERN…]`: lint, native tests (plain and under sanitizers), TypeScript tests.
 * Prints what it does as it goes; the last line is `N passed, N failed`. A pattern picks steps by
 * name (lint, native, address, thread, fuzz) and TypeScript tests by file name.
 */
import { readFileSync } from 'node:fs';
import { fuzzers } from './test-fuzz.ts';
import {
  clangFormat,
  type Job,
  lint,
  nativeTests,
  type Outcome,
  runJobs,
  sanitizers,
} from './test-native.ts';
import { nodeTests, testFiles } from './test-node.ts';

interface Step {
  readonly name: string;
  readonly run: () => Outcome | Promise<Outcome>;
}

const files = testFiles();
// What measures, or takes all of the machine, says so in a line of its own.
const alone = files.filter((file) => /^\/\/ Alone: /m.test(readFileSync(file, 'utf8')));
const unit = files.filter((file) => file.startsWith('test/unit/') && !alone.includes(file));
const whole = files.filter((file) => !unit.includes(file) && !alone.includes(file));

const patterns = process.argv.slice(2);
const wanted = (name: string): boolean =>
  patterns.length === 0 || patterns.some((pattern) => name.includes(pattern));

// All native programs are built first, then run side by side.
const variants = [...sanitizers.map(({ name }) => name), 'release'].filter((name) =>
  wanted(name === 'release' ? 'native' : `native: ${name}`),
);
async function native(): Promise<Outcome> {
  const jobs: Job[] = [];
  for (const variant of variants) jobs.push(await nativeTests(variant));
  if (wanted('fuzz')) jobs.push(...fuzzers());
  return runJobs(jobs);
}
const programs = [...variants, ...(wanted('fuzz') ? ['fuzz'] : [])];
const steps: Step[] = [
  { name: 'lint', run: lint },
  { name: 'lint: C++ format', run: clangFormat },
].filter((step) => wanted(step.name));
if (programs.length > 0) steps.push({ name: `native: ${programs.join(', ')}`, run: native });

for (const [name, group, concurrency] of [
  ['unit tests', unit, 2],
  ['whole-program tests', whole, 2],
  ['tests that run alone', alone, 1],
] as const) {
  const chosen = group.filter(wanted);
  if (chosen.length > 0) steps.push({ name, run: () => nodeTests(chosen, concurrency) });
}

if (steps.length === 0) {
  console.error(`npm test: nothing is called ${patterns.join(' or ')}. There are:`);
  console.error(
    ['lint', 'native', ...sanitizers.map(({ name }) => name), 'fuzz', ...files].join('\n'),
  );
  process.exit(2);
}

let passed = 0;
let failed = 0;
const skipped: string[] = [];
const failures: string[] = [];
for (const step of steps) {
  const start = performance.now();
  console.log(`\n=== ${step.name}`);
  const outcome = await step.run();
  passed += outcome.passed;
  failed += outcome.failed;
  skipped.push(...outcome.skipped);
  failures.push(...outcome.failures.map((failure) => `${step.name}: ${failure}`));
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`=== ${step.name}: ${outcome.passed} passed, ${outcome.failed} failed, ${seconds} s`);
}

console.log('');
if (skipped.length > 0) {
  console.log(`skipped ${skipped.length}:`);
  for (const reason of skipped) console.log(`  ${reason}`);
}
if (failures.length > 0) {
  console.log(`failed ${failures.length}:`);
  for (const failure of failures) console.log(`  ${failure}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
