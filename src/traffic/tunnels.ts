/**
 * Tunnels and shims around an inner packet, as senders make them: for tests of whoever has to find
 * the innermost flow. Each takes what it carries and gives what goes behind the header before it.
 */
import { checksum, ethernet, type Host, ip, protocols, pseudoHeader, udp } from './frames.ts';

export const tunnelProtocols = {
  ipv4: 4,
  ipv6: 41,
  gre: 47,
  authentication: 51,
  etherIp: 97,
  mpls: 137,
} as const;

const u16 = (...values: number[]): Buffer =>
  Buffer.from(values.flatMap((value) => [(value >> 8) & 255, value & 255]));
const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};
const join = (...parts: readonly Buffer[]): Buffer => Buffer.concat(parts);

export interface GreOptions {
  readonly checksum?: boolean;
  readonly key?: number;
  readonly sequence?: number;
}

/** RFC 2784 and 2890. */
export function gre(type: number, payload: Buffer, options: GreOptions = {}): Buffer {
  const { key, sequence } = options;
  const flags =
    (options.checksum ? 0x8000 : 0) |
    (key === undefined ? 0 : 0x2000) |
    (sequence === undefined ? 0 : 0x1000);
  const optional = [key, sequence].flatMap((value) => (value === undefined ? [] : [u32(value)]));
  const rest = join(...optional, payload);
  if (!options.checksum) return join(u16(flags, type), rest);
  const sum = checksum(u16(flags, type), u32(0), rest);
  return join(u16(flags, type), u16(sum, 0), rest);
}

/** Version 1 (RFC 2637): PPTP's data. */
export const pptp = (ppp: Buffer, call: number, sequence: number): Buffer =>
  join(u16(0x3001, 0x880b, ppp.length, call), u32(sequence), ppp);

/** Mirrored frames in GRE; type I has no header of its own, III one more field or two. */
export function erspan(type: 1 | 2 | 3, frame: Buffer, session: number): Buffer {
  if (type === 1) return gre(0x88be, frame);
  if (type === 2) return gre(0x88be, join(u16(0x1005, session), u32(0), frame), { sequence: 7 });
  const header = join(u16(0x2005, session), u32(1234), u16(0, 0x0001));
  return gre(0x22eb, join(header, Buffer.alloc(8), frame), { sequence: 7 });
}

/** RFC 7637. */
export const nvgre = (frame: Buffer, subnet: number): Buffer =>
  gre(0x6558, frame, { key: subnet << 8 });

/** RFC 7348. */
export const vxlan = (frame: Buffer, vni: number): Buffer =>
  join(u32(0x08000000), u32(vni << 8), frame);

/** `next`: 1 IPv4, 2 IPv6, 3 Ethernet. */
export const vxlanGpe = (next: number, payload: Buffer, vni: number): Buffer =>
  join(u32(0x0c000000 | next), u32(vni << 8), payload);

/** RFC 8926; `options`: a multiple of four bytes. */
export const geneve = (
  type: number,
  payload: Buffer,
  vni: number,
  options = Buffer.alloc(0),
): Buffer => join(Buffer.from([options.length / 4, 0]), u16(type), u32(vni << 8), options, payload);

/** 3GPP TS 29.281: a T-PDU; with extension headers of one unit each, where asked. */
export function gtpUser(packet: Buffer, tunnel: number, extensions = 0): Buffer {
  const headers = Array.from({ length: extensions }, (_, index) =>
    Buffer.from([1, 0, 9, index === extensions - 1 ? 0 : 0x85]),
  );
  const optional =
    extensions > 0 ? join(Buffer.from([0, 1, 0, 0x85]), ...headers) : Buffer.alloc(0);
  const flags = extensions > 0 ? 0x34 : 0x30;
  const length = optional.length + packet.length;
  return join(Buffer.from([flags, 255]), u16(length), u32(tunnel), optional, packet);
}

/** RFC 4380: an IPv6 packet, perhaps with authentication and origin before it. */
export function teredo(packet: Buffer, headers = false): Buffer {
  const authentication = join(u16(1), Buffer.from([4, 2]), Buffer.alloc(4 + 2 + 8 + 1, 7));
  const origin = join(u16(0), u16(0xa5a5), u32(0x01020304));
  return headers ? join(authentication, origin, packet) : packet;
}

/** RFC 2661: data of a session, with lengths and sequence numbers. */
export const l2tp = (ppp: Buffer, tunnel: number, session: number): Buffer =>
  join(u16(0x4802, 12 + ppp.length, tunnel, session, 1, 2), ppp);

/** RFC 3378. */
export const etherIp = (frame: Buffer): Buffer => join(u16(0x3000), frame);

/** PPP's protocol field, with address and control before it where asked. */
export const ppp = (protocol: number, packet: Buffer, framed = false): Buffer =>
  join(framed ? u16(0xff03) : Buffer.alloc(0), u16(protocol), packet);

/** RFC 2516. */
export const pppoe = (session: number, payload: Buffer): Buffer =>
  join(Buffer.from([0x11, 0]), u16(session, payload.length), payload);

/** Labels, outermost first. */
export const mpls = (labels: readonly number[], payload: Buffer): Buffer =>
  join(
    ...labels.map((label, index) =>
      u32((label << 12) | (index === labels.length - 1 ? 0x140 : 0x40)),
    ),
    payload,
  );

/** RFC 4302, above IPv4 or IPv6. */
export const authentication = (next: number, payload: Buffer): Buffer =>
  join(Buffer.from([next, 4, 0, 0]), u32(77), u32(1), Buffer.alloc(12, 3), payload);

/** An IPv6 extension header of 8 bytes: hop-by-hop, routing or destination options. */
export const extension = (next: number, payload: Buffer): Buffer =>
  join(Buffer.from([next, 0, 1, 4, 0, 0, 0, 0]), payload);

/** What `from`, a router, says to `to` about `quoted`, an IP packet or its beginning. */
export function icmpError(from: Host, to: Host, type: number, quoted: Buffer): Buffer {
  const whole = join(Buffer.from([type, 0, 0, 0]), u32(0), quoted);
  const v4 = from.address.length === 4;
  const before = v4 ? Buffer.alloc(0) : pseudoHeader(from, to, protocols.icmp6, whole.length);
  whole.writeUInt16BE(checksum(before, whole), 2);
  return ip(from, to, v4 ? protocols.icmp : protocols.icmp6, whole);
}

/** A UDP packet of IP around a tunnel's payload. */
export const overUdp = (from: Host, to: Host, port: number, payload: Buffer): Buffer => {
  const ends = [
    { ...from, port: 50_000 },
    { ...to, port },
  ] as const;
  return ip(ends[0], ends[1], protocols.udp, udp(ends[0], ends[1], payload));
};

/** An Ethernet frame of an IP packet, by the packet's version. */
export const frameOfIp = (
  from: Host,
  to: Host,
  packet: Buffer,
  vlans: readonly number[] = [],
): Buffer => ethernet(from, to, packet.readUInt8(0) >> 4 === 4 ? 0x0800 : 0x86dd, vlans, packet);
