/**
 * Realistic traffic from a seed: TCP sessions with handshake, retransmissions, reordering and both
 * ways to end, DNS, fragmented datagrams, pings and ARP, over IPv4 and IPv6, with and without VLAN
 * tags.
 */
import { writeFileSync } from 'node:fs';
import {
  Conversation,
  dnsLookup,
  fragmentedDatagram,
  pings,
  type TimedFrame,
  tcpSession,
} from './conversations.ts';
import { Random } from './random.ts';

export interface TrafficOptions {
  readonly seed: number;
  /** Conversations, of all kinds. */
  readonly flows: number;
  /** Cut the traffic after so many packets. Default: no cut. */
  readonly packets?: number;
}

export interface TrafficSummary {
  readonly packets: number;
  /** Frames' bytes. */
  readonly bytes: number;
}

const webPorts = [443, 80, 22, 8080, 5432];

/** All frames, in order of time. */
export function makeTraffic({ seed, flows, packets }: TrafficOptions): TimedFrame[] {
  const random = new Random(seed);
  const frames: TimedFrame[] = [];
  for (let flow = 0; flow < flows; flow++) {
    const kind = random.between(0, 99);
    const port = kind < 55 ? (webPorts[random.between(0, 4)] ?? 443) : kind < 85 ? 53 : 4500;
    const talk = new Conversation(random, random.between(0, flows * 500), port);
    const run =
      kind < 55 ? tcpSession : kind < 85 ? dnsLookup : kind < 93 ? fragmentedDatagram : pings;
    run(talk);
    frames.push(...talk.frames);
  }
  frames.sort((a, b) => a.timeUs - b.timeUs);
  return packets === undefined ? frames : frames.slice(0, packets);
}

/** `frames` as a classic pcap file: little-endian, microseconds, Ethernet. */
export function pcapOf(frames: readonly TimedFrame[], startSeconds = 1_700_000_000): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(65_535, 16);
  header.writeUInt32LE(1, 20);
  const parts: Buffer[] = [header];
  for (const { timeUs, frame } of frames) {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(startSeconds + Math.floor(timeUs / 1_000_000), 0);
    record.writeUInt32LE(timeUs % 1_000_000, 4);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    parts.push(record, frame);
  }
  return Buffer.concat(parts);
}

/** Makes traffic and writes it to `path` as pcap. */
export function writeTraffic(path: string, options: TrafficOptions): TrafficSummary {
  const frames = makeTraffic(options);
  writeFileSync(path, pcapOf(frames));
  return {
    packets: frames.length,
    bytes: frames.reduce((sum, { frame }) => sum + frame.length, 0),
  };
}
