/** Link types that only captures have: of radios, firewall logs, old networks. */
import type { Bytes } from './bytes.ts';
import { byVersion, type Carried, ofEthernet, ofLink } from './link.ts';

const nothing = (body: Bytes): Carried => ({ type: 0, body });
const u16le = (bytes: Bytes, at: number): number =>
  (bytes.u8(at) ?? 0) + (bytes.u8(at + 1) ?? 0) * 256;

/** LLC with SNAP, and nothing else, has an EtherType. */
function ofLlc(body: Bytes): Carried {
  const isSnap = body.hex(0, 6) === 'aaaa03000000';
  return isSnap ? { type: body.u16(6) ?? 0, body: body.from(8) } : nothing(body);
}

/** IEEE 802.11: data that can be read. */
function ofWireless(frame: Bytes): Carried {
  const [kind = 0, flags = 0] = [frame.u8(0), frame.u8(1)];
  const isData = ((kind >> 2) & 3) === 2 && ((kind >> 6) & 1) === 0;
  const isLater = ((frame.u8(22) ?? 0) & 15) !== 0;
  if (!isData || ((flags >> 6) & 1) === 1 || isLater || (kind & 3) !== 0) return nothing(frame);
  let length = (flags & 3) === 3 ? 30 : 24;
  if (kind >> 7 === 1) {
    const isAggregate = (frame.u8(length) ?? 0) >> 7 === 1;
    length += (flags >> 7 === 1 ? 6 : 2) + (isAggregate ? 14 : 0);
  }
  return ofLlc(frame.from(length));
}

function ofPpi(frame: Bytes): Carried {
  const body = frame.from(u16le(frame, 2));
  switch (u16le(frame, 4)) {
    case 1:
      return ofEthernet(body);
    case 101:
      return byVersion(body);
    case 105:
      return ofWireless(body);
    default:
      return nothing(body);
  }
}

/** The attribute that holds the packet. */
function ofNetfilterLog(frame: Bytes): Carried {
  let rest = frame.from(4);
  while (rest.length >= 4) {
    const length = u16le(rest, 0);
    if (u16le(rest, 2) === 9) return byVersion(rest.from(4));
    if (length < 4) break;
    rest = rest.from(Math.ceil(length / 4) * 4);
  }
  return nothing(frame);
}

function ofFrameRelay(frame: Bytes): Carried {
  const last = [0, 1, 2, 3].find((at) => ((frame.u8(at) ?? 0) & 1) === 1);
  if (last === undefined) return nothing(frame);
  const body = frame.from(last + 1);
  if (body.u8(0) !== 3) return { type: body.u16(0) ?? 0, body: body.from(2) };
  const byNumber = new Map([
    [0xcc, 0x0800],
    [0x8e, 0x86dd],
  ]).get(body.u8(1) ?? 0);
  if (byNumber !== undefined) return { type: byNumber, body: body.from(2) };
  return body.hex(1, 5) === '0080000000' && body.length >= 8
    ? { type: body.u16(6) ?? 0, body: body.from(8) }
    : nothing(body);
}

/** What a frame of any LINKTYPE_ carries. */
export function ofAnyLink(linkType: number, frame: Bytes): Carried {
  switch (linkType) {
    case 10:
      return ((frame.u8(0) ?? 0) & 0x30) === 0x10 ? ofLlc(frame.from(13)) : nothing(frame);
    case 105:
      return ofWireless(frame);
    case 107:
      return ofFrameRelay(frame);
    case 127:
      return ofWireless(frame.from(u16le(frame, 2)));
    case 129:
      if (frame.u8(4) === 0xf0) return byVersion(frame.from(5));
      return frame.u16(4) === 0xd400 ? byVersion(frame.from(8)) : nothing(frame);
    case 192:
      return ofPpi(frame);
    case 226:
      return byVersion(frame.from(24));
    case 239:
      return ofNetfilterLog(frame);
    default:
      return ofLink(linkType, frame);
  }
}
