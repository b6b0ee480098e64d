/** `bricks` without a word: the flags of packet-bricks, and which of three programs they mean. */
import { locateRunDir } from '../daemon/run-dir.ts';
import { BricksError } from '../errors.ts';
import { isDaemonProcess, runDaemon, startDaemon } from './background.ts';
import {
  type Arguments,
  type Command,
  helpOption,
  legacyPortOf,
  legacyPortOption,
  runDirOption,
} from './command.ts';
import { runHome } from './home.ts';
import { addressOf, runShell } from './remote-shell.ts';

/** `native/mem/limits.hh` kBatchMax; checked again where it is used. */
const batchMax = 256;

function usageError(message: string): never {
  throw new BricksError('usage', `${message}; more: bricks -h`);
}

/** Refuses flags that mean nothing together. */
function checkFlags(args: Arguments): void {
  const isShell = args.flag('shell');
  if (args.flag('daemon') && isShell) {
    usageError('-d (become a daemon) and -s (talk to one) cannot be combined');
  }
  if (args.flag('foreground') && !args.flag('daemon')) {
    usageError('--foreground needs -d: it is how a service manager runs the daemon');
  }
  if (args.text('legacy-port') !== undefined && isShell) {
    usageError('--legacy-port is for the daemon, not for its shell');
  }
  for (const [name, flag] of [
    ['command', '-c'],
    ['address', '-a'],
    ['port', '-p'],
  ] as const) {
    if (args.text(name) !== undefined && !isShell) {
      usageError(`${flag} needs -s: it is for the shell of a running daemon`);
    }
  }
  const batch = args.text('batch');
  if (batch !== undefined) {
    const packets = Number(batch);
    if (!/^[0-9]+$/.test(batch) || packets < 1) {
      usageError(`-b takes packets a batch, from 1 on (more than ${batchMax} mean ${batchMax})`);
    }
    // Lua's side reads it where a script asks for the default batch.
    process.env['BRICKS_BATCH'] = String(Math.min(packets, batchMax));
  }
}

function run(args: Arguments): Promise<number> {
  checkFlags(args);
  const runDir = locateRunDir(args.text('run-dir'));
  const script = args.text('file');
  if (args.flag('shell')) {
    return runShell({
      address: addressOf(runDir.controlSocket, args.text('address'), args.text('port')),
      expression: args.text('command'),
      file: script,
    });
  }
  const request = { runDir, script, legacyPort: legacyPortOf(args) };
  if (!args.flag('daemon')) {
    return runHome(request);
  }
  const detached = isDaemonProcess();
  return detached || args.flag('foreground') ? runDaemon(request, detached) : startDaemon(request);
}

export const bricksCommand: Command = {
  name: '',
  usage: '[-d|-s] [-f FILE] [-b N] [-c CODE] [-a ADDRESS] [-p PORT] [OPTION...]',
  summary: 'Gives every network tool exactly the right packets, changes live, and proves it.',
  details:
    'Without -d and -s: runs the script, then a shell; where stdin is no terminal, what stdin\n' +
    'holds. The engines end with it.',
  options: {
    file: {
      type: 'string',
      short: 'f',
      value: 'FILE',
      completes: 'file',
      summary: 'Lua script to run first',
    },
    daemon: {
      type: 'boolean',
      short: 'd',
      summary: 'become a daemon; returns when it is ready (also: bricks-server)',
    },
    foreground: {
      type: 'boolean',
      summary: 'with -d: stay, log to stderr; for systemd and the like',
    },
    shell: {
      type: 'boolean',
      short: 's',
      summary: 'shell of a running daemon (also: bricks-shell)',
    },
    command: {
      type: 'string',
      short: 'c',
      value: 'CODE',
      summary: 'with -s: run this Lua, print the value of an expression, and end',
    },
    address: {
      type: 'string',
      short: 'a',
      value: 'ADDRESS',
      summary: 'with -s: path of a control.sock, or HOST:PORT',
    },
    port: { type: 'string', short: 'p', value: 'PORT', summary: 'with -s: port of that host' },
    batch: {
      type: 'string',
      short: 'b',
      value: 'N',
      summary: 'packets a batch, where a script names none',
    },
    ...legacyPortOption,
    ...runDirOption,
    ...helpOption,
  },
  words: [0, 0],
  run,
};
