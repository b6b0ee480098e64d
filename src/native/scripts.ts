/** The part of the native addon that runs plugins in TypeScript (native/addon/scripts.cc). */

/** A plugin as its thread sees it. */
export type AttachedPlugin = { readonly attached: unique symbol };

export interface PluginDescription {
  readonly name: string;
  readonly summary: string;
  /** Bits: 1 << bricks_event_type, 1 << bricks_protocol. */
  readonly events: number;
  readonly protocols: number;
  /** Bytes to be copied. */
  readonly frame: number;
  readonly payload: number;
  readonly options: readonly {
    readonly name: string;
    readonly summary: string;
    readonly type: 's' | 'n' | 'b';
    readonly preset?: string;
  }[];
  readonly figures: readonly string[];
}

export interface RecordFieldLayout {
  readonly name: string;
  readonly type: string;
  readonly at: number;
  readonly size: number;
  readonly countAt: number;
  readonly innerSize?: number;
  readonly inner?: readonly RecordFieldLayout[];
}

export interface PluginLayouts {
  /** Where each field of an event's copy begins. */
  readonly event: Readonly<Record<string, number>>;
  readonly eventBytes: number;
  /** By bricks_record. */
  readonly records: readonly (
    | { readonly name: string; readonly size: number; readonly fields: RecordFieldLayout[] }
    | undefined
  )[];
  /** Names of what pluginAsk can be asked for, by number. */
  readonly calls: readonly string[];
}

/** What pluginTurn returns. */
export const turns = { end: -1, idle: 0, start: 1, events: 2, gone: 3 } as const;

export interface ScriptBinding {
  /**
   * From now on this thread starts and ends the threads of plugins: `start`: a thread that attaches
   * itself to `host` and `epoch`, `text` is the file's path; `stop`: ends it, `text`: why, empty
   * where it is in order.
   */
  servePlugins(
    serve: (
      what: 'start' | 'stop',
      host: number,
      epoch: number,
      text: string,
      memoryMb: number,
    ) => void,
  ): void;
  /** All of them are to end; what engines still have for them is counted as lost. */
  endPluginThreads(): void;
  /** Such a thread has ended; returns what is to be logged: how it goes on. */
  pluginExited(host: number, epoch: number, why: string): string;

  attachPlugin(host: number, epoch: number): AttachedPlugin;
  pluginDefined(plugin: AttachedPlugin, description: PluginDescription): void;
  /** Its file does not load, or does not start. */
  refusePlugin(plugin: AttachedPlugin, why: string): void;
  /** An event of it: what it threw. */
  pluginFailed(plugin: AttachedPlugin, why: string): void;
  pluginStarted(plugin: AttachedPlugin): void;
  pluginOptions(plugin: AttachedPlugin): [name: string, type: 's' | 'n' | 'b', value: string][];
  /** How far the last turn's events have come; `failed`: the next one has. */
  pluginFinish(plugin: AttachedPlugin, done: number, failed: boolean): void;
  /**
   * The same, then waits up to `idleUs` for more. events: `turn` is worker, first record, how many,
   * whether the engine waits; gone: that worker.
   */
  pluginTurn(
    plugin: AttachedPlugin,
    turn: Uint32Array,
    done: number,
    failed: boolean,
    idleUs: number,
  ): number;
  /** The memory of a worker's ring: 64 bytes, records, 64 KiB of calls, bytes of events. */
  pluginRing(
    plugin: AttachedPlugin,
    worker: number,
  ): { readonly records: number; readonly memory: ArrayBuffer };
  /** A call for a session of this turn; `answer`: type, bytes, number. Returns its code. */
  pluginAsk(
    plugin: AttachedPlugin,
    answer: Float64Array,
    call: number,
    event: number,
    session: number,
    a: number,
    b: number,
    keyBytes: number,
    valueBytes: number,
    type: number,
  ): number;
  /** Numbers of contexts whose sessions are over; how many. */
  pluginFreed(plugin: AttachedPlugin, numbers: Uint32Array): number;
  pluginEmit(plugin: AttachedPlugin, line: string): number;
  pluginFigure(plugin: AttachedPlugin, figure: number, value: number): number;
  pluginErrors(plugin: AttachedPlugin, errors: number): void;
  pluginCreateGroup(plugin: AttachedPlugin, group: number, rate: number, burst: number): number;
  pluginDeleteGroup(plugin: AttachedPlugin, group: number): number;
  pluginLayouts(): PluginLayouts;
}
