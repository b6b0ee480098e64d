/**
 * To which flow a frame belongs, decided from the bytes alone and with code of its own: the witness
 * against which the load balancer's work is held. TCP and UDP, over IPv4 and IPv6, at the outermost
 * IP header; frames without ports belong to no flow.
 */
import type { CaptureRecord } from './record.ts';

const ipv4Type = 0x0800;
const ipv6Type = 0x86dd;
const vlanTypes = new Set([0x8100, 0x88a8, 0x9100, 0x9200]);
const tcp = 6;
const udp = 17;

interface Network {
  readonly etherType: number;
  readonly at: number;
}

function skipVlanTags(data: Buffer, etherType: number, at: number): Network | undefined {
  let type = etherType;
  let next = at;
  while (vlanTypes.has(type)) {
    if (next + 4 > data.length) {
      return undefined;
    }
    type = data.readUInt16BE(next + 2);
    next += 4;
  }
  return { etherType: type, at: next };
}

function byVersion(data: Buffer, at: number): Network | undefined {
  const version = at < data.length ? data.readUInt8(at) >> 4 : 0;
  return version === 4
    ? { etherType: ipv4Type, at }
    : version === 6
      ? { etherType: ipv6Type, at }
      : undefined;
}

/** Where the network header starts, by LINKTYPE_ value. */
function networkOf(linkType: number, data: Buffer): Network | undefined {
  const tagged = (typeAt: number, header: number): Network | undefined =>
    data.length < header ? undefined : skipVlanTags(data, data.readUInt16BE(typeAt), header);
  switch (linkType) {
    case 1:
      return tagged(12, 14);
    case 113:
      return tagged(14, 16);
    case 276:
      return tagged(0, 20);
    case 0:
    case 108:
      // The address family's number differs between systems; the IP version does not.
      return byVersion(data, 4);
    case 12:
    case 14:
    case 101:
    case 228:
    case 229:
      return byVersion(data, 0);
    default:
      return undefined;
  }
}

interface Transport {
  readonly protocol: number;
  readonly source: string;
  readonly target: string;
  /** Offset of the transport header; undefined in a fragment. */
  readonly at?: number;
  /** Datagram id, in a fragment. */
  readonly fragmentOf?: number;
}

function transportOfIpv4(data: Buffer, at: number): Transport | undefined {
  if (at + 20 > data.length || data.readUInt8(at) >> 4 !== 4) {
    return undefined;
  }
  const header = (data.readUInt8(at) & 15) * 4;
  if (header < 20) {
    return undefined;
  }
  const addresses = {
    protocol: data.readUInt8(at + 9),
    source: data.toString('hex', at + 12, at + 16),
    target: data.toString('hex', at + 16, at + 20),
  };
  const isFragment = (data.readUInt16BE(at + 6) & 0x3fff) !== 0;
  return isFragment
    ? { ...addresses, fragmentOf: data.readUInt16BE(at + 4) }
    : { ...addresses, at: at + header };
}

const hopByHop = 0;
const routing = 43;
const fragment = 44;
const authentication = 51;
const destinationOptions = 60;
const mobility = 135;

function transportOfIpv6(data: Buffer, at: number): Transport | undefined {
  if (at + 40 > data.length || data.readUInt8(at) >> 4 !== 6) {
    return undefined;
  }
  const source = data.toString('hex', at + 8, at + 24);
  const target = data.toString('hex', at + 24, at + 40);
  let protocol = data.readUInt8(at + 6);
  let next = at + 40;
  for (;;) {
    const known = [hopByHop, routing, fragment, authentication, destinationOptions, mobility];
    if (!known.includes(protocol)) {
      return { protocol, source, target, at: next };
    }
    if (next + 8 > data.length) {
      return undefined;
    }
    const following = data.readUInt8(next);
    if (protocol === fragment) {
      // Offset or more-fragments set; an "atomic" fragment is a whole datagram.
      if ((data.readUInt16BE(next + 2) & 0xfff9) !== 0) {
        const id = data.readUInt32BE(next + 4);
        return { protocol: following, source, target, fragmentOf: id };
      }
      next += 8;
    } else {
      const units = data.readUInt8(next + 1);
      next += protocol === authentication ? (units + 2) * 4 : (units + 1) * 8;
    }
    protocol = following;
  }
}

export interface FlowOptions {
  /** Also key fragments, by addresses, protocol and datagram id. Default: they have no flow. */
  readonly fragments?: boolean;
}

/** A name for the packet's flow, the same in both directions; undefined where it has none. */
export function flowOf(record: CaptureRecord, options: FlowOptions = {}): string | undefined {
  const { data } = record;
  const network = networkOf(record.linkType, data);
  if (network === undefined) {
    return undefined;
  }
  const transport =
    network.etherType === ipv4Type
      ? transportOfIpv4(data, network.at)
      : network.etherType === ipv6Type
        ? transportOfIpv6(data, network.at)
        : undefined;
  if (transport === undefined) {
    return undefined;
  }
  const { protocol, source, target, at, fragmentOf } = transport;
  if (fragmentOf !== undefined) {
    return options.fragments === true
      ? `fragment ${[source, target].sort().join(' ')} ${protocol} ${fragmentOf}`
      : undefined;
  }
  if ((protocol !== tcp && protocol !== udp) || at === undefined || at + 4 > data.length) {
    return undefined;
  }
  const ends = [`${source}.${data.readUInt16BE(at)}`, `${target}.${data.readUInt16BE(at + 2)}`];
  return `${protocol === tcp ? 'tcp' : 'udp'} ${ends.sort().join(' ')}`;
}
