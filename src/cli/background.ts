/** `bricks -d`: a daemon of its own session; whoever starts it learns whether it came up. */
import { spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Daemon } from '../daemon/daemon.ts';
import { createLog, goesToJournal, type Log } from '../daemon/log.ts';
import { makeRunDir, type RunDir } from '../daemon/run-dir.ts';
import { BricksError, type ErrorCode, errorCatalogue, exitCodes } from '../errors.ts';
import { exitCodeOfCode } from '../shell/output.ts';

/** A script that runs longer (a loop that watches, say) has got going: the daemon is ready. */
const gotGoingMs = 2000;

/** Set for the process that becomes the daemon. */
const marker = 'BRICKS_BACKGROUND';

type News =
  | { readonly ready: true }
  | { readonly ready: false; readonly code: ErrorCode; readonly message: string };

function isNews(value: unknown): value is News {
  return typeof value === 'object' && value !== null && 'ready' in value;
}

export interface DaemonRequest {
  readonly runDir: RunDir;
  /** -f */
  readonly script: string | undefined;
  readonly legacyPort?: number | undefined;
}

function argumentsFor({ runDir, script, legacyPort }: DaemonRequest): string[] {
  return [
    ...['-d', '--run-dir', runDir.path],
    ...(script === undefined ? [] : ['-f', script]),
    ...(legacyPort === undefined ? [] : ['--legacy-port', String(legacyPort)]),
  ];
}

/**
 * Starts the daemon and waits for its news. Returns when it is ready; throws what it could not do.
 */
export async function startDaemon(request: DaemonRequest): Promise<number> {
  const { runDir } = request;
  makeRunDir(runDir);
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants;
  const log = openSync(runDir.logFile, O_APPEND | O_CREAT | O_NOFOLLOW | O_WRONLY, 0o600);
  const main = process.argv[1] ?? '';
  const args = [...process.execArgv, main, ...argumentsFor(request)];
  const child = spawn(process.execPath, args, {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    env: { ...process.env, [marker]: '1' },
  });
  closeSync(log);
  const news = await new Promise<News>((resolve) => {
    const failed = (message: string): void => resolve({ ready: false, code: 'failed', message });
    child.once('message', (value) => {
      if (isNews(value)) {
        resolve(value);
      }
    });
    child.once('error', (error) => failed(`cannot start the daemon: ${error.message}`));
    child.once('exit', (code, signal) => {
      failed(`the daemon ended while starting (${signal ?? code}); see ${runDir.logFile}`);
    });
  });
  if (!news.ready) {
    throw new BricksError(news.code in errorCatalogue ? news.code : 'failed', news.message);
  }
  if (child.connected) {
    child.disconnect();
  }
  child.unref();
  return exitCodes.ok;
}

/** True in the process that is to become the daemon; asked once. */
export function isDaemonProcess(): boolean {
  const marked = process.env[marker] === '1' && process.send !== undefined;
  delete process.env[marker]; // not for what scripts start
  return marked;
}

/** Tells the process that waits, where one does, and lets it go. */
function tell(news: News): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) {
      resolve();
      return;
    }
    process.send(news, undefined, {}, () => {
      if (process.connected) {
        process.disconnect();
      }
      resolve();
    });
  });
}

async function runStartupScript(daemon: Daemon, script: string, log: Log): Promise<void> {
  const running = daemon.runScript(script, (stream, text) => {
    (stream === 'stdout' ? process.stdout : process.stderr).write(text);
  });
  const first = await Promise.race([running, sleep(gotGoingMs, 'going' as const)]);
  if (first !== 'going') {
    if (!first.ok) {
      throw new BricksError(first.error.code, first.error.message);
    }
    return;
  }
  void running.then((result) => {
    if (!result.ok) {
      log('error', `the startup script failed: ${result.error.message}`, { script });
    }
  });
}

/** logrotate moved the log away and says so: writes to a new file of the old name from then on. */
function reopenLog(daemon: Daemon, runDir: RunDir, log: Log): void {
  try {
    daemon.redirectOutput(runDir.logFile);
    log('info', 'SIGHUP: the log begins anew');
  } catch (error) {
    log('error', `SIGHUP: ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * From now on signals end the daemon, also one that is only about to be there: give it to what is
 * returned.
 */
function listenToSignals(runDir: RunDir, detached: boolean, log: Log): (opened: Daemon) => void {
  let daemon: Daemon | undefined;
  let isEnding = false;
  process.on('SIGHUP', () => {
    if (detached && daemon) {
      reopenLog(daemon, runDir, log);
    } else {
      log('info', 'SIGHUP: nothing to read again');
    }
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      log('info', `${signal}: ending`);
      isEnding = true;
      void daemon?.close();
    });
  }
  return (opened) => {
    daemon = opened;
    if (isEnding) {
      void daemon.close();
    }
  };
}

/**
 * The daemon itself: lives until a signal or a shutdown request. Returns its exit code. `detached`:
 * its output goes to the log file; else to whoever supervises it.
 */
export async function runDaemon(request: DaemonRequest, detached: boolean): Promise<number> {
  const { runDir, script, legacyPort } = request;
  const log = createLog(process.stderr, 'info', !detached && goesToJournal(2));
  // Before it says that it listens: whoever reads that may send one.
  const attend = listenToSignals(runDir, detached, log);
  let daemon: Daemon | undefined;
  try {
    daemon = await Daemon.open(runDir, log, { legacyPort });
    attend(daemon);
    if (script !== undefined && daemon.exitStatus === undefined) {
      await runStartupScript(daemon, script, log);
    }
    daemon.setReady();
    await tell({ ready: true });
    await daemon.closed;
    return daemon.exitStatus ?? exitCodes.ok;
  } catch (error) {
    const code = error instanceof BricksError ? error.code : 'failed';
    const message = error instanceof Error ? error.message : String(error);
    log('error', message);
    await daemon?.close();
    await tell({ ready: false, code, message });
    return exitCodeOfCode(code);
  }
}
