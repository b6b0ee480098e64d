/**
 * What the daemon and its clients say to each other over `control.sock`: WebSocket text messages,
 * one JSON object each. A client sends requests with an `id` of its choice; the daemon answers with
 * any number of `output` messages and exactly one `done` of the same id. Requests of one connection
 * that run Lua are carried out in order; `interrupt` overtakes them.
 */
import type { ErrorCode } from './errors.ts';

/** A flow, as typed after `bricks explain`. */
export interface FlowQuestion {
  readonly protocol: string;
  readonly source: string;
  readonly target: string;
  readonly sourcePort?: number;
  readonly targetPort?: number;
  readonly vlan?: number;
  readonly vni?: number;
}

export const protocolVersion = 1;

export type Request =
  /** Run Lua. `interactive`: try it as an expression first and report `incomplete` chunks. */
  | { id: number; type: 'execute'; code: string; name: string; interactive: boolean }
  /** Stop the chunk that this connection is running. */
  | { id: number; type: 'interrupt' }
  /** Candidates to complete `line` at its end. */
  | { id: number; type: 'complete'; line: string }
  /** One of the tables of `bricks status|stats|ledger`, as data. */
  | { id: number; type: 'report'; report: 'status' | 'stats' | 'ledger' }
  /** Where a flow goes, and why: `FlowQuestion` and `Explanation[]` of the native binding. */
  | { id: number; type: 'explain'; question: FlowQuestion }
  /** A tap of a link; `data` is its pipe's name. It goes with this connection. */
  | { id: number; type: 'tap'; link: string; expression: string; sample: number }
  /** Stop all engines in order and end the daemon. */
  | { id: number; type: 'shutdown' };

export type Response =
  | { id: number; type: 'output'; stream: 'stdout' | 'stderr'; text: string }
  | { id: number; type: 'done'; ok: true; incomplete?: boolean; data?: unknown }
  | { id: number; type: 'done'; ok: false; error: { code: ErrorCode; message: string } };
