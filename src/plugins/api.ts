/**
 * What a plugin in TypeScript is written with: `import { definePlugin } from 'bricks/plugin'`.
 *
 * Sessions, packets and bytes are views of memory that the next event overwrites: read what you
 * need during the callback, copy what you want to keep. Calls on a session return a code: 0, or one
 * of `codes`; they are for the event that is being dealt with, elsewhere they return
 * `codes.noContext`. Times are nanoseconds since 1970; directions: 0 from whoever opened the
 * session, 1 from the other side.
 */
import type { ProtocolName, ProtocolRecord } from './records.ts';

export type { ProtocolName, ProtocolRecord } from './records.ts';

export type EventName =
  | 'opening'
  | 'active'
  | 'packet'
  | 'payload'
  | 'gap'
  | 'protocol'
  | 'closing'
  | 'conflict';

/** What calls return beside 0 (native/abi/bricks_error.h). */
export const codes = {
  done: 0,
  notPermitted: -1,
  notFound: -2,
  noMemory: -12,
  busy: -16,
  exists: -17,
  invalid: -22,
  notSupported: -95,
  already: -114,
  wrongState: -200,
  noContext: -201,
} as const;

export type SessionState = 'opening' | 'active' | 'closing' | 'closed';
export type Direction = 0 | 1;
export type MetadataValue = string | number | bigint | boolean | Uint8Array;

export interface Packet {
  readonly timestamp: bigint;
  /** Bytes captured, and on the wire. */
  readonly length: number;
  readonly wireLength: number;
  /** Where headers and payload begin in the frame; 0: there is none (IP: or it begins with it). */
  readonly network: number;
  readonly transport: number;
  readonly payload: number;
  readonly payloadLength: number;
  /** 0: it is none of IP. */
  readonly ipVersion: 0 | 4 | 6;
  readonly protocol: number;
  readonly tcpFlags: number;
  readonly direction: Direction;
  readonly fragment: boolean;
  /** One like it came a moment ago (the option duplicates = "mark"). */
  readonly duplicate: boolean;
  /** TCP: with an old timestamp; its receiver discards it (RFC 7323, PAWS). */
  readonly stale: boolean;
  /** Somebody has dropped it: you, or a plugin before. */
  readonly dropped: boolean;
  /** The first bytes of the frame, as many as `copy.frame` asks for. */
  readonly frame: Uint8Array;
}

/** What may be done to a session, or to a child of it. */
export interface SessionCalls {
  readonly id: number;
  /** This packet and all that follow go there. */
  setOutput(output: number): number;
  /** It is closed once this packet's events are through. */
  kill(): number;
  /** This packet and those that follow belong to that group, too; four at most. `notFound`. */
  addGroup(group: number, direction?: Direction): number;
  removeGroup(group: number): number;
  /** Others may not change the session until `unlock`, an error of yours, or its time-out. */
  lock(): number;
  unlock(): number;
  /**
   * Shared by all plugins. bigint: an integer of 64 bits; number: a double; string: bytes.
   * `invalid`: none of these.
   */
  setMetadata(key: string, value: MetadataValue): number;
  /** `undefined`: there is none, or it is not for TypeScript; `code` says which. */
  getMetadata(key: string): MetadataValue | undefined;
  deleteMetadata(key: string): number;
  /** What the last call returned. */
  readonly code: number;
}

export interface Session<Context = unknown> extends SessionCalls {
  readonly id: number;
  readonly state: SessionState;
  /** bricks_close_reason; 0: it is not closing. */
  readonly closeReason: number;
  /** 6 TCP, 17 UDP, 1 and 58 ICMP, ... */
  readonly protocol: number;
  readonly ipVersion: number;
  /** What it speaks, as far as that is known. */
  readonly application: ProtocolName | undefined;
  readonly output: number;
  readonly firstSeen: bigint;
  readonly lastSeen: bigint;
  /** A child's, as openChild was given; 0: it has packets. */
  readonly childType: number;
  readonly vlan: number;
  readonly vni: number;
  packets(direction: Direction): number;
  bytes(direction: Direction): number;
  address(direction: Direction): string;
  port(direction: Direction): number;
  /** Yours, of this session; gone when it is closed. `undefined` at first. */
  context: Context | undefined;

  /** No more events of this session, not even `closing`, once this callback has returned. */
  detach(): number;
  /** From the next plugin on nobody else gets its events. `busy`, `wrongState`: it is closing. */
  takeOver(): number;
  /** A session that ends before this one does: its id, or a code below 0. */
  openChild(type: number): number;
  /** Of one that you have opened, as long as its parent has an event here; else `noContext`. */
  child(id: number): SessionCalls;
  closeChild(id: number): number;
}

