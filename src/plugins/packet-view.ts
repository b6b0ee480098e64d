/** The packet of the event that a view shows. */
import type { Direction, Packet } from './api.ts';
import { at, flags, verdictDrop } from './layout.ts';
import type { Ring } from './ring.ts';

const nothing = new Uint8Array(0);

export class PacketView implements Packet {
  ring: Ring;
  base = 0;

  constructor(ring: Ring) {
    this.ring = ring;
  }

  get timestamp(): bigint {
    return this.ring.u64[(this.base + at.timestamp) >>> 3] as bigint;
  }
  get length(): number {
    return this.ring.u32[(this.base + at.packet_length) >>> 2] as number;
  }
  get wireLength(): number {
    return this.ring.u32[(this.base + at.wire_length) >>> 2] as number;
  }
  get network(): number {
    return this.ring.u16[(this.base + at.network) >>> 1] as number;
  }
  get transport(): number {
    return this.ring.u16[(this.base + at.transport) >>> 1] as number;
  }
  get payload(): number {
    return this.ring.u16[(this.base + at.payload) >>> 1] as number;
  }
  get payloadLength(): number {
    return this.ring.u16[(this.base + at.payload_length) >>> 1] as number;
  }
  get ipVersion(): 0 | 4 | 6 {
    return this.#flag(flags.ip4) ? 4 : this.#flag(flags.ip6) ? 6 : 0;
  }
  get protocol(): number {
    return this.ring.u8[this.base + at.packet_protocol] as number;
  }
  get tcpFlags(): number {
    return this.ring.u8[this.base + at.tcp_flags] as number;
  }
  get direction(): Direction {
    return this.ring.u8[this.base + at.packet_direction] as Direction;
  }
  get fragment(): boolean {
    return this.#flag(flags.fragment);
  }
  get duplicate(): boolean {
    return this.#flag(flags.duplicate);
  }
  get stale(): boolean {
    return this.#flag(flags.stale);
  }
  get dropped(): boolean {
    const verdict = this.ring.u32[(this.base + at.verdict) >>> 2] as number;
    return this.#flag(flags.dropped) || (verdict & verdictDrop) !== 0;
  }
  get frame(): Uint8Array {
    if (!this.#flag(flags.frame)) return nothing;
    const begin = this.ring.dataAt + (this.ring.u32[(this.base + at.data_at) >>> 2] as number);
    const bytes = this.ring.u32[(this.base + at.data_bytes) >>> 2] as number;
    return this.ring.u8.subarray(begin, begin + bytes);
  }

  #flag(flag: number): boolean {
    return ((this.ring.u8[this.base + at.flags] as number) & flag) !== 0;
  }
}
