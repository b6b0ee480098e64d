/** The TypeScript tests of `npm test`: every *.test.ts of test/, compiled, each file a process. */
import { readdirSync } from 'node:fs';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import type { Outcome } from './test-native.ts';

/** A test file that takes longer hangs. */
const fileTimeoutMs = 10 * 60_000;

/** Sources, not what lies in dist/: a test that was taken away must not live on there. */
export function testFiles(): string[] {
  return readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => `test/${file}`)
    .sort();
}

interface TestData {
  readonly name: string;
  readonly file?: string | undefined;
  readonly skip?: string | boolean | undefined;
  readonly todo?: string | boolean | undefined;
  readonly details: { readonly type?: string | undefined };
}

/** Runs test files, `concurrency` at a time. */
export async function nodeTests(files: readonly string[], concurrency: number): Promise<Outcome> {
  let passed = 0;
  const skipped: string[] = [];
  const failures: string[] = [];
  const compiled = files.map((file) => `dist/${file.replace(/\.ts$/, '.js')}`);
  const stream = run({ files: compiled, concurrency, timeout: fileTimeoutMs });
  const where = (data: TestData) => `${data.name} (${data.file?.replace(/^.*\/dist\//, '') ?? ''})`;
  stream.on('test:pass', (data: TestData) => {
    if (data.details.type === 'suite') return;
    if (data.skip !== undefined && data.skip !== false) {
      skipped.push(`${where(data)}: ${data.skip === true ? 'no reason given' : data.skip}`);
    } else {
      passed += 1;
    }
  });
  stream.on('test:fail', (data: TestData) => {
    if (data.details.type !== 'suite') failures.push(where(data));
  });
  for await (const text of stream.compose(new spec())) process.stdout.write(text);
  return { passed, failed: failures.length, skipped, failures };
}
