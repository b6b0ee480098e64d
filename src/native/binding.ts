/**
 * Every function of the native addon, typed and documented once. `load.ts` finds it. All calls are
 * synchronous and thread-safe: the daemon's main thread and the Lua worker load the same addon,
 * and see the same engines. A failed call throws a `BricksError` whose `code` is a name of the
 * catalogue (`src/errors.ts`), and has changed nothing.
 */

import type { PluginBinding } from './plugin-binding.ts';
import type { ExplainStep, Explanation, FlowQuestion, InterfaceState, TapRow } from './proof.ts';
import type { QueueBinding } from './queues.ts';
import type { SessionCounts } from './session-counts.ts';
import type { BrickTypeInfo, OptionInfo, PortSchemeInfo } from './tables.ts';

export type { ExplainStep, Explanation, FlowQuestion, InterfaceState, TapRow } from './proof.ts';
export type { QueueGroupRow } from './queues.ts';
export type { BrickTypeInfo, FigureInfo, OptionInfo, PortSchemeInfo } from './tables.ts';

export type OptionValue = boolean | number | string | string[] | number[];
export type Options = Record<string, OptionValue>;

export interface EngineOptions {
  /** Core to pin the thread to; -1: none. */
  readonly cpu?: number;
  /** Packets a batch, 1 to 256; default 128. */
  readonly batch?: number;
  /** One memory region for `gen:` and all pipes: buffers are exchanged, not copied. */
  readonly shared?: boolean;
  /** Slots of each pipe's ring, a power of two from 16 to 65,536; default 1,024. */
  readonly pipeSlots?: number;
  /** Never sleep; the thread uses all of its core. */
  readonly busy?: boolean;
  /** Buffers that its full pipes may spill to, all together; default 0: none. */
  readonly spill?: number;
  /** Live flows it can remember, up to 16,000,000; default 1,048,576. */
  readonly sessions?: number;
  /** Hardware queue of its interfaces; -1: all. */
  readonly queue?: number;
}

/** See native/engine/graph.hh. `brick` is an index into `bricks`. */
export interface NativeGraph {
  readonly inlets: readonly { readonly port: string; readonly brick: number }[];
  readonly bricks: readonly {
    readonly id: string;
    readonly kind: string;
    readonly options: Options;
    readonly level: number;
    /** `brick` set: fused to that brick, `name` is only the link's label. */
    readonly outlets: readonly { readonly name: string; readonly brick?: number }[];
  }[];
}

/** One row of the ledger; native/mem/ledger.hh says what each count means. */
export interface LedgerCell {
  readonly packets: number;
  readonly bytes: number;
  readonly delivered: number;
  readonly deliveredBytes: number;
  readonly copies: number;
  /** Inputs: of those decoded, packets without an IP header. Absent: 0. */
  readonly notIp?: number;
  /** Outputs: of those held, packets in the overflow queue. Absent: 0. */
  readonly spilled?: number;
  readonly held: number;
  /** Inputs: of those decoded, headers that were not believed, by fault. Absent: none. */
  readonly headerFaults?: Readonly<Record<string, number>>;
  /** Only reasons that occurred. */
  readonly dropped: Readonly<Record<string, number>>;
}

export interface InputRow {
  readonly name: string;
  readonly description: string;
  readonly finished: boolean;
  readonly lossless: boolean;
  /** id of the brick that gets its packets; absent in what tests make up */
  readonly brick?: string;
  readonly cell: LedgerCell;
}
export interface BrickRow {
  readonly id: string;
  readonly kind: string;
  /** Its outlets; absent in what tests make up. */
  readonly ways?: ExplainStep['ways'];
  /** As they are; absent in what tests make up. */
  readonly options?: Options;
  /** Counts beside the ledger, by name; absent: none. */
  readonly figures?: Readonly<Record<string, number>>;
  readonly cell: LedgerCell;
}
export interface OutputRow {
  readonly name: string;
  /** id of the brick that feeds it */
  readonly brick: string;
  readonly description: string;
  /** Process id of the attached consumer; 0: none, or not a pipe. */
  readonly consumerPid: number;
  /** Slots of its ring; 0: it has none. */
  readonly slots: number;
  /** A pipe: descriptor of its memory in this process, and where in it the pipe begins. */
  readonly memory?: readonly [fd: number, offset: number];
  /** Packets for it reach somebody: a consumer is there, alive, and keeps up. Absent: true. */
  readonly ready?: boolean;
  /** Milliseconds since its consumer's last heartbeat. Absent: it has none. */
  readonly silentMs?: number;
  readonly cell: LedgerCell;
}

export interface DrainRow {
  /** id of the brick, and which of its outputs. */
  readonly brick: string;
  readonly output: string;
  /** Seconds since 1970. */
  readonly since: number;
  /** Live flows that stay with it; -1: the brick does not know. */
  readonly sessions: number;
}

