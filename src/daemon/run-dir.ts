/** The runtime folder: where it is, and that nobody else can reach into it. */
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BricksError } from '../errors.ts';

/** A Unix socket's path has 107 bytes and a NUL. */
const socketPathBytesMax = 107;
const longestName = 'control.sock';

export interface RunDir {
  readonly path: string;
  readonly controlSocket: string;
  readonly pidFile: string;
  readonly logFile: string;
}

/**
 * The folder's files, whether or not it is there: `option`, else $BRICKS_RUN_DIR, else /run/bricks
 * for root, else $XDG_RUNTIME_DIR/bricks. Throws `invalid_argument`.
 */
export function locateRunDir(option?: string, env: NodeJS.ProcessEnv = process.env): RunDir {
  const session = env['XDG_RUNTIME_DIR'];
  const place =
    option ||
    env['BRICKS_RUN_DIR'] ||
    (process.getuid?.() === 0 ? '/run/bricks' : session && join(session, 'bricks'));
  if (!place) {
    throw new BricksError(
      'invalid_argument',
      'no runtime folder: XDG_RUNTIME_DIR is not set; name one with --run-dir DIR',
    );
  }
  const path = resolve(place);
  if (Buffer.byteLength(join(path, longestName)) > socketPathBytesMax) {
    throw new BricksError(
      'invalid_argument',
      `the runtime folder's path is too long for a Unix socket (at most ` +
        `${socketPathBytesMax - longestName.length - 1} bytes): ${path}; name a shorter one ` +
        'with --run-dir DIR',
    );
  }
  return {
    path,
    controlSocket: join(path, 'control.sock'),
    pidFile: join(path, 'bricks.pid'),
    logFile: join(path, 'bricks.log'),
  };
}

/** Makes the folder (0700) where it is missing; refuses one that others own or may write. */
export function makeRunDir(runDir: RunDir): void {
  const { path } = runDir;
  try {
    if (mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined) {
      chmodSync(path, 0o700);
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const denied = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
    throw new BricksError(
      denied ? 'permission_denied' : 'failed',
      `cannot make the runtime folder ${path}: ${message}; name another with --run-dir DIR`,
    );
  }
  const status = statSync(path);
  const user = process.getuid?.() ?? 0;
  if (!status.isDirectory() || status.uid !== user || (status.mode & 0o022) !== 0) {
    throw new BricksError(
      'permission_denied',
      `${path} must be a folder of user ${user} that nobody else may write; ` +
        `try: chown ${user} ${path} && chmod 700 ${path}`,
    );
  }
}
