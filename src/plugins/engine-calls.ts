/** Calls for a session, made by the engine's thread while it waits for this one. */
import type { AttachedPlugin, ScriptBinding } from '../native/scripts.ts';
import { codes, type MetadataValue } from './api.ts';
import { type Call, callBytes, calls, keyBytes, valueTypes } from './layout.ts';
import type { Ring } from './ring.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Written {
  readonly type: number;
  readonly bytes: number;
}

export class EngineCalls {
  /** What the last call returned. */
  code = 0;
  readonly #binding: ScriptBinding;
  readonly #plugin: AttachedPlugin;
  readonly #answer = new Float64Array(3);

  constructor(binding: ScriptBinding, plugin: AttachedPlugin) {
    this.#binding = binding;
    this.#plugin = plugin;
  }

  call(call: Call, event: number, session: number, a = 0, b = 0): number {
    return this.#ask(call, event, session, a, b, 0, 0, 0);
  }

  open(event: number, session: number, type: number): number {
    const code = this.call(calls.open_child, event, session, type);
    return code === 0 ? (this.#answer[2] as number) : code;
  }

  set(ring: Ring, event: number, session: number, key: string, value: MetadataValue): number {
    const bytes = this.#key(ring, key);
    const written = bytes === 0 ? codes.invalid : this.#write(ring, value);
    if (typeof written === 'number') {
      this.code = written;
      return written;
    }
    const { type } = written;
    return this.#ask(calls.set_metadata, event, session, 0, 0, bytes, written.bytes, type);
  }

  get(ring: Ring, event: number, session: number, key: string): MetadataValue | undefined {
    const bytes = this.#key(ring, key);
    if (bytes === 0) {
      this.code = codes.invalid;
      return undefined;
    }
    const code = this.#ask(calls.get_metadata, event, session, 0, 0, bytes, 0, 0);
    if (code !== 0) return undefined;
    const at = ring.callAt + keyBytes;
    switch (this.#answer[0]) {
      case valueTypes.integer:
        return ring.i64[at >>> 3] as bigint;
      case valueTypes.number:
        return ring.f64[at >>> 3] as number;
      case valueTypes.boolean:
        return ring.u8[at] !== 0;
      default:
        return ring.u8.slice(at, at + (this.#answer[1] as number));
    }
  }

  communityId(ring: Ring, event: number, session: number): string | undefined {
    if (this.call(calls.community_id, event, session) !== 0) return undefined;
    const at = ring.callAt + keyBytes;
    return decoder.decode(ring.u8.subarray(at, at + (this.#answer[1] as number)));
  }

  delete(ring: Ring, event: number, session: number, key: string): number {
    const bytes = this.#key(ring, key);
    if (bytes === 0) {
      this.code = codes.invalid;
      return this.code;
    }
    return this.#ask(calls.delete_metadata, event, session, 0, 0, bytes, 0, 0);
  }

  #ask(
    call: Call,
    event: number,
    session: number,
    a: number,
    b: number,
    key: number,
    value: number,
    type: number,
  ): number {
    const answer = this.#answer;
    this.code = this.#binding.pluginAsk(
      this.#plugin,
      answer,
      call,
      event,
      session,
      a,
      b,
      key,
      value,
      type,
    );
    return this.code;
  }

  /** 0: there can be no such key. */
  #key(ring: Ring, key: string): number {
    const bytes = encoder.encode(key);
    if (bytes.length === 0 || bytes.length >= keyBytes || bytes.includes(0)) return 0;
    ring.u8.set(bytes, ring.callAt);
    return bytes.length;
  }

  /** Or the code of why not: from JavaScript it may be anything. */
  #write(ring: Ring, value: unknown): Written | number {
    const at = ring.callAt + keyBytes;
    switch (typeof value) {
      case 'bigint':
        if (BigInt.asIntN(64, value) !== value) return codes.invalid;
        ring.i64[at >>> 3] = value;
        return { type: valueTypes.integer, bytes: 8 };
      case 'number':
        ring.f64[at >>> 3] = value;
        return { type: valueTypes.number, bytes: 8 };
      case 'boolean':
        ring.u8[at] = value ? 1 : 0;
        return { type: valueTypes.boolean, bytes: 1 };
      default: {
        const bytes = typeof value === 'string' ? encoder.encode(value) : value;
        if (!(bytes instanceof Uint8Array)) return codes.invalid;
        if (bytes.length > callBytes - keyBytes) return codes.noMemory;
        ring.u8.set(bytes, at);
        return { type: valueTypes.bytes, bytes: bytes.length };
      }
    }
  }
}
