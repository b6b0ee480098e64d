/** `bricks [-f FILE]`: the daemon and its shell in one process; it ends with its shell. */
import { Daemon } from '../daemon/daemon.ts';
import type { Log } from '../daemon/log.ts';
import { exitCodes } from '../errors.ts';
import type { ChunkResult } from '../shell/evaluator.ts';
import { finishChunk, printError, toOwnStreams } from '../shell/output.ts';
import { Prompt } from '../shell/prompt.ts';
import { readStdin } from '../shell/read-stdin.ts';
import type { DaemonRequest } from './background.ts';
import { banner } from './version.ts';

/** Here the log is for who started it: what is worth a word, in words. */
const tellPeople: Log = (level, message) => {
  if (level !== 'info') {
    printError(level === 'warning' ? `warning: ${message}` : message);
  }
};

/** Exit code of a chunk; one that was cut off because the program ends is not worth a word. */
async function codeOfChunk(daemon: Daemon, chunk: Promise<ChunkResult>): Promise<number> {
  const result = await chunk;
  return daemon.exitStatus ?? finishChunk(result);
}

/** Runs what it was asked to run; returns the exit code. */
async function runAll(daemon: Daemon, script: string | undefined): Promise<number> {
  if (script !== undefined) {
    const code = await codeOfChunk(daemon, daemon.runScript(script, toOwnStreams));
    if (daemon.exitStatus !== undefined || (code !== exitCodes.ok && !process.stdin.isTTY)) {
      return code;
    }
  }
  daemon.setReady();
  if (process.stdin.isTTY) {
    process.stdout.write(banner());
    await new Prompt(daemon).run();
    process.stdout.write('Goodbye!\n');
    return exitCodes.ok;
  }
  const code = await readStdin();
  return code.trim() === ''
    ? exitCodes.ok
    : codeOfChunk(daemon, daemon.execute(code, 'stdin', false, toOwnStreams));
}

/**
 * Opens the runtime folder, runs the script, then the prompt or what stdin holds, and ends the
 * engines in order. The first SIGINT interrupts a running chunk at the prompt, and ends the program
 * elsewhere.
 */
export async function runHome(request: DaemonRequest): Promise<number> {
  const { runDir, script, legacyPort } = request;
  const daemon = await Daemon.open(runDir, tellPeople, { legacyPort });
  // A signal wins over what was going on, which ends too, but only after.
  const signalled = new Promise<number>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => resolve(exitCodes.ok));
    }
    if (!process.stdin.isTTY) {
      process.on('SIGINT', () => resolve(exitCodes.interrupted));
    }
  });
  // Ctrl-C during the startup script interrupts that; the prompt listens for itself.
  const onInterrupt = (): void => daemon.interrupt();
  if (process.stdin.isTTY) {
    process.on('SIGINT', onInterrupt);
  }
  const shutDown = daemon.closed.then(() => exitCodes.ok);
  let code: number;
  let ended: number | undefined;
  try {
    code = await Promise.race([runAll(daemon, script), signalled, shutDown]);
  } finally {
    // os.exit(3) in a script is more than how the chunk came out.
    ended = daemon.exitStatus;
    await daemon.close();
  }
  return ended ?? code;
}
