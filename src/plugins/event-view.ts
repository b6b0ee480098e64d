/**
 * One object for all events of a plugin: it shows the one it is put on. Getters read the ring's
 * memory, so what nobody asks for costs nothing.
 */
import { type Conflict, codes, type Direction, type EventName, type PluginEvent } from './api.ts';
import type { Contexts } from './contexts.ts';
import type { EngineCalls } from './engine-calls.ts';
import {
  at,
  calls,
  conflictDelivered,
  eventBytes,
  eventNames,
  flags,
  positionBytes,
  reasonNames,
  verdictDrop,
} from './layout.ts';
import { PacketView } from './packet-view.ts';
import type { ProtocolRecord, RecordReader } from './records.ts';
import { type Ring, wide } from './ring.ts';
import { SessionView } from './session-view.ts';

const nothing = new Uint8Array(0);
/** Both digests, before both versions of a conflict. */
const digestBytes = 16;

export class EventView implements PluginEvent {
  readonly session: SessionView;
  /** Whether the engine waits for what this event leads to. */
  readonly #waits: boolean;
  readonly #calls: EngineCalls;
  readonly #records: RecordReader;
  readonly #packet: PacketView;
  #ring: Ring;
  #base = 0;
  #first = 0;
  #active = false;

  constructor(
    ring: Ring,
    contexts: Contexts,
    engineCalls: EngineCalls,
    records: RecordReader,
    waits: boolean,
  ) {
    this.#ring = ring;
    this.session = new SessionView(ring, contexts, engineCalls);
    this.#packet = new PacketView(ring);
    this.#calls = engineCalls;
    this.#records = records;
    this.#waits = waits;
  }

  /** The events of a turn begin with record number `first`. */
  begin(ring: Ring, first: number): void {
    this.#ring = ring;
    this.session.ring = ring;
    this.#packet.ring = ring;
    this.#first = first;
    this.#active = true;
  }

  end(): void {
    this.#active = false;
  }

  /** Returns the event's type. */
  show(index: number): number {
    const base = positionBytes + (this.#first + index) * eventBytes;
    this.#base = base;
    this.session.base = base;
    this.session.index = index;
    this.#packet.base = base;
    this.#ring.u32[0] = index;
    return this.#ring.u8[base + at.type] as number;
  }

  get type(): EventName {
    return eventNames[this.#ring.u8[this.#base + at.type] as number] as EventName;
  }
  get packet(): PacketView | undefined {
    return this.#flag(flags.packet) ? this.#packet : undefined;
  }
  get direction(): Direction {
    return this.#ring.u8[this.#base + at.direction] as Direction;
  }
  get length(): number {
    return this.#u32(at.length);
  }
  get offset(): number {
    return wide(this.#ring.u32, this.#base + at.offset);
  }
  get reason(): number {
    return this.#ring.u16[(this.#base + at.reason) >>> 1] as number;
  }
  get reasonName(): string | undefined {
    const { type } = this;
    if (type !== 'closing' && type !== 'gap' && type !== 'conflict') return undefined;
    return reasonNames[type][this.reason];
  }
  get payload(): Uint8Array {
    if (this.type === 'protocol' || this.type === 'conflict') return nothing;
    const skipped = this.#flag(flags.frame) ? this.#packet.payload : 0;
    if (this.#flag(flags.frame) && skipped === 0) return nothing;
    const bytes = this.#u32(at.data_bytes);
    const length = skipped === 0 ? bytes : Math.min(bytes - skipped, this.#packet.payloadLength);
    if (length <= 0) return nothing;
    const begin = this.#ring.dataAt + this.#u32(at.data_at) + skipped;
    return this.#ring.u8.subarray(begin, begin + length);
  }
  get record(): ProtocolRecord | undefined {
    if (this.type !== 'protocol') return undefined;
    const begin = this.#ring.dataAt + this.#u32(at.data_at);
    const bytes = this.#ring.u8.subarray(begin, begin + this.#u32(at.data_bytes));
    const protocol = this.#ring.u16[(this.#base + at.protocol) >>> 1] as number;
    const kind = this.#ring.u16[(this.#base + at.kind) >>> 1] as number;
    return this.#records.read(protocol, kind, bytes);
  }
  get conflict(): Conflict | undefined {
    if (this.type !== 'conflict') return undefined;
    const begin = this.#ring.dataAt + this.#u32(at.data_at);
    const versions = begin + digestBytes;
    const { length } = this;
    return {
      before: this.#ring.u8.subarray(versions, versions + length),
      now: this.#ring.u8.subarray(versions + length, versions + 2 * length),
      beforeDigest: this.#ring.u64[begin >>> 3] as bigint,
      nowDigest: this.#ring.u64[(begin >>> 3) + 1] as bigint,
      delivered: this.reason === conflictDelivered,
    };
  }

  communityId(): string | undefined {
    return this.#calls.communityId(this.#ring, this.session.index, this.session.id);
  }

  drop(): number {
    if (!this.#waits) return this.#calls.call(calls.drop, this.session.index, this.session.id);
    if (!this.#active) return codes.noContext;
    if (!this.#flag(flags.packet)) return codes.wrongState;
    // Taken back with the answer: before the next plugin is called.
    const word = (this.#base + at.verdict) >>> 2;
    this.#ring.u32[word] = (this.#ring.u32[word] as number) | verdictDrop;
    return codes.done;
  }

  #u32(field: number): number {
    return this.#ring.u32[(this.#base + field) >>> 2] as number;
  }
  #flag(flag: number): boolean {
    return ((this.#ring.u8[this.#base + at.flags] as number) & flag) !== 0;
  }
}
