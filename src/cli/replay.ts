/** `bricks replay`: captures through Duplicator and LoadBalancers into pipes, losslessly. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Daemon } from '../daemon/daemon.ts';
import type { Log } from '../daemon/log.ts';
import { locateRunDir } from '../daemon/run-dir.ts';
import { BricksError, exitCodes } from '../errors.ts';
import type { EngineSnapshot } from '../native/binding.ts';
import { printError, toOwnStreams } from '../shell/output.ts';
import { type Arguments, type Command, helpOption, jsonOption, runDirOption } from './command.ts';
import {
  type ReplayOptions,
  readReplayOptions,
  replayEngine,
  replayScript,
} from './replay-options.ts';
import { Progress, type ReplaySummary, summaryOf, summaryText } from './replay-progress.ts';

const lookMs = 50;
const seedMax = 2n ** 64n - 1n;

const tellPeople: Log = (level, message) => {
  if (level !== 'info') {
    printError(level === 'warning' ? `warning: ${message}` : message);
  }
};

async function carryOut(daemon: Daemon, code: string): Promise<void> {
  const result = await daemon.execute(code, 'replay', false, toOwnStreams);
  if (!result.ok) {
    throw new BricksError(result.error.code, result.error.message.replace(/^replay:\d+: /, ''));
  }
}

/** Ctrl-C, or the daemon's end. */
class End {
  isOver = false;
  isInterrupted = false;
  readonly #daemon: Daemon;
  readonly #onSignal = (): void => {
    this.isOver = true;
    this.isInterrupted = true;
  };

  constructor(daemon: Daemon) {
    this.#daemon = daemon;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, this.#onSignal);
    }
    void daemon.closed.then(() => {
      this.isOver = true;
    });
  }

  engine(): EngineSnapshot | undefined {
    return this.isOver ? undefined : this.#daemon.snapshot().find((e) => e.name === replayEngine);
  }
}