/** Bytes of a TCP stream that came twice and were not the same. */
export interface Conflict {
  /** What was there, and what the segment brings: `length` bytes each. */
  readonly before: Uint8Array;
  readonly now: Uint8Array;
  /** Of those bytes; the same for the same bytes as long as the process runs. */
  readonly beforeDigest: bigint;
  readonly nowDigest: bigint;
  /** `before` has been given as payload and stays; else the brick's `overlaps` chooses. */
  readonly delivered: boolean;
}

export interface PluginEvent<Context = unknown> {
  readonly type: EventName;
  readonly session: Session<Context>;
  /** None where no packet brought the event: a time-out, an end. */
  readonly packet: Packet | undefined;
  readonly direction: Direction;
  /** `packet`: as much of the payload as `copy` asks for; `payload`: the stream's next bytes. */
  readonly payload: Uint8Array;
  /** `payload`: how many bytes; `gap`: how many are missing; `conflict`: of each version. */
  readonly length: number;
  /** `payload`, `gap`, `conflict`: where in that direction's stream. */
  readonly offset: number;
  /** bricks_close_reason, bricks_gap_reason or bricks_conflict_reason. */
  readonly reason: number;
  /** The same in words, as in Lua: 'fin', 'timeout_active', ... `undefined`: of other events. */
  readonly reasonName: string | undefined;
  /** `protocol`: what a decoder has read. */
  readonly record: ProtocolRecord | undefined;
  /** `conflict`: both versions. */
  readonly conflict: Conflict | undefined;
  /** The session's, ICMP's of this packet. `undefined`: asynchronously, outside of callbacks. */
  communityId(): string | undefined;
  /** Its packet goes nowhere. `wrongState`: it has none. Asynchronously: the session's next one. */
  drop(): number;
}

export interface PluginEvents<Context = unknown> {
  readonly length: number;
  /** The same object each time: it shows event number `index` from now on. */
  at(index: number): PluginEvent<Context>;
}

export type OptionValue = string | number | boolean;
export interface OptionDefinition {
  readonly type: 'text' | 'number' | 'boolean';
  readonly summary: string;
  /** Absent: it must be given. */
  readonly preset?: OptionValue;
}

/** What a plugin may use at any time, also outside of callbacks. */
export interface Host {
  readonly name: string;
  readonly options: Readonly<Record<string, OptionValue>>;
  /** A line for the plugin's `file`. `notFound`: it has none; `noMemory`: too fast. */
  emit(line: string): number;
  /** Adds to one of `figures`. */
  count(figure: string, more?: number): number;
  /** For all of the process; bytes of IP packets. */
  createGroup(group: number, bytesPerSecond: number, burstBytes: number): number;
  deleteGroup(group: number): number;
}

type Callback<Context> = (event: PluginEvent<Context>) => void;

export interface PluginDefinition<Context = unknown> {
  readonly name: string;
  readonly summary: string;
  readonly options?: Readonly<Record<string, OptionDefinition>>;
  /** Names of counts of your own, in `bricks status`. */
  readonly figures?: readonly string[];
  /** Bytes that each packet event is to come with; default: none. */
  readonly copy?: { readonly frame?: number; readonly payload?: number };
  /** Whose records onProtocol gets. */
  readonly protocols?: readonly ProtocolName[];

  /** Once, before the first event. What it throws is why the plugin does not start. */
  readonly start?: (host: Host) => void | Promise<void>;
  readonly onOpening?: Callback<Context>;
  readonly onActive?: Callback<Context>;
  readonly onPacket?: Callback<Context>;
  readonly onPayload?: Callback<Context>;
  readonly onGap?: Callback<Context>;
  readonly onProtocol?: Callback<Context>;
  readonly onClosing?: Callback<Context>;
  readonly onConflict?: Callback<Context>;
  /** Instead of all of those: many sessions' events in one call, of the kinds in `events`. */
  readonly events?: readonly EventName[];
  readonly onBatch?: (events: PluginEvents<Context>) => void;
  /** Last, when no event comes any more. */
  readonly stop?: () => void | Promise<void>;
}

/** Metadata that are bytes, as text: what `setMetadata` makes of a string, and Lua of all. */
export function textOf(value: MetadataValue | undefined): string | undefined {
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : undefined;
}

/** The definition as it is, with its types checked. */
export function definePlugin<Context = unknown>(
  definition: PluginDefinition<Context>,
): PluginDefinition<Context> {
  return definition;
}
