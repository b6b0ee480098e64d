/** How results and errors are told: data on stdout, everything else on stderr. */
import { type ErrorCode, errorCatalogue, exitCodes } from '../errors.ts';
import type { ChunkResult, OutputListener } from './evaluator.ts';

/** Whether `stream` takes colours: a terminal, and NO_COLOR not set. */
export function hasColour(
  stream: { readonly isTTY?: boolean },
  env: NodeJS.ProcessEnv = process.env,
): boolean {
  return stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}

/** Passes a chunk's output on to the streams of this process. */
export const toOwnStreams: OutputListener = (stream, text) => {
  (stream === 'stdout' ? process.stdout : process.stderr).write(text);
};

/** `bricks: message` on stderr. */
export function printError(message: string): void {
  const lines = message.trimEnd();
  process.stderr.write(
    hasColour(process.stderr) ? `\x1b[31mbricks:\x1b[0m ${lines}\n` : `bricks: ${lines}\n`,
  );
}

export function exitCodeOfCode(code: ErrorCode): number {
  return errorCatalogue[code]?.exit ?? exitCodes.failure;
}

/** Prints a failed chunk's message; returns the exit code. */
export function finishChunk(result: ChunkResult): number {
  if (result.ok) {
    return exitCodes.ok;
  }
  printError(result.error.message);
  return exitCodeOfCode(result.error.code);
}
