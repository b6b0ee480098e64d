/** Who carries out what is typed at a prompt: a daemon far away, or the machine in this process. */
import type { ErrorCode } from '../errors.ts';

export type OutputListener = (stream: 'stdout' | 'stderr', text: string) => void;

export type ChunkResult =
  | { readonly ok: true; readonly incomplete?: boolean }
  | { readonly ok: false; readonly error: { readonly code: ErrorCode; readonly message: string } };

export interface Evaluator {
  /** Runs a chunk; `interactive` tries it as an expression first. Rejects when nobody answers. */
  execute(
    code: string,
    name: string,
    interactive: boolean,
    onOutput: OutputListener,
  ): Promise<ChunkResult>;
  interrupt(): void;
  /** Whole lines that `line` can become. */
  complete(line: string): Promise<string[]>;
  /** Settles when nothing can be carried out any more. */
  readonly closed: Promise<void>;
}
