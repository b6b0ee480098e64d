/** One IP header with all its extensions (RFC 791, 8200, 4302). */
import type { Bytes } from './bytes.ts';
import { etherTypes } from './link.ts';

export interface IpHeader {
  readonly version: 4 | 6;
  /** Hexadecimal digits. */
  readonly source: string;
  readonly target: string;
  /** Above the extension headers. */
  readonly protocol: number;
  /** What is above, as far as it is captured and the header says that it is there. */
  readonly body: Bytes;
  /** In a fragment: of which datagram, and whether it is its first. */
  readonly fragment?: { readonly datagram: string; readonly isFirst: boolean };
}

const extensions = new Set([0, 43, 60, 135, 139, 140]);
const fragmentHeader = 44;
const authentication = 51;
const extensionsMax = 8;

function authenticationLength(body: Bytes): number {
  return ((body.u8(1) ?? 0) + 2) * 4;
}

/** `quoted`: only its beginning is there, so that the total length says more. */
function readIpv4(packet: Bytes, quoted: boolean): IpHeader | undefined {
  const header = ((packet.u8(0) ?? 0) & 15) * 4;
  const total = packet.u16(2) ?? 0;
  if (header < 20 || header > packet.length || (total !== 0 && total < header)) return undefined;
  const length = total === 0 || quoted ? packet.length : total;
  const source = packet.hex(12, 4);
  const target = packet.hex(16, 4);
  const protocol = packet.u8(9) ?? 0;
  const word = packet.u16(6) ?? 0;
  const body = packet.from(header, length - header);
  const common = { version: 4, source, target } as const;
  if ((word & 0x3fff) !== 0) {
    const datagram = `${source} ${target} ${protocol} ${packet.u16(4)}`;
    const isFirst = (word & 0x1fff) === 0;
    if (!isFirst) return { ...common, protocol, body, fragment: { datagram, isFirst } };
    return { ...common, ...pastAuthentication(protocol, body), fragment: { datagram, isFirst } };
  }
  return { ...common, ...pastAuthentication(protocol, body) };
}

function pastAuthentication(protocol: number, body: Bytes): { protocol: number; body: Bytes } {
  return protocol === authentication && body.length >= 12
    ? { protocol: body.u8(0) ?? 0, body: body.from(authenticationLength(body)) }
    : { protocol, body };
}

function readIpv6(packet: Bytes, quoted: boolean): IpHeader | undefined {
  if (packet.length < 40) return undefined;
  const claimed = packet.u16(4) ?? 0;
  const source = packet.hex(8, 16);
  const target = packet.hex(24, 16);
  let body = packet.from(40, claimed === 0 || quoted ? packet.length : claimed);
  let protocol = packet.u8(6) ?? 0;
  let fragment: IpHeader['fragment'];
  for (let i = 0; i < extensionsMax; i++) {
    const next = body.u8(0) ?? 0;
    if (body.length < 8) break;
    if (extensions.has(protocol)) body = body.from(((body.u8(1) ?? 0) + 1) * 8);
    else if (protocol === authentication) body = body.from(authenticationLength(body));
    else if (protocol === fragmentHeader) {
      const word = body.u16(2) ?? 0;
      const datagram = `${source} ${target} - ${body.u32(4)}`;
      // Neither an offset nor more to come: the whole datagram (RFC 6946).
      if ((word & 0xfff9) !== 0) fragment = { datagram, isFirst: word >> 3 === 0 };
      body = body.from(8);
    } else break;
    protocol = next;
    if (fragment?.isFirst === false) break;
  }
  const header = { version: 6, source, target, protocol, body } as const;
  return fragment === undefined ? header : { ...header, fragment };
}

/** The IP packet there, or undefined where its header cannot be. */
export function readIp(type: number, packet: Bytes, quoted = false): IpHeader | undefined {
  const version = (packet.u8(0) ?? 0) >> 4;
  if (type === etherTypes.ipv4 && version === 4) return readIpv4(packet, quoted);
  if (type === etherTypes.ipv6 && version === 6) return readIpv6(packet, quoted);
  return undefined;
}
