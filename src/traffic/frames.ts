/** Frames, layer by layer, with lengths and checksums as on a real wire. */

export const protocols = { icmp: 1, tcp: 6, udp: 17, icmp6: 58 } as const;

/** One end of a conversation. */
export interface Host {
  /** 6 bytes */
  readonly mac: Buffer;
  /** 4 bytes for IPv4, 16 for IPv6 */
  readonly address: Buffer;
  readonly port: number;
}

/**
 * The Internet checksum (RFC 1071) of `parts` taken as one run of bytes; each of even length but
 * the last.
 */
export function checksum(...parts: readonly Buffer[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let i = 0; i + 1 < part.length; i += 2) {
      sum += part.readUInt16BE(i);
    }
    if (part.length % 2 === 1) {
      sum += part.readUInt8(part.length - 1) << 8;
    }
  }
  while (sum > 0xffff) {
    sum = (sum & 0xffff) + (sum >>> 16);
  }
  return ~sum & 0xffff;
}

/** What TCP, UDP and ICMPv6 checksums cover beside the packet (RFC 768, 8200). */
export function pseudoHeader(from: Host, to: Host, protocol: number, length: number): Buffer {
  const tail =
    from.address.length === 4
      ? Buffer.from([0, protocol, length >> 8, length & 255])
      : Buffer.from([0, 0, length >> 8, length & 255, 0, 0, 0, protocol]);
  return Buffer.concat([from.address, to.address, tail]);
}

export interface TcpSegment {
  readonly sequence: number;
  readonly acknowledgment: number;
  /** as in the header: FIN 1, SYN 2, RST 4, PSH 8, ACK 16 */
  readonly flags: number;
  readonly payload: Buffer;
}

export function tcp(from: Host, to: Host, segment: TcpSegment): Buffer {
  const options = segment.flags & 2 ? Buffer.from([2, 4, 5, 180]) : Buffer.alloc(0);
  const header = Buffer.alloc(20);
  header.writeUInt16BE(from.port, 0);
  header.writeUInt16BE(to.port, 2);
  header.writeUInt32BE(segment.sequence >>> 0, 4);
  header.writeUInt32BE(segment.acknowledgment >>> 0, 8);
  header.writeUInt8(((20 + options.length) / 4) << 4, 12);
  header.writeUInt8(segment.flags, 13);
  header.writeUInt16BE(0xfaf0, 14);
  const whole = Buffer.concat([header, options, segment.payload]);
  whole.writeUInt16BE(checksum(pseudoHeader(from, to, protocols.tcp, whole.length), whole), 16);
  return whole;
}

export function udp(from: Host, to: Host, payload: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(from.port, 0);
  header.writeUInt16BE(to.port, 2);
  header.writeUInt16BE(8 + payload.length, 4);
  const whole = Buffer.concat([header, payload]);
  const sum = checksum(pseudoHeader(from, to, protocols.udp, whole.length), whole);
  whole.writeUInt16BE(sum === 0 ? 0xffff : sum, 6);
  return whole;
}

/** An echo request or reply, ICMP or ICMPv6 as the addresses are. */
export function echo(from: Host, to: Host, reply: boolean, id: number, payload: Buffer): Buffer {
  const v4 = from.address.length === 4;
  const header = Buffer.alloc(8);
  header.writeUInt8(v4 ? (reply ? 0 : 8) : reply ? 129 : 128, 0);
  header.writeUInt16BE(id, 4);
  header.writeUInt16BE(1, 6);
  const whole = Buffer.concat([header, payload]);
  const sum = v4
    ? checksum(whole)
    : checksum(pseudoHeader(from, to, protocols.icmp6, whole.length), whole);
  whole.writeUInt16BE(sum, 2);
  return whole;
}

export interface IpOptions {
  readonly id?: number;
  /** Offset of this fragment in the datagram, a multiple of 8. */
  readonly fragmentOffset?: number;
  readonly moreFragments?: boolean;
  /** Time to live, or hop limit; 64 where it is missing. */
  readonly ttl?: number;
}

function ipv4(from: Host, to: Host, protocol: number, payload: Buffer, ip: IpOptions): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(20 + payload.length, 2);
  header.writeUInt16BE(ip.id ?? 0, 4);
  header.writeUInt16BE((ip.moreFragments ? 0x2000 : 0) | ((ip.fragmentOffset ?? 0) >> 3), 6);
  header.writeUInt8(ip.ttl ?? 64, 8);
  header.writeUInt8(protocol, 9);
  from.address.copy(header, 12);
  to.address.copy(header, 16);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, payload]);
}

function ipv6(from: Host, to: Host, protocol: number, payload: Buffer, ip: IpOptions): Buffer {
  const isFragment = ip.moreFragments === true || ip.fragmentOffset !== undefined;
  const extension = Buffer.alloc(isFragment ? 8 : 0);
  if (isFragment) {
    extension.writeUInt8(protocol, 0);
    extension.writeUInt16BE((ip.fragmentOffset ?? 0) | (ip.moreFragments ? 1 : 0), 2);
    extension.writeUInt32BE(ip.id ?? 0, 4);
  }
  const header = Buffer.alloc(40);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(extension.length + payload.length, 4);
  header.writeUInt8(isFragment ? 44 : protocol, 6);
  header.writeUInt8(ip.ttl ?? 64, 7);
  from.address.copy(header, 8);
  to.address.copy(header, 24);
  return Buffer.concat([header, extension, payload]);
}

/** An IP packet, version as the addresses are. */
export function ip(
  from: Host,
  to: Host,
  protocol: number,
  payload: Buffer,
  options: IpOptions = {},
): Buffer {
  return (from.address.length === 4 ? ipv4 : ipv6)(from, to, protocol, payload, options);
}

/**
 * An Ethernet frame with as many VLAN tags as `vlans` names, outermost first; padded to 60 bytes.
 */
export function ethernet(
  from: Host,
  to: Host,
  etherType: number,
  vlans: readonly number[],
  payload: Buffer,
): Buffer {
  const tags = Buffer.alloc(vlans.length * 4 + 2);
  vlans.forEach((vlan, index) => {
    const outer = index < vlans.length - 1;
    tags.writeUInt16BE(outer ? 0x88a8 : 0x8100, index * 4);
    tags.writeUInt16BE(vlan, index * 4 + 2);
  });
  tags.writeUInt16BE(etherType, vlans.length * 4);
  const frame = Buffer.concat([to.mac, from.mac, tags, payload]);
  return frame.length >= 60 ? frame : Buffer.concat([frame, Buffer.alloc(60 - frame.length)]);
}

/** Who has the address of `to`? Or, as a reply, its answer. IPv4 only. */
export function arp(from: Host, to: Host, reply: boolean): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt16BE(1, 0);
  body.writeUInt16BE(0x0800, 2);
  body.writeUInt8(6, 4);
  body.writeUInt8(4, 5);
  body.writeUInt16BE(reply ? 2 : 1, 6);
  const targetMac = reply ? to.mac : Buffer.alloc(6);
  return Buffer.concat([body, from.mac, from.address, targetMac, to.address]);
}
