/** The channels that are no plain files: the session's output, standard input, other programs. */
import { spawnSync } from 'node:child_process';
import { readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import type { Channel } from './file.ts';
import { isNetmapCommand } from './netmap-commands.ts';
import type { Output, Stream } from './output.ts';

const captureMaxBytes = 256 * 1024 * 1024;

function refuse(): never {
  throw Object.assign(new Error(), { errno: -constants.errno.EBADF });
}

export class OutputChannel implements Channel {
  readonly #output: Output;
  readonly #stream: Stream;

  constructor(output: Output, stream: Stream) {
    this.#output = output;
    this.#stream = stream;
  }

  read(): Uint8Array {
    return refuse();
  }

  write(data: Uint8Array): void {
    this.#output.write(this.#stream, data);
  }

  flush(): void {
    this.#output.flush();
  }

  close(): readonly (string | number)[] {
    return [];
  }
}

interface ReadlineSync {
  prompt(options: { prompt: string }): string;
}

/** Standard input: a line editor on a terminal, bytes from a pipe or file. */
export class InputChannel implements Channel {
  readonly #output: Output;

  constructor(output: Output) {
    this.#output = output;
  }

  read(): Uint8Array {
    this.#output.flush();
    if (isatty(0)) {
      const readline = createRequire(import.meta.url)('readline-sync') as ReadlineSync;
      return Buffer.from(`${readline.prompt({ prompt: '' })}\n`);
    }
    const chunk = Buffer.alloc(64 * 1024);
    for (;;) {
      try {
        return chunk.subarray(0, readSync(0, chunk, 0, chunk.length, null));
      } catch (error) {
        // Somebody made the descriptor non-blocking: wait a little and ask again.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
      }
    }
  }

  write(): void {
    refuse();
  }

  close(): readonly (string | number)[] {
    return [];
  }
}

export interface CommandResult {
  /** Exit status, or 128 + the number of the signal that ended it. */
  readonly status: number;
  readonly stdout: Uint8Array;
}

/** Runs a shell command to its end; its stderr goes to the session. */
export function runCommand(
  command: string,
  output: Output,
  input: Uint8Array | undefined,
): CommandResult {
  if (isNetmapCommand(command)) return { status: 0, stdout: new Uint8Array() };
  output.flush();
  const result = spawnSync('/bin/sh', ['-c', command], {
    stdio: [input === undefined ? 'inherit' : 'pipe', 'pipe', 'pipe'],
    maxBuffer: captureMaxBytes,
    ...(input === undefined ? {} : { input }),
  });
  output.write('stderr', result.stderr ?? '');
  const signal = result.signal === null ? 0 : (constants.signals[result.signal] ?? 0);
  const status = result.status ?? (signal > 0 ? 128 + signal : 127);
  return { status, stdout: result.stdout ?? new Uint8Array() };
}

/** io.popen(command, "r"): the command has run when the handle is there. */
export class CommandOutput implements Channel {
  readonly #status: number;
  #rest: Uint8Array;

  constructor(command: string, output: Output) {
    const result = runCommand(command, output, undefined);
    this.#status = result.status;
    this.#rest = result.stdout;
  }

  read(): Uint8Array {
    const all = this.#rest;
    this.#rest = new Uint8Array();
    return all;
  }

  write(): void {
    refuse();
  }

  close(): readonly (string | number)[] {
    return ['exit', this.#status];
  }
}

/**
 * io.popen(command, "w"): what is written is gathered; the command runs when the handle is closed.
 */
export class CommandInput implements Channel {
  readonly #command: string;
  readonly #output: Output;
  readonly #parts: Uint8Array[] = [];

  constructor(command: string, output: Output) {
    this.#command = command;
    this.#output = output;
  }

  read(): Uint8Array {
    return refuse();
  }

  write(data: Uint8Array): void {
    this.#parts.push(data);
  }

  close(): readonly (string | number)[] {
    const result = runCommand(this.#command, this.#output, Buffer.concat(this.#parts));
    this.#output.write('stdout', result.stdout);
    return ['exit', result.status];
  }
}