/** Starts the --run commands: `{}` is the pipe's consumer end, also in $BRICKS_PIPE. */
function startConsumers({ commands, groups }: ReplayOptions, runDir: string): ChildProcess[] {
  const pipes = groups.flat().map((name) => name.replace(/\{(?=[^{}]*$)/, '}'));
  return commands.flatMap((command) =>
    pipes.map((pipe) => {
      const quoted = `'${pipe.replaceAll("'", "'\\''")}'`;
      const child = spawn('/bin/sh', ['-c', command.replaceAll('{}', () => quoted)], {
        stdio: ['ignore', 'inherit', 'inherit'],
        env: { ...process.env, BRICKS_PIPE: pipe, BRICKS_RUN_DIR: runDir },
      });
      child.on('error', (error) => printError(`--run: ${error.message}`));
      return child;
    }),
  );
}

function waitFor(children: readonly ChildProcess[]): Promise<unknown> {
  return Promise.all(
    children.map((child) =>
      child.exitCode !== null || child.signalCode !== null
        ? undefined
        : new Promise((resolve) => {
            child.once('close', resolve);
          }),
    ),
  );
}

/** False when it was ended before they came. Throws `timeout`. */
async function consumersCame(end: End, seconds: number | undefined): Promise<boolean> {
  const start = performance.now();
  let told = '';
  for (;;) {
    const engine = end.engine();
    if (engine === undefined) return false;
    const missing = engine.outputs
      .filter(({ consumerPid, slots }) => slots > 0 && consumerPid === 0)
      .map(({ name }) => `'${name.replace(/\{(?=[^{}]*$)/, '}')}'`);
    if (missing.length === 0) return true;
    const names = missing.join(', ');
    const waited = performance.now() - start;
    if (names !== told && waited > 4 * lookMs) {
      printError(`waiting for consumers of ${names}; Ctrl-C ends`);
      told = names;
    }
    if (seconds !== undefined && waited > seconds * 1000) {
      throw new BricksError(
        'timeout',
        `nobody came to read ${names} for ${seconds} s; start: bricks cat ${missing[0]}`,
      );
    }
    await sleep(lookMs);
  }
}

async function play(end: End, options: ReplayOptions): Promise<ReplaySummary | undefined> {
  const start = performance.now();
  const progress = new Progress(options.fileBytes * options.loops, options.jsonProgress);
  let summary: ReplaySummary | undefined;
  for (;;) {
    const engine = end.engine();
    if (engine === undefined) break;
    const now = performance.now();
    summary = summaryOf(engine, (now - start) / 1000);
    if (engine.drained) break;
    if (options.forSeconds !== undefined && now - start >= options.forSeconds * 1000) break;
    progress.show(summary, now);
    await sleep(lookMs);
  }
  progress.clear();
  return summary;
}

async function replay(daemon: Daemon, options: ReplayOptions, runDir: string, json: boolean) {
  const end = new End(daemon);
  await carryOut(daemon, replayScript(options));
  daemon.setReady();
  const children = startConsumers(options, runDir);
  let summary: ReplaySummary | undefined;
  if (await consumersCame(end, options.timeoutSeconds)) {
    await carryOut(daemon, `PktEngine.retrieve("${replayEngine}"):start()`);
    summary = await play(end, options);
  }
  if (summary !== undefined) {
    process.stdout.write(json ? `${JSON.stringify(summary)}\n` : summaryText(summary));
  }
  return { end, children, summary };
}

async function run(args: Arguments): Promise<number> {
  const options = readReplayOptions(args);
  const seed = args.text('seed');
  if (seed !== undefined) {
    if (!/^[0-9]{1,20}$/.test(seed) || BigInt(seed) > seedMax) {
      throw new BricksError('usage', `--seed takes a number below 2^64, not '${seed}'`);
    }
    // Read once, by the native side, when the first packet is hashed.
    process.env['BRICKS_HASH_SEED'] = seed;
  }
  const runDir = locateRunDir(args.text('run-dir'));
  const daemon = await Daemon.open(runDir, tellPeople);
  let children: ChildProcess[] = [];
  try {
    const done = await replay(daemon, options, runDir.path, args.flag('json'));
    children = done.children;
    if (done.end.isInterrupted) return exitCodes.interrupted;
    const { summary } = done;
    const isCut = options.forSeconds !== undefined && summary?.held !== undefined;
    const lost = Object.values(summary?.dropped ?? {}).reduce((sum, count) => sum + count, 0);
    if (lost > 0) return exitCodes.checkFailed;
    return summary?.complete === true || isCut ? exitCodes.ok : exitCodes.failure;
  } finally {
    await daemon.close(); // consumers see the end of their pipes
    await waitFor(children);
  }
}

export const replayCommand: Command = {
  name: 'replay',
  usage: 'FILE... --to GROUP:N... [--run CMD] [--speed F] [--loop N] [--for S] [--timeout S]',
  summary: 'replay captures into pipes: losslessly, each group all packets, balanced by flow',
  details:
    "Waits until every pipe GROUP}0 to GROUP}N-1 has a consumer (bricks cat 'zeek}0', or one\n" +
    'started by --run), then sends as fast as the slowest of them reads. A progress bar goes\n' +
    'to a terminal, else a line a second, to stderr; the summary to stdout. Exit code 8:\n' +
    'packets were lost, because a consumer stopped reading.',
  options: {
    to: {
      type: 'string',
      value: 'GROUP:N',
      multiple: true,
      summary: 'a group of N pipes that gets all packets; may be repeated',
    },
    run: {
      type: 'string',
      value: 'CMD',
      multiple: true,
      summary: 'shell command started for every pipe; {} and $BRICKS_PIPE are its name',
    },
    speed: { type: 'string', value: 'F', summary: 'max (default), or a factor of the own pace' },
    loop: { type: 'string', value: 'N', summary: 'how often; 0: for ever' },
    for: { type: 'string', value: 'S', summary: 'end after S seconds' },
    timeout: {
      type: 'string',
      value: 'S',
      summary: 'wait so long for consumers, then end with exit code 124',
    },
    seed: { type: 'string', value: 'N', summary: 'seed of the flow hash: the same shares again' },
    progress: {
      type: 'string',
      value: 'text|json',
      completes: ['text', 'json'],
      summary: 'json: a JSON line a second on stderr',
    },
    ...jsonOption,
    ...runDirOption,
    ...helpOption,
  },
  words: [1, 10_000],
  completes: 'file',
  run,
};
