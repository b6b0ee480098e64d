/** `bricks -s`: a shell of a daemon that runs elsewhere. */
import { readFileSync } from 'node:fs';
import { BricksError, exitCodes } from '../errors.ts';
import { type Address, DaemonClient } from '../shell/client.ts';
import { finishChunk, toOwnStreams } from '../shell/output.ts';
import { Prompt } from '../shell/prompt.ts';
import { readStdin } from '../shell/read-stdin.ts';
import { banner } from './version.ts';

/** `-a PATH|HOST[:PORT]` and `-p PORT`; without either, the runtime folder's socket. */
export function addressOf(
  socketPath: string,
  place: string | undefined,
  portText: string | undefined,
): Address {
  if (place?.includes('/')) {
    return { path: place };
  }
  if (place === undefined && portText === undefined) {
    return { path: socketPath };
  }
  const [, host = '', inPlace] = /^(.*?)(?::([0-9]+))?$/.exec(place ?? '127.0.0.1') ?? [];
  const port = Number(portText ?? inPlace ?? 1111);
  if (host === '' || !(Number.isInteger(port) && port >= 1 && port <= 65_535)) {
    throw new BricksError(
      'usage',
      `-a takes the path of a control.sock or HOST:PORT, -p a port from 1 to 65,535; not ` +
        `'${place ?? portText}'`,
    );
  }
  return { host, port };
}

export interface ShellRequest {
  readonly address: Address;
  /** -c */
  readonly expression: string | undefined;
  /** -f */
  readonly file: string | undefined;
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new BricksError(
      missing ? 'no_such_file' : 'failed',
      `cannot read ${path}: ${(error as Error).message}; check the name after -f`,
    );
  }
}

/** Runs one chunk far away; Ctrl-C interrupts it there. */
async function runOnce(
  client: DaemonClient,
  code: string,
  name: string,
  interactive: boolean,
): Promise<number> {
  const onInterrupt = (): void => client.interrupt();
  process.on('SIGINT', onInterrupt);
  const result = await client.execute(code, name, interactive, toOwnStreams);
  process.off('SIGINT', onInterrupt);
  if (result.ok && result.incomplete === true) {
    throw new BricksError('syntax_error', `${name}: the code ends in the middle of a statement`);
  }
  return finishChunk(result);
}

/** Returns the exit code; throws `daemon_unreachable`. */
export async function runShell({ address, expression, file }: ShellRequest): Promise<number> {
  const script = file === undefined ? undefined : readFile(file);
  const client = await DaemonClient.connect(address);
  if (script !== undefined) {
    const code = await runOnce(client, script, file ?? '', false);
    if (code !== exitCodes.ok || expression === undefined) {
      return code;
    }
  }
  if (expression !== undefined) {
    return runOnce(client, expression, '-c', true);
  }
  if (!process.stdin.isTTY) {
    return runOnce(client, await readStdin(), 'stdin', true);
  }
  process.stdout.write(banner());
  let wasGone = false;
  void client.closed.then(() => {
    wasGone = true;
  });
  await new Prompt(client).run();
  if (wasGone) {
    throw new BricksError(
      'daemon_unreachable',
      'the daemon has gone; start one with bricks-server -f SCRIPT',
    );
  }
  return exitCodes.ok;
}
