/**
 * `npm run demo [-- FILE]`: a capture through a LoadBalancer into four pipes, read by four
 * processes, and an independent check that they got exactly what went in. Exit 0; 8 when the check
 * fails.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import {
  comparePartition,
  describePartition,
  type PartitionReport,
} from '../../src/capture/compare.ts';
import { readCapture } from '../../src/capture/read.ts';
import { printLedger } from '../../src/cli/print.ts';
import { formatNumber, formatTable } from '../../src/cli/table.ts';
import type { Ledger } from '../../src/engine/ledger.ts';
import { BricksError, exitCodeOf, exitCodes } from '../../src/errors.ts';
import { writeTraffic } from '../../src/traffic/traffic.ts';

const consumers = 4;
const traffic = { seed: 7, flows: 2000 };
/** A consumer that hears nothing for so long gives up; the demo then tells what went wrong. */
const patienceSeconds = 60;

const root = dirname(createRequire(import.meta.url).resolve('bricks/package.json'));
const bricks = join(root, 'bin', 'bricks');

interface Program {
  readonly process: ChildProcess;
  /** Exit code; 1 where a signal ended it. */
  readonly ended: Promise<number>;
  /** All of stdout, complete when it has ended. */
  readonly output: () => string;
}

const running = new Set<ChildProcess>();

function start(args: readonly string[], env: NodeJS.ProcessEnv): Program {
  const child = spawn(bricks, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  running.add(child);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const ended = new Promise<number>((settle, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      running.delete(child);
      settle(code ?? exitCodes.failure);
    });
  });
  return { process: child, ended, output: () => text };
}

async function expectSuccess(what: string, program: Program): Promise<void> {
  const code = await program.ended;
  if (code !== exitCodes.ok) {
    throw new BricksError('failed', `${what} ended with exit code ${code}; its words are above`);
  }
}

/** Runs the demo proper in `folder`; returns what the consumers wrote and the engine's ledger. */
async function replay(
  capture: string,
  folder: string,
): Promise<{ pids: number[]; files: string[]; ledger: Ledger }> {
  const env = { ...process.env, BRICKS_RUN_DIR: join(folder, 'run'), BRICKS_DEMO_CAPTURE: capture };
  // They hold until stdin ends, so that the ledger can be read when all is done.
  const daemon = start(['-f', join(root, 'scripts', 'demo.lua')], env);
  const files = Array.from({ length: consumers }, (_, index) =>
    join(folder, `share-${index}.pcap`),
  );
  const readers = files.map((file, index) =>
    start(['cat', `demo}${index}`, '-w', file, '-q', '--timeout', String(patienceSeconds)], env),
  );
  const failedEarly = daemon.ended.then((code) => {
    throw new BricksError('failed', `bricks ended too early, with exit code ${code}`);
  });
  const consumed = Promise.all(
    readers.map((reader, index) => expectSuccess(`the consumer of demo}${index}`, reader)),
  );
  await Promise.race([consumed, failedEarly]);
  const report = start(['ledger', '--json'], env);
  await expectSuccess('bricks ledger', report);
  daemon.process.stdin?.end();
  failedEarly.catch(() => {}); // from here on it may end
  await expectSuccess('bricks', daemon);
  const ledger = JSON.parse(report.output()) as Ledger;
  return { pids: readers.map((reader) => reader.process.pid ?? 0), files, ledger };
}

function printShares(report: PartitionReport, pids: readonly number[]): void {
  const rows = report.outputs.map(({ packets, bytes, flows }, index) => [
    `demo}${index}`,
    String(pids[index] ?? '-'),
    packets,
    bytes,
    flows,
  ]);
  const { packets, bytes, flows } = report.input;
  rows.push(['input', '', packets, bytes, flows]);
  console.log(formatTable(['CONSUMER', 'PROCESS', 'PACKETS', 'BYTES', 'FLOWS'], rows));
}

async function demo(file: string | undefined, folder: string): Promise<number> {
  let capture: string;
  if (file === undefined) {
    capture = join(folder, 'traffic.pcap');
    const made = writeTraffic(capture, traffic);
    console.log(
      `Made a capture: ${formatNumber(made.packets)} packets of ${formatNumber(traffic.flows)} ` +
        `conversations (seed ${traffic.seed}).`,
    );
  } else {
    // A plain name, whatever characters the file's own has.
    capture = join(folder, 'capture');
    symlinkSync(resolve(file), capture);
  }
  const input = readCapture(file ?? capture);
  if (input.damage !== undefined) {
    console.log(`The capture is damaged (${input.damage}); what is whole counts.`);
  }
  console.log(
    `Replaying it through a LoadBalancer into ${consumers} pipes, each with a consumer.\n`,
  );
  const startMs = performance.now();
  const { pids, files, ledger } = await replay(capture, folder);
  const seconds = (performance.now() - startMs) / 1000;
  const outputs = files.map((path) => readCapture(path).records);
  const report = comparePartition(input.records, outputs);
  printShares(report, pids);
  console.log(printLedger(ledger));
  console.log(`${describePartition(report)} (${seconds.toFixed(1)} s)`);
  for (const fault of report.faults) {
    console.log(`  ${fault}`);
  }
  if (ledger.difference !== 0 || ledger.received !== input.records.length) {
    console.log(
      `NOT verified: the ledger says ${ledger.received} received, difference ` +
        `${ledger.difference}`,
    );
    return exitCodes.checkFailed;
  }
  return report.ok ? exitCodes.ok : exitCodes.checkFailed;
}

const folder = mkdtempSync(join(tmpdir(), 'bricks-demo-'));
/** Whatever still runs is ours, and ends with us. */
function cleanUp(): void {
  for (const child of running) {
    child.kill('SIGKILL');
  }
  rmSync(folder, { recursive: true, force: true });
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    cleanUp();
    process.exit(exitCodes.interrupted);
  });
}
let code: number;
try {
  code = await demo(process.argv[2], folder);
} catch (error) {
  console.error(`demo: ${error instanceof Error ? error.message : String(error)}`);
  code = exitCodeOf(error);
} finally {
  cleanUp();
}
process.exit(code);
