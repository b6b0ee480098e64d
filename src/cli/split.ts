/** `bricks load-balance` and `bricks duplicate`: a daemon for the two things most people want. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { locateRunDir } from '../daemon/run-dir.ts';
import { BricksError } from '../errors.ts';
import { startDaemon } from './background.ts';
import {
  type Arguments,
  type Command,
  helpOption,
  legacyPortOf,
  legacyPortOption,
  runDirOption,
} from './command.ts';

const pipesMax = 1024;

function scriptPath(name: string): string {
  return join(
    dirname(createRequire(import.meta.url).resolve('bricks/package.json')),
    'scripts',
    name,
  );
}

function run(script: string, args: Arguments): Promise<number> {
  const [port = '', pipes = ''] = args.words;
  if (!/^[0-9]{1,4}$/.test(pipes) || Number(pipes) < 1 || Number(pipes) > pipesMax) {
    throw new BricksError(
      'usage',
      `the number of pipes must be from 1 to ${pipesMax}, not '${pipes}'`,
    );
  }
  // The script reads them; the daemon inherits them.
  process.env['BRICKS_INTERFACE'] = port;
  process.env['BRICKS_PIPES'] = pipes;
  return startDaemon({
    runDir: locateRunDir(args.text('run-dir')),
    script: scriptPath(script),
    legacyPort: legacyPortOf(args),
  });
}

const shared = {
  usage: 'INTERFACE N [--legacy-port PORT] [--run-dir DIR]',
  options: { ...legacyPortOption, ...runDirOption, ...helpOption },
  words: [2, 2],
  completes: 'interface',
} as const;

export const loadBalanceCommand: Command = {
  name: 'load-balance',
  summary: 'start a daemon that splits an interface over N pipes (also: bricks-load-balance)',
  details: 'The consumers read INTERFACE}0 to INTERFACE}N-1, e.g. with bricks cat.',
  ...shared,
  run: (args) => run('load-balance.lua', args),
};

export const duplicateCommand: Command = {
  name: 'duplicate',
  summary: 'start a daemon that copies an interface to N pipes (also: bricks-duplicate)',
  details: 'The consumers read INTERFACE}0 to INTERFACE}N-1, e.g. with bricks cat.',
  ...shared,
  run: (args) => run('duplicate.lua', args),
};
