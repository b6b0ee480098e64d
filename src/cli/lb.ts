/** `bricks lb`: netmap's lb, on this engine. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Daemon } from '../daemon/daemon.ts';
import { countsOf, type LbCounts, lastLine, statisticsLines } from '../daemon/lb-report.ts';
import type { Log } from '../daemon/log.ts';
import { locateRunDir } from '../daemon/run-dir.ts';
import { BricksError, exitCodes } from '../errors.ts';
import { printError, toOwnStreams } from '../shell/output.ts';
import { type Arguments, type Command, helpOption, runDirOption } from './command.ts';
import { type LbOptions, lbEngine, lbScript, readLbOptions } from './lb-options.ts';

/** Statistics are rates over a second, as lb has it. */
const sampleMs = 1000;
const lookMs = 50;
/** LOG_LOCAL1, LOG_INFO. */
const syslogPriority = 142;
const syslogSocket = '/dev/log';

const tellPeople: Log = (level, message) => {
  if (level !== 'info') {
    printError(level === 'warning' ? `warning: ${message}` : message);
  }
};

class Statistics {
  readonly #daemon: Daemon;
  readonly #options: LbOptions;
  readonly #timer: NodeJS.Timeout;
  #seconds = 0;
  #before: LbCounts | undefined;
  #syslogWorks = true;

  constructor(daemon: Daemon, options: LbOptions) {
    this.#daemon = daemon;
    this.#options = options;
    this.#timer = setInterval(() => this.#tick(), sampleMs).unref();
  }

  /** undefined when somebody has deleted the engine from a shell. */
  now(): LbCounts | undefined {
    const engine = this.#daemon.snapshot().find(({ name }) => name === lbEngine);
    return engine && countsOf(engine, Date.now() / 1000);
  }

  #tick(): void {
    this.#seconds += 1;
    const { stdoutSeconds, syslogSeconds, inputs } = this.#options;
    const now = this.now();
    const isDue = (every: number): boolean => every > 0 && this.#seconds % every === 0;
    if (now !== undefined && (isDue(stdoutSeconds) || isDue(syslogSeconds))) {
      const lines = statisticsLines(inputs[0]?.shown ?? '', now, this.#before);
      if (isDue(stdoutSeconds)) {
        process.stdout.write(`${lines.join('\n')}\n`);
      }
      if (isDue(syslogSeconds)) {
        this.#toSyslog(lines);
      }
    }
    this.#before = now;
  }

  #toSyslog(lines: readonly string[]): void {
    const [, month, day, , time] = new Date().toString().split(' ');
    const stamp = `${month} ${day?.replace(/^0/, ' ')} ${time}`;
    try {
      for (const line of lines) {
        const text = `<${syslogPriority}>${stamp} lb[${process.pid}]: ${line}`;
        this.#daemon.sendDatagram(syslogSocket, text);
      }
      this.#syslogWorks = true;
    } catch (error) {
      if (this.#syslogWorks) {
        printError(`warning: -s: ${error instanceof Error ? error.message : error}`);
      }
      this.#syslogWorks = false;
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

async function carryOut(daemon: Daemon, code: string): Promise<void> {
  const result = await daemon.execute(code, 'lb', false, toOwnStreams);
  if (!result.ok) {
    throw new BricksError(result.error.code, result.error.message.replace(/^lb:\d+: /, ''));
  }
}

/** A capture ends; interfaces do not. */
async function untilDrained(daemon: Daemon, isOver: () => boolean): Promise<void> {
  const hasEnded = (): boolean => daemon.snapshot().some((engine) => engine.drained);
  while (!isOver() && !hasEnded()) {
    await sleep(lookMs);
  }
}

async function balance(daemon: Daemon, options: LbOptions, ended: Promise<void>): Promise<void> {
  let isOver = false;
  const over = Promise.race([ended, daemon.closed]).then(() => {
    isOver = true;
  });
  await carryOut(daemon, lbScript(options));
  const isLink = options.inputs.some(({ base }) => base !== undefined);
  if (isLink && options.waitSeconds > 0) {
    await Promise.race([sleep(options.waitSeconds * 1000, undefined, { ref: false }), over]);
  }
  if (isOver) {
    return;
  }
  const statistics = new Statistics(daemon, options);
  try {
    await carryOut(daemon, `PktEngine.retrieve("${lbEngine}"):start()`);
    daemon.setReady();
    await (isLink ? over : Promise.race([over, untilDrained(daemon, () => isOver)]));
    isOver = true;
    const counts = statistics.now();
    if (counts !== undefined) {
      process.stdout.write(lastLine(counts));
    }
  } finally {
    statistics.stop();
  }
}

async function run(args: Arguments): Promise<number> {
  const options = readLbOptions(args);
  const daemon = await Daemon.open(locateRunDir(args.text('run-dir')), tellPeople);
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => resolve());
    }
  });
  try {
    await balance(daemon, options, ended);
    return daemon.exitStatus ?? exitCodes.ok;
  } finally {
    await daemon.close();
  }
}

const seconds = { type: 'string', value: 'SECONDS' } as const;

export const lbCommand: Command = {
  name: 'lb',
  usage: '-i PORT [-p [NAME:]N]... [-B BUFFERS] [-b BATCH] [-w S] [-W] [-s S] [-o S]',
  summary: 'the load balancer of netmap: its command line, pipes and statistics',
  details:
    'Each group of pipes gets all packets, balanced by flow. Its pipes are NAME{0 to\n' +
    'NAME{N-1, and programs read NAME}0 to NAME}N-1. Without -p there is one group of two\n' +
    'pipes, called as the interface. Groups of one name go on counting where the one before\n' +
    'ended. Runs until Ctrl-C, or until a capture given as PORT has ended.',
  options: {
    interface: {
      type: 'string',
      short: 'i',
      value: 'PORT',
      completes: 'interface',
      multiple: true,
      summary: 'what to read: eth0, netmap:eth0, netmap:eth0-2 (queue 2), pcap:FILE',
    },
    pipes: {
      type: 'string',
      short: 'p',
      value: '[NAME:]N',
      multiple: true,
      summary: 'add a group of N pipes',
    },
    'extra-buffers': {
      type: 'string',
      short: 'B',
      value: 'BUFFERS',
      summary: 'for packets that full pipes cannot take; the longest queue gives way',
    },
    batch: { type: 'string', short: 'b', value: 'BATCH', summary: 'packets a batch, up to 256' },
    'wait-link': { ...seconds, short: 'w', summary: 'wait for the link to come up; default 2' },
    'busy-wait': { type: 'boolean', short: 'W', summary: 'never sleep: uses all of one CPU' },
    syslog: { ...seconds, short: 's', summary: 'statistics to syslog so often; default 0: never' },
    stdout: { ...seconds, short: 'o', summary: 'statistics to stdout so often; default 0: never' },
    ...runDirOption,
    ...helpOption,
  },
  words: [0, 0],
  run,
};
