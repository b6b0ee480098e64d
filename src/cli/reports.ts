/** `bricks status`, `stats`, `ledger`: tables of a running daemon. */
import { setTimeout as sleep } from 'node:timers/promises';
import { locateRunDir } from '../daemon/run-dir.ts';
import type { Ledger } from '../engine/ledger.ts';
import type { Stats } from '../engine/stats.ts';
import type { Status } from '../engine/status.ts';
import { BricksError, exitCodes } from '../errors.ts';
import { DaemonClient } from '../shell/client.ts';
import { type Arguments, type Command, helpOption, jsonOption, runDirOption } from './command.ts';
import { printLedger, printStats, printStatus } from './print.ts';

type Report = 'status' | 'stats' | 'ledger';

async function printReport(
  report: Report,
  args: Arguments,
  format: (data: unknown) => string,
): Promise<number> {
  const watch = args.text('watch');
  const seconds = Number(watch ?? 0);
  if (watch !== undefined && !(seconds >= 0.1 && seconds <= 86_400)) {
    throw new BricksError('usage', `--watch takes seconds from 0.1 to 86,400, not '${watch}'`);
  }
  const { controlSocket } = locateRunDir(args.text('run-dir'));
  const client = await DaemonClient.connect({ path: controlSocket });
  const clear = process.stdout.isTTY && watch !== undefined ? '\x1b[H\x1b[2J' : '';
  do {
    const data = await client.report(report);
    process.stdout.write(clear + (args.flag('json') ? `${JSON.stringify(data)}\n` : format(data)));
    // Wakes at once when the daemon goes: the next request then says so.
    await (seconds > 0 && Promise.race([sleep(seconds * 1000), client.closed]));
  } while (seconds > 0);
  await client.close();
  return exitCodes.ok;
}

/** What consumers of the running daemon can read, a name a line; nothing when there is none. */
export async function pipeNames(runDir: string | undefined): Promise<string> {
  try {
    const client = await DaemonClient.connect({ path: locateRunDir(runDir).controlSocket });
    const { engines } = (await client.report('status')) as Status;
    await client.close();
    return engines
      .flatMap(({ outputs }) => outputs)
      .filter(({ slots }) => slots > 0)
      .map(({ name }) => `${name.replace(/\{(?=[^{}]*$)/, '}')}\n`)
      .join('');
  } catch {
    return ''; // a shell that completes does not want to hear of it
  }
}

const options = { ...jsonOption, ...runDirOption, ...helpOption };

export const statusCommand: Command = {
  name: 'status',
  usage: '[--json] [--run-dir DIR]',
  summary: 'engines, their inputs, bricks and outputs, and who consumes them',
  options,
  words: [0, 0],
  run: (args) => printReport('status', args, (data) => printStatus(data as Status)),
};

export const statsCommand: Command = {
  name: 'stats',
  usage: '[--watch S] [--json] [--run-dir DIR]',
  summary: 'packets, bytes and losses, and their rates over the last second or two',
  options: {
    watch: { type: 'string', value: 'S', summary: 'print again every S seconds, until Ctrl-C' },
    ...options,
  },
  words: [0, 0],
  run: (args) => printReport('stats', args, (data) => printStats(data as Stats)),
};

export const ledgerCommand: Command = {
  name: 'ledger',
  usage: '[--json] [--run-dir DIR]',
  summary: 'where every packet ended: delivered, dropped by reason, held',
  details:
    'A packet counts once per output it was meant for. The difference (received + copies less\n' +
    'delivered, dropped and held) is 0, or something is wrong.',
  options,
  words: [0, 0],
  run: (args) => printReport('ledger', args, (data) => printLedger(data as Ledger)),
};
