/** What native/client/observe.c writes: packets as somebody saw them, and how many he missed. */
import { createHash } from 'node:crypto';
import { type Sighting, saidIn, sightingOf } from '../capture/flow.ts';
import { type Speech, speechOf } from './speech.ts';

const headerBytes = 24;
const frameBytesMax = 65_535;

export interface Seen {
  /** The same for packets equal in time, length on the wire and bytes. */
  readonly id: string;
  /** What it says of its innermost and of its outermost flow. Undefined where it is not IP. */
  readonly inner: Sighting | undefined;
  readonly outer: Sighting | undefined;
  readonly timeNs: bigint;
  readonly length: number;
  /** Where somebody asks for it. */
  readonly speech?: Speech;
}

/** What somebody will ask for beside the innermost flow. */
export interface Wanted {
  readonly outer?: boolean;
  readonly speech?: boolean;
}

export class Sightings {
  readonly seen: Seen[] = [];
  /** Positions in `seen` before which slots were missed. */
  readonly gaps: number[] = [];
  missed = 0;
  #rest: Buffer = Buffer.alloc(0);
  readonly #wanted: Wanted;

  constructor(wanted: Wanted = {}) {
    this.#wanted = wanted;
  }

  /** Takes in what has come; false when it is no such stream. */
  add(chunk: Buffer): boolean {
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (data.length >= headerBytes) {
      const captured = data.readUInt32LE(0);
      if (captured > frameBytesMax) return false;
      if (data.length < headerBytes + captured) break;
      this.#take(data, captured);
      data = data.subarray(headerBytes + captured);
    }
    this.#rest = Buffer.from(data);
    return true;
  }

  #take(data: Buffer, captured: number): void {
    const wireLength = data.readUInt32LE(4);
    if (data.readUInt32LE(20) === 1) {
      this.gaps.push(this.seen.length);
      this.missed += wireLength;
      return;
    }
    const timeNs = data.readBigUInt64LE(8);
    const linkType = data.readUInt32LE(16);
    const frame = data.subarray(headerBytes, headerBytes + captured);
    const digest = createHash('sha1').update(frame).digest('base64');
    const record = { timestampNs: timeNs, linkType, data: frame, wireLength };
    const said = this.#wanted.speech ? saidIn(record) : undefined;
    this.seen.push({
      id: `${timeNs} ${wireLength} ${digest}`,
      inner: sightingOf(record),
      outer: this.#wanted.outer ? sightingOf(record, { outer: true }) : undefined,
      timeNs,
      length: captured,
      ...(said && { speech: speechOf(said) }),
    });
  }
}