export interface EngineSnapshot {
  readonly name: string;
  readonly running: boolean;
  readonly linked: boolean;
  /** All inputs finished and every output has delivered. */
  readonly drained: boolean;
  readonly cpu: number;
  readonly batch: number;
  readonly breaths: number;
  /** Spill buffers that are not in use. Absent: it has none. */
  readonly spillFree?: number;
  /** Its session table: live flows, and since the engine was made. Absent: not known. */
  readonly sessions?: SessionCounts;
  /** What became of fragments, by name (docs/flows.md). Absent: nobody asks for flows. */
  readonly fragments?: Readonly<Record<string, number>>;
  readonly inputs: readonly InputRow[];
  readonly bricks: readonly BrickRow[];
  readonly outputs: readonly OutputRow[];
  /** Outputs that get no new flows. Absent: none. */
  readonly draining?: readonly DrainRow[];
  /** Absent: none. */
  readonly taps?: readonly TapRow[];
  /** Sums of what was part of the graph once: the ledger covers an engine's whole life. */
  readonly retired: {
    readonly inputs: LedgerCell;
    readonly bricks: LedgerCell;
    readonly outputs: LedgerCell;
  };
  readonly warnings: readonly string[];
}

/**
 * A rule as it stands: the fields it was given (`ruleFields` has them all), with id, kind, action
 * and priority.
 */
export interface RuleInfo {
  readonly [field: string]: OptionValue;
  /** Packets that it decided about; bytes of those; of those, packets that did not pass. */
  readonly hits: number;
  readonly bytes: number;
  readonly dropped: number;
}

export type * from './plugin-binding.ts';

export interface NativeBinding extends PluginBinding, QueueBinding {
  /** Lends the error class: `new errorClass(code, message)` is what failed calls throw. */
  lendErrorClass(errorClass: new (code: string, message: string) => Error): void;

  brickTypes(): BrickTypeInfo[];
  portSchemes(): PortSchemeInfo[];
  dropReasons(): { readonly name: string; readonly summary: string }[];
  /** native/mem/limits.hh by name, e.g. `{ kOutletsMax: 4096, … }`. */
  limits(): Readonly<Record<string, number>>;
  /** Codes that native can throw. */
  statusCodes(): string[];

  /** Checks `options` against the kind's descriptor; returns them completed with defaults. */
  checkBrickOptions(kind: string, options: Options): Options;
  /** Checks a port name's syntax and parameters without opening anything. */
  checkPortName(name: string, direction: 'input' | 'output'): void;
  /** `eth3{0` to `eth3}0` and back; other names as they are. */
  flipPipeName(name: string): string;
  /** True for `x{N` and `x}N`, with or without `netmap:` in front. */
  isPipeName(name: string): boolean;

  /** Serves `ports.sock` in an existing folder. */
  openPorts(runDir: string): void;
  closePorts(): void;

  createEngine(name: string, options: EngineOptions): void;
  deleteEngine(name: string): void;
  /** Replaces the engine's graph, running or not, at a batch boundary, all or nothing. */
  apply(name: string, graph: NativeGraph): void;
  start(name: string): void;
  stop(name: string): void;
  /** Blocks this thread up to `timeoutMs`; call it in slices where interruption matters. */
  waitDrained(name: string, timeoutMs: number): boolean;
  snapshot(): EngineSnapshot[];
  /** Where that flow goes in every engine's graph, and why; changes nothing. */
  explain(question: FlowQuestion): Explanation[];
  /**
   * A pipe with a copy of what passes a link, one address pair in `sample`, until closeTap or until
   * the link goes; returns its consumer's name. Throws `no_such_pipe`, `invalid_argument`.
   */
  openTap(link: string, expression: string, sample: number): string;
  closeTap(pipe: string): void;
  /**
   * From now on the last `seconds` of what passes a link are kept, in at most `bytes`, for taps
   * that begin in the past (abi/bricks_list.h); until closeRecorder or until the link goes.
   */
  openRecorder(engine: string, link: string, seconds: number, bytes: number): void;
  closeRecorder(engine: string, link: string): void;

  /** Throws `no_such_interface`. */
  inspectInterface(name: string): InterfaceState;
  /** RLIMIT_MEMLOCK of this process, in bytes. */
  memoryLockLimit(): number;

  /** What a Filter's rule can be made of. */
  ruleFields(): OptionInfo[];
  /**
   * A new list of rules; its number is what a Filter's option `rules` is set to. A change holds
   * from the engine's next batch on, and does not touch its graph.
   */
  openRules(): number;
  /** Lives on while a Filter uses it. */
  closeRules(list: number): void;
  /** All of them, or none; returns their ids. */
  addRules(list: number, rules: readonly Options[]): number[];
  /** These instead of those there are; the ones whose id stays keep their counts. */
  replaceRules(list: number, rules: readonly Options[]): number[];
  removeRule(list: number, id: number): void;
  /** The fields given take the place of the rule's own. */
  changeRule(list: number, id: number, fields: Options): void;
  /** First to match first. `seconds_left` is there where the rule has a time-out. */
  listRules(list: number): RuleInfo[];

  /** Sends one datagram to a Unix socket; a path that begins with @ is an abstract one. */
  sendDatagram(path: string, text: string): void;
  /** From now on stdout and stderr of this process go to the end of that file. */
  redirectOutput(path: string): void;
}
