/** `bricks kill-server`, the program bricks-kill-server: ends the daemon of a runtime folder. */
import { setTimeout as sleep } from 'node:timers/promises';
import { pidFileHolder } from '../daemon/pid-file.ts';
import { locateRunDir, type RunDir } from '../daemon/run-dir.ts';
import { BricksError, exitCodes } from '../errors.ts';
import { DaemonClient } from '../shell/client.ts';
import { type Command, helpOption, runDirOption } from './command.ts';

/** A daemon that takes longer than this to end hangs. */
const endsWithinMs = 15_000;
const lookAgainMs = 20;

async function askToEnd(runDir: RunDir, holder: number | undefined): Promise<void> {
  try {
    const client = await DaemonClient.connect({ path: runDir.controlSocket });
    await client.request({ type: 'shutdown' });
    await client.closed;
  } catch (error) {
    // It may hold the folder without listening: just starting, or ending.
    if (holder === undefined || !(error instanceof BricksError)) {
      throw error;
    }
    process.kill(holder, 'SIGTERM');
  }
}

async function killServer(runDir: RunDir): Promise<number> {
  await askToEnd(runDir, pidFileHolder(runDir.pidFile));
  // It has ended when it has given the folder back.
  for (let waitedMs = 0; ; waitedMs += lookAgainMs) {
    const holder = pidFileHolder(runDir.pidFile);
    if (holder === undefined) {
      return exitCodes.ok;
    }
    if (waitedMs >= endsWithinMs) {
      throw new BricksError('timeout', `process ${holder} does not end; try: kill -9 ${holder}`);
    }
    await sleep(lookAgainMs);
  }
}

export const killServerCommand: Command = {
  name: 'kill-server',
  usage: '[--run-dir DIR]',
  summary: 'end the running daemon, engines in order (also: bricks-kill-server)',
  options: { ...runDirOption, ...helpOption },
  words: [0, 0],
  run: (args) => killServer(locateRunDir(args.text('run-dir'))),
};
