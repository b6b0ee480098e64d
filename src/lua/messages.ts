/** What the main thread and the Lua worker say to each other. */
import type { Outcome } from './machine.ts';
import type { Stream } from './output.ts';

export interface WorkerSetup {
  readonly signals: SharedArrayBuffer;
}

export type ToWorker =
  | { id: number; type: 'execute'; code: string; name: string; interactive: boolean }
  | { id: number; type: 'file'; path: string }
  | { id: number; type: 'complete'; line: string };

export type FromWorker =
  | { type: 'ready' }
  | { id: number; type: 'output'; stream: Stream; text: string }
  | { id: number; type: 'done'; outcome: Outcome }
  | { id: number; type: 'candidates'; lines: string[] }
  | { type: 'exit'; status: number };
