/**
 * By which signs a witness knows what a conversation speaks. They are weaker than what it takes to
 * be sure: what shows no sign of a protocol does not speak it.
 */
import type { Said } from '../capture/flow.ts';

type Sign = (bytes: Buffer, ports: readonly number[]) => boolean;

const text = (pattern: RegExp): Sign => {
  return (bytes) => pattern.test(bytes.toString('latin1', 0, 64));
};
const isAt = (ports: readonly number[], ...known: number[]): boolean =>
  ports.some((port) => known.includes(port));

/** A header of twelve bytes with an opcode that there is; elsewhere than at home one question. */
const dns: Sign = (bytes, ports) => {
  if (bytes.length < 12) return false;
  const opcode = (bytes.readUInt16BE(2) >> 11) & 15;
  return opcode <= 6 && (bytes.readUInt16BE(4) <= 1 || isAt(ports, 53, 5353, 5355));
};
const http = text(/^([A-Z-]{3,11} |HTTP\/1\.)/);
const sip = text(/^(SIP\/2\.0 |[A-Z]{3,12} [a-z]+:)/i);

/** RFC 1035 (with a length before it), 9112, 8446, 4253, 3261, 959. */
const streams: Readonly<Record<string, Sign>> = {
  dns: (bytes, ports) => dns(bytes.subarray(2), ports),
  http,
  tls: (bytes) => bytes.length > 2 && bytes[0] === 22 && bytes[1] === 3,
  ssh: text(/^SSH-/),
  sip,
  ftp: text(/^(220[ -]|[a-z]{3,4}( |\r?\n))/i),
};

/** RFC 1035, 9000 and 9369, 3261, 3550, 2131 and 8415, 5905. */
const datagrams: Readonly<Record<string, Sign>> = {
  dns,
  quic: (bytes) =>
    bytes.length >= 64 &&
    bytes.readUInt8(0) >= 0xc0 &&
    [1, 0x6b3343cf].includes(bytes.readUInt32BE(1)),
  sip,
  rtp: (bytes) => bytes.length >= 8 && bytes.readUInt8(0) >> 6 === 2,
  dhcp: (bytes, ports) =>
    bytes.length >= 240 ? bytes.readUInt32BE(236) === 0x63825363 : isAt(ports, 546, 547),
  ntp: (bytes, ports) => bytes.length >= 48 && isAt(ports, 123),
};

/** What it may be the beginning of. */
export function signsOf(bytes: Buffer, isTcp: boolean, ports: readonly number[]): string[] {
  if (bytes.length === 0) return [];
  return Object.entries(isTcp ? streams : datagrams)
    .filter(([, sign]) => sign(bytes, ports))
    .map(([name]) => name);
}

/** What is kept of what a packet says. */
export interface Speech {
  readonly by: string;
  /** The first packet of a TCP connection: a SYN that answers nothing. */
  readonly opens: boolean;
  readonly signs: readonly string[];
  /** TCP: bytes of a stream's beginning, which may come in small pieces. */
  readonly ports: readonly [number, number];
  readonly sequence: number;
  readonly head: Buffer;
  readonly length: number;
}

const headBytes = 64;

export function speechOf({ isTcp, by, ports, sequence, flags, payload }: Said): Speech {
  return {
    by,
    opens: (flags & 0x12) === 2,
    signs: signsOf(payload, isTcp, ports),
    ports,
    sequence,
    head: isTcp ? Buffer.from(payload.subarray(0, headBytes)) : Buffer.alloc(0),
    length: isTcp ? payload.length : 0,
  };
}

/** Pieces of one direction that are too small to show anything: what they do together. */
export class Pieces {
  readonly #bySequence = new Map<number, Speech>();

  /** Signs of what now begins anywhere among them. */
  add(speech: Speech): readonly string[] {
    if (speech.length === 0) return speech.signs;
    if (speech.length >= headBytes) return speech.signs;
    if (this.#bySequence.size < 64) this.#bySequence.set(speech.sequence, speech);
    const signs = new Set(speech.signs);
    for (const start of this.#bySequence.values()) {
      for (const sign of signsOf(this.#from(start), true, speech.ports)) signs.add(sign);
    }
    return [...signs];
  }

  #from(start: Speech): Buffer {
    const parts: Buffer[] = [];
    let length = 0;
    let at: Speech | undefined = start;
    while (at !== undefined && length < headBytes) {
      parts.push(at.head);
      length += at.length;
      at = this.#bySequence.get((at.sequence + at.length) >>> 0);
    }
    return Buffer.concat(parts);
  }
}
