/** From a frame's first byte to what it carries: link headers, VLAN, MPLS, PPPoE, SNAP, PBB. */
import type { Bytes } from './bytes.ts';

export const etherTypes = { ipv4: 0x0800, ipv6: 0x86dd, ethernet: 0x6558 } as const;
const vlanTags = new Set([0x8100, 0x88a8, 0x9100]);
const mplsTypes = new Set([0x8847, 0x8848]);
const pppoeSession = 0x8864;
const backbone = 0x88e7;
const shimsMax = 8;

/** An EtherType, 0 where it is none that counts, and what follows it. */
export interface Carried {
  readonly type: number;
  readonly body: Bytes;
  /** Of the way there: VLAN ids and what tunnels call their networks. */
  readonly tenants?: string;
}

const nothing = (body: Bytes): Carried => ({ type: 0, body });

/** PPP's protocol numbers (RFC 1661; IANA). */
export function ofPpp(body: Bytes): Carried {
  const start = body.u16(0) === 0xff03 ? 2 : 0;
  const short = ((body.u8(start) ?? 0) & 1) === 1; // protocol field compression
  const protocol = short ? body.u8(start) : body.u16(start);
  const rest = body.from(start + (short ? 1 : 2));
  const type = new Map([
    [0x21, etherTypes.ipv4],
    [0x57, etherTypes.ipv6],
    [0x281, 0x8847],
  ]).get(protocol ?? 0);
  return { type: type ?? 0, body: rest };
}

export function byVersion(body: Bytes): Carried {
  const version = (body.u8(0) ?? 0) >> 4;
  const type = version === 4 ? etherTypes.ipv4 : version === 6 ? etherTypes.ipv6 : 0;
  return { type, body };
}

export function ofEthernet(body: Bytes): Carried {
  return { type: body.u16(12) ?? 0, body: body.from(14) };
}

/** Is that a frame with something in it that we know? */
function isFrame(body: Bytes): boolean {
  let { type, body: rest } = ofEthernet(body);
  while (vlanTags.has(type)) {
    type = rest.u16(2) ?? 0;
    rest = rest.from(4);
  }
  const version = (rest.u8(0) ?? 0) >> 4;
  if (type === etherTypes.ipv4) return version === 4;
  if (type === etherTypes.ipv6) return version === 6;
  return type === 0x0806 || type === pppoeSession || mplsTypes.has(type);
}

/** Behind the last label: IP, or a pseudowire with or without control word. Nothing says which. */
function belowLabels(body: Bytes): Carried {
  const ip = byVersion(body);
  if (ip.type !== 0) return isFrame(body) ? ofEthernet(body) : ip;
  return ofEthernet(!isFrame(body) && isFrame(body.from(4)) ? body.from(4) : body);
}

/** One step through a shim; undefined where there is none. */
function step({ type, body }: Carried): Carried | undefined {
  if (vlanTags.has(type)) {
    const id = (body.u16(0) ?? 0) & 0xfff;
    return { type: body.u16(2) ?? 0, body: body.from(4), tenants: id === 0 ? '' : ` vlan ${id}` };
  }
  if (mplsTypes.has(type)) {
    const isLast = ((body.u8(2) ?? 1) & 1) === 1;
    return isLast ? belowLabels(body.from(4)) : { type, body: body.from(4) };
  }
  if (type === pppoeSession) return ofPpp(body.from(6));
  if (type === backbone) return { type: body.u16(16) ?? 0, body: body.from(18) };
  if (type === etherTypes.ethernet) return ofEthernet(body);
  const isSnap = type > 0 && type <= 1500 && body.hex(0, 3) === 'aaaa03';
  return isSnap ? { type: body.u16(6) ?? 0, body: body.from(8) } : undefined;
}

/** Past all shims; `type` 0 where they are too many. */
export function pastShims(start: Carried): Carried {
  let carried = start;
  for (let i = 0; i <= shimsMax; i++) {
    const next = step(carried);
    if (next === undefined) return carried;
    carried = { ...next, tenants: `${carried.tenants ?? ''}${next.tenants ?? ''}` };
  }
  return nothing(carried.body);
}

/** What a frame of that LINKTYPE_ carries. */
export function ofLink(linkType: number, frame: Bytes): Carried {
  switch (linkType) {
    case 1:
      return ofEthernet(frame);
    case 9:
    case 50:
      return ofPpp(frame);
    case 104:
      return { type: frame.u16(2) ?? 0, body: frame.from(4) };
    case 113:
      return { type: frame.u16(14) ?? 0, body: frame.from(16) };
    case 276:
      return { type: frame.u16(0) ?? 0, body: frame.from(20) };
    case 0:
    case 108:
      // The address family's number differs between systems; the IP version does not.
      return byVersion(frame.from(4));
    case 12:
    case 14:
    case 101:
    case 228:
    case 229:
      return byVersion(frame);
    default:
      return nothing(frame);
  }
}
