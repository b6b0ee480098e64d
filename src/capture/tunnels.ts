/**
 * What an IP packet carries for somebody else: where a tunnel's header makes sense, its payload.
 * A packet on a tunnel's port that is no such tunnel is taken for what it says it is.
 */
import type { Bytes } from './bytes.ts';
import { readIp } from './ip.ts';
import { byVersion, type Carried, etherTypes, ofEthernet, ofPpp, pastShims } from './link.ts';

const teb = etherTypes.ethernet;
const mpls = 0x8847;

/** Nothing else would look like that: an IP header whose length fits, behind shims at most. */
function ifIp(carried: Carried): Carried | undefined {
  const { type, body } = pastShims(carried);
  return readIp(type, body) === undefined ? undefined : carried;
}

/** The same as from a network of that number; 0 is none. */
function of(network: number | undefined, carried: Carried | undefined): Carried | undefined {
  return carried && network ? { ...carried, tenants: ` vni ${network}` } : carried;
}

/** 24 bits. */
const numberAt = (body: Bytes, at: number): number =>
  ((body.u16(at) ?? 0) << 8) | (body.u8(at + 2) ?? 0);

const ifFrame = (body: Bytes): Carried | undefined => {
  const carried = ofEthernet(body);
  return carried.type === 0x0806 ? carried : ifIp(carried);
};

function ifType(type: number, body: Bytes): Carried | undefined {
  if (type === teb) return ifFrame(body);
  return type === mpls ? { type, body } : ifIp({ type, body });
}

/** RFC 7348: all but a valid identifier is reserved, and not to be looked at. */
function ofVxlan(body: Bytes): Carried | undefined {
  const isValid = ((body.u8(0) ?? 0) & 0x08) !== 0;
  return isValid ? of(numberAt(body, 4), ifFrame(body.from(8))) : undefined;
}

/** Some name a protocol and leave out the flag that says so. */
function ofVxlanGpe(body: Bytes): Carried | undefined {
  const flags = body.u8(0) ?? 0;
  const protocol = body.u8(3) ?? 0;
  const types = [0, etherTypes.ipv4, etherTypes.ipv6, teb, 0x894f, mpls];
  if ((flags & 0x38) !== 0x08 || protocol >= types.length) return undefined;
  const isNamed = (flags & 4) !== 0 || protocol !== 0;
  const type = isNamed ? (types[protocol] ?? 0) : teb;
  return of(numberAt(body, 4), ifType(type, body.from(8)));
}

/** RFC 8926. */
function ofGeneve(body: Bytes): Carried | undefined {
  const first = body.u8(0) ?? 0xff;
  const header = 8 + (first & 0x3f) * 4;
  return first >> 6 === 0 && body.u8(7) === 0 && body.length >= header
    ? of(numberAt(body, 4), ifType(body.u16(2) ?? 0, body.from(header)))
    : undefined;
}

/** 3GPP TS 29.281: user data of version 1. */
function ofGtp(body: Bytes): Carried | undefined {
  const flags = body.u8(0) ?? 0;
  if (flags >> 4 !== 3 || body.u8(1) !== 255) return undefined;
  let at = (flags & 7) === 0 ? 8 : 12;
  let extension = flags & 4 ? (body.u8(11) ?? 0) : 0;
  while (extension !== 0) {
    const length = (body.u8(at) ?? 0) * 4;
    if (length === 0) return undefined;
    at += length;
    extension = body.u8(at - 1) ?? 0;
  }
  return ifIp(byVersion(body.from(at))) ?? ifFrame(body.from(at));
}

/** RFC 4380. */
function ofTeredo(body: Bytes): Carried | undefined {
  const isAuthenticated = body.u16(0) === 1;
  const rest = isAuthenticated ? body.from(13 + (body.u8(2) ?? 0) + (body.u8(3) ?? 0)) : body;
  const packet = rest.u16(0) === 0 ? rest.from(8) : rest;
  return ifIp({ type: etherTypes.ipv6, body: packet });
}

/** RFC 2661: data of version 2, which is PPP. */
function ofL2tp(body: Bytes): Carried | undefined {
  const flags = body.u16(0) ?? 0x8000;
  if ((flags & 0x8000) !== 0 || (flags & 15) !== 2) return undefined;
  let at = 2 + (flags & 0x4000 ? 2 : 0) + 4 + (flags & 0x0800 ? 4 : 0);
  if (flags & 0x0200) at += 2 + (body.u16(at) ?? 0);
  return ifIp(ofPpp(body.from(at)));
}

/** RFC 9300. */
const ofLisp = (body: Bytes): Carried | undefined => ifIp(byVersion(body.from(8)));

const byPort = new Map<number, (body: Bytes) => Carried | undefined>([
  [1701, ofL2tp],
  [2152, ofGtp],
  [3544, ofTeredo],
  [4341, ofLisp],
  [4789, ofVxlan],
  [8472, ofVxlan],
  [4790, ofVxlanGpe],
  [6081, ofGeneve],
]);

function ofUdp(body: Bytes): Carried | undefined {
  const length = body.u16(4) ?? 0;
  if (length < 8) return undefined;
  const payload = body.from(8, length - 8);
  for (const port of [body.u16(2) ?? 0, body.u16(0) ?? 0]) {
    const carried = byPort.get(port)?.(payload);
    if (carried !== undefined) return carried;
  }
  return undefined;
}

function ofErspan(type: number, hasSequence: boolean, body: Bytes): Carried | undefined {
  if (type === 0x88be && !hasSequence) return ofEthernet(body);
  const version = (body.u8(0) ?? 0) >> 4;
  if (version === 1) return ofEthernet(body.from(8));
  if (version !== 2 || (((body.u8(10) ?? 0) >> 2) & 31) !== 0) return undefined;
  return ofEthernet(body.from((body.u8(11) ?? 0) & 1 ? 20 : 12));
}

/** RFC 2784, 2890, 7637; PPTP's version 1: RFC 2637. */
function ofGre(body: Bytes): Carried | undefined {
  const flags = body.u16(0) ?? 0x4000;
  const type = body.u16(2) ?? 0;
  const version = flags & 7;
  if ((flags & 0x4000) !== 0 || version > 1) return undefined;
  const hasSequence = (flags & 0x1000) !== 0;
  const optional = [0x8000, 0x2000, 0x1000, ...(version === 1 ? [0x80] : [])];
  const header = 4 + 4 * optional.filter((flag) => (flags & flag) !== 0).length;
  const payload = body.from(header);
  if (version === 1) return type === 0x880b && hasSequence ? ofPpp(payload) : undefined;
  if (type === 0x88be || type === 0x22eb) return ofErspan(type, hasSequence, payload);
  // NVGRE's network is the upper part of the key.
  const key = header > 4 && (flags & 0x2000) !== 0 ? 4 + ((flags & 0x8000) !== 0 ? 4 : 0) : 0;
  return of(key && type === teb ? numberAt(body, key) : 0, { type, body: payload });
}

/** What is inside of an IP packet of that protocol; undefined where it is nobody's tunnel. */
export function carriedBy(protocol: number, body: Bytes): Carried | undefined {
  switch (protocol) {
    case 4:
      return { type: etherTypes.ipv4, body };
    case 17:
      return ofUdp(body);
    case 41:
      return { type: etherTypes.ipv6, body };
    case 47:
      return ofGre(body);
    case 97:
      return (body.u8(0) ?? 0) >> 4 === 3 ? ofEthernet(body.from(2)) : undefined;
    case 137:
      return { type: mpls, body };
    default:
      return undefined;
  }
}
