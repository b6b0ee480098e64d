/** The session of the event that a view shows. */
import type { Direction, MetadataValue, Session, SessionCalls, SessionState } from './api.ts';
import type { Contexts } from './contexts.ts';
import type { EngineCalls } from './engine-calls.ts';
import { at, type Call, calls } from './layout.ts';
import { type ProtocolName, protocolNames } from './records.ts';
import { type Ring, wide } from './ring.ts';

const states: readonly SessionState[] = ['closed', 'opening', 'active', 'closing', 'closed'];

function addressText(bytes: Uint8Array, from: number, version: number): string {
  if (version === 4) return bytes.subarray(from, from + 4).join('.');
  if (version !== 6) return '';
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((bytes[from + 2 * i] as number) << 8) | (bytes[from + 2 * i + 1] as number)).toString(16),
  );
  // The longest row of zeros becomes "::" (RFC 5952); one alone does not.
  let best = { begin: 0, length: 1 };
  for (let begin = 0; begin < 8; begin += 1) {
    let end = begin;
    while (end < 8 && groups[end] === '0') end += 1;
    if (end - begin > best.length) best = { begin, length: end - begin };
  }
  if (best.length === 1) return groups.join(':');
  const { begin, length } = best;
  // An IPv4 address within, as inet_ntop has it.
  if (begin === 0 && (length === 6 || (length === 5 && groups[5] === 'ffff')))
    return `${length === 6 ? '::' : '::ffff:'}${bytes.subarray(from + 12, from + 16).join('.')}`;
  return `${groups.slice(0, begin).join(':')}::${groups.slice(begin + length).join(':')}`;
}

/** What may be asked for of any session: that of the event shown, or a child of it. */
abstract class CallsView implements SessionCalls {
  abstract readonly id: number;
  abstract readonly ring: Ring;
  /** Of this turn's events, the one shown. */
  abstract readonly index: number;
  readonly #calls: EngineCalls;

  constructor(engineCalls: EngineCalls) {
    this.#calls = engineCalls;
  }

  get code(): number {
    return this.#calls.code;
  }

  setOutput(output: number): number {
    return this.#ask(calls.set_output, output);
  }
  kill(): number {
    return this.#ask(calls.kill);
  }
  addGroup(group: number, direction?: Direction): number {
    return this.#ask(calls.add_group, group, direction ?? -1);
  }
  removeGroup(group: number): number {
    return this.#ask(calls.remove_group, group);
  }
  lock(): number {
    return this.#ask(calls.lock);
  }
  unlock(): number {
    return this.#ask(calls.unlock);
  }
  setMetadata(key: string, value: MetadataValue): number {
    return this.#calls.set(this.ring, this.index, this.id, key, value);
  }
  getMetadata(key: string): MetadataValue | undefined {
    return this.#calls.get(this.ring, this.index, this.id, key);
  }
  deleteMetadata(key: string): number {
    return this.#calls.delete(this.ring, this.index, this.id, key);
  }

  #ask(call: Call, a = 0, b = 0): number {
    return this.#calls.call(call, this.index, this.id, a, b);
  }
}

class ChildCalls extends CallsView {
  readonly id: number;
  readonly #parent: SessionView;

  constructor(parent: SessionView, engineCalls: EngineCalls, id: number) {
    super(engineCalls);
    this.id = id;
    this.#parent = parent;
  }

  get ring(): Ring {
    return this.#parent.ring;
  }
  get index(): number {
    return this.#parent.index;
  }
}

export class SessionView extends CallsView implements Session {
  ring: Ring;
  base = 0;
  index = 0;
  readonly #contexts: Contexts;
  readonly #calls: EngineCalls;

  constructor(ring: Ring, contexts: Contexts, engineCalls: EngineCalls) {
    super(engineCalls);
    this.ring = ring;
    this.#contexts = contexts;
    this.#calls = engineCalls;
  }

  get id(): number {
    return wide(this.ring.u32, this.base + at.id);
  }
  get state(): SessionState {
    return states[this.ring.u8[this.base + at.state] as number] ?? 'closed';
  }
  get closeReason(): number {
    return this.ring.u8[this.base + at.close_reason] as number;
  }
  get protocol(): number {
    return this.ring.u8[this.base + at.session_protocol] as number;
  }
  get ipVersion(): number {
    return this.ring.u8[this.base + at.ip_version] as number;
  }
  get application(): ProtocolName | undefined {
    return protocolNames[this.ring.u16[(this.base + at.application) >>> 1] as number];
  }
  get output(): number {
    return this.ring.u16[(this.base + at.output) >>> 1] as number;
  }
  get firstSeen(): bigint {
    return this.ring.u64[(this.base + at.first_seen) >>> 3] as bigint;
  }
  get lastSeen(): bigint {
    return this.ring.u64[(this.base + at.last_seen) >>> 3] as bigint;
  }
  get childType(): number {
    return this.ring.u16[(this.base + at.child_type) >>> 1] as number;
  }
  get vlan(): number {
    return this.ring.u16[(this.base + at.vlan) >>> 1] as number;
  }
  get vni(): number {
    return this.ring.u32[(this.base + at.vni) >>> 2] as number;
  }

  packets(direction: Direction): number {
    return wide(this.ring.u32, this.base + at.packets + (direction === 1 ? 8 : 0));
  }
  bytes(direction: Direction): number {
    return wide(this.ring.u32, this.base + at.bytes + (direction === 1 ? 8 : 0));
  }
  address(direction: Direction): string {
    const from = this.base + at.address + (direction === 1 ? 16 : 0);
    return addressText(this.ring.u8, from, this.ipVersion);
  }
  port(direction: Direction): number {
    const from = this.base + at.port + (direction === 1 ? 2 : 0);
    return ((this.ring.u8[from] as number) << 8) | (this.ring.u8[from + 1] as number);
  }

  get context(): unknown {
    return this.#contexts.get(this.ring, this.base);
  }
  set context(value: unknown) {
    this.#contexts.set(this.ring, this.base, value);
  }

  detach(): number {
    const code = this.#ask(calls.detach);
    if (code === 0) this.context = undefined;
    return code;
  }
  takeOver(): number {
    return this.#ask(calls.take_over);
  }
  openChild(type: number): number {
    return this.#calls.open(this.index, this.id, type);
  }
  child(id: number): SessionCalls {
    return new ChildCalls(this, this.#calls, id);
  }
  closeChild(id: number): number {
    return this.#calls.call(calls.close_child, this.index, id);
  }

  #ask(call: Call): number {
    return this.#calls.call(call, this.index, this.id);
  }
}
