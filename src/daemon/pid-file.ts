/**
 * One daemon per runtime folder. The holder keeps its pid file open, so whether a file found is
 * stale can be seen in /proc: a process that merely got the same number later does not have it
 * open.
 */
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { BricksError } from '../errors.ts';

/** The process that holds `path`, or undefined when there is none. */
export function pidFileHolder(path: string): number | undefined {
  try {
    const text = readFileSync(path, 'latin1').slice(0, 32);
    const pid = /^([1-9][0-9]{0,9})\n$/.exec(text)?.[1];
    if (pid === undefined) {
      return undefined;
    }
    const file = statSync(path);
    const isThatFile = (fd: string): boolean => {
      try {
        const open = statSync(`/proc/${pid}/fd/${fd}`);
        return open.dev === file.dev && open.ino === file.ino;
      } catch {
        return false; // closed meanwhile, or a kind of file that cannot be asked
      }
    };
    return readdirSync(`/proc/${pid}/fd`).some(isThatFile) ? Number(pid) : undefined;
  } catch {
    return undefined; // no such file, or no such process
  }
}

/** Moves a stale pid file away; false when it was replaced by a live one in the meantime. */
function removeStale(path: string): void {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
  } catch {
    return; // somebody else moved it
  }
  // What was moved may be the file of a daemon that came between: give it back its name.
  if (pidFileHolder(aside) !== undefined) {
    try {
      linkSync(aside, path);
    } catch {
      // a third one has the name by now, and is the holder
    }
  }
  unlinkSync(aside);
}

export class PidFile {
  readonly #path: string;
  readonly #fd: number;

  private constructor(path: string, fd: number) {
    this.#path = path;
    this.#fd = fd;
  }

  /** Takes the folder's pid file. Throws `busy`, naming the holder. */
  static take(path: string): PidFile {
    const draft = `${path}.${process.pid}`;
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
    const fd = openSync(draft, flags, 0o600);
    writeSync(fd, `${process.pid}\n`);
    try {
      // A link appears with its content, all at once, and only where no file is.
      for (let attempt = 0; attempt < 3; attempt++) {
        try {
          linkSync(draft, path);
          return new PidFile(path, fd);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
            throw error;
          }
        }
        const holder = pidFileHolder(path);
        if (holder !== undefined) {
          throw new BricksError(
            'busy',
            `process ${holder} already serves this runtime folder (${path}); ` +
              'talk to it with bricks-shell, end it with bricks-kill-server, ' +
              'or use another folder with --run-dir DIR',
          );
        }
        removeStale(path);
      }
      throw new BricksError('busy', `another daemon is just starting on ${path}; try again`);
    } catch (error) {
      closeSync(fd);
      throw error;
    } finally {
      unlinkSync(draft);
    }
  }

  /** Gives it back, and removes it if it is still this process's. */
  release(): void {
    try {
      const mine = fstatSync(this.#fd);
      const there = statSync(this.#path);
      if (mine.dev === there.dev && mine.ino === there.ino) {
        unlinkSync(this.#path);
      }
    } catch {
      // already gone
    }
    closeSync(this.#fd);
  }
}
