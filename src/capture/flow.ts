/**
 * To which flow a frame belongs, decided from the bytes alone and with code of its own: the witness
 * against which the load balancer's work is held. The flow is that of the innermost IP header; an
 * ICMP error belongs to the flow that it quotes. Frames without an IP header belong to no flow.
 */
import { Bytes } from './bytes.ts';
import { type IpHeader, readIp } from './ip.ts';
import { type Carried, etherTypes, pastShims } from './link.ts';
import { ofAnyLink } from './other-links.ts';
import type { CaptureRecord } from './record.ts';
import { carriedBy } from './tunnels.ts';

export interface FlowOptions {
  /** Go by the outermost IP header; only TCP and UDP have flows. */
  readonly outer?: boolean;
  /** Fragments belong to the flow of their datagram's first one. Default: they have no flow. */
  readonly fragments?: boolean;
}

/** What a frame says about its flow, before anything is known of other frames. */
export interface Sighting {
  /** The flow's name, the same in both directions. In a later fragment: without ports. */
  readonly flow: string;
  /** A later fragment, or an error that quotes one: the datagram whose first one has the ports. */
  readonly part?: string;
  /** A first fragment: the datagrams of which it is one, outermost first. */
  readonly first: readonly string[];
  /** VLANs and tunnels' networks on the way there; empty: none. */
  readonly tenants: string;
}

const tunnelsMax = 8;
const withPorts: Readonly<Record<number, string>> = {
  6: 'tcp',
  17: 'udp',
  33: 'dccp',
  132: 'sctp',
  136: 'udplite',
};

const isError = (version: 4 | 6, type: number): boolean =>
  version === 4 ? [3, 4, 5, 11, 12].includes(type) : type >= 1 && type <= 4;

function nameOf({ protocol, source, target, body, fragment }: IpHeader): string {
  const name = withPorts[protocol];
  const [from, to] = [body.u16(0), body.u16(2)];
  const isLater = fragment?.isFirst === false;
  if (name !== undefined && from !== undefined && to !== undefined && !isLater)
    return `${name} ${[`${source}.${from}`, `${target}.${to}`].sort().join(' ')}`;
  return `ip${protocol} ${[source, target].sort().join(' ')}`;
}

/** The packet that an ICMP error quotes. */
function quotedBy({ version, protocol, body }: IpHeader): Carried | undefined {
  const isIcmp = protocol === (version === 4 ? 1 : 58);
  if (!isIcmp || body.length < 8 || !isError(version, body.u8(0) ?? 0)) return undefined;
  return { type: version === 4 ? etherTypes.ipv4 : etherTypes.ipv6, body: body.from(8) };
}

/** The innermost (or, if so wanted, the outermost) header of a frame, and what is around it. */
interface Walk {
  readonly header: IpHeader;
  readonly quoted: boolean;
  readonly first: readonly string[];
  readonly tenants: string;
}

function walk({ linkType, data }: CaptureRecord, outer: boolean): Walk | undefined {
  const first: string[] = [];
  let carried: Carried | undefined = ofAnyLink(linkType, new Bytes(data));
  let quoted = false;
  let found: IpHeader | undefined;
  let tenants = '';
  for (let depth = 0; carried !== undefined && depth <= tunnelsMax + 1; depth++) {
    const past = pastShims(carried);
    const header = readIp(past.type, past.body, quoted);
    if (header === undefined) break;
    found = header;
    tenants += past.tenants ?? '';
    const { fragment } = header;
    if (fragment?.isFirst === false) break;
    if (fragment !== undefined && !quoted) first.push(fragment.datagram + tenants);
    if (outer) break;
    const quote: Carried | undefined = quoted ? undefined : quotedBy(header);
    quoted ||= quote !== undefined;
    carried = quote ?? carriedBy(header.protocol, header.body);
  }
  return found && { header: found, quoted, first, tenants };
}

/** Undefined where there is no IP header that makes sense. */
export function sightingOf(
  record: CaptureRecord,
  { outer = false }: FlowOptions = {},
): Sighting | undefined {
  const walked = walk(record, outer);
  if (walked === undefined) return undefined;
  const { header, first, tenants } = walked;
  const { fragment, protocol } = header;
  if (fragment?.isFirst === false)
    return { flow: nameOf(header), part: fragment.datagram + tenants, first, tenants };
  if (outer && protocol !== 6 && protocol !== 17) return undefined;
  return { flow: nameOf(header), first, tenants };
}

/** What one end of a TCP or UDP conversation says to the other. */
export interface Said {
  readonly isTcp: boolean;
  /** Who says it: address and port. */
  readonly by: string;
  readonly ports: readonly [number, number];
  /** TCP: of the first byte, what is acknowledged, and of flags the lowest six bits. */
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: number;
  /** As far as it was captured. */
  readonly payload: Buffer;
}

/** Of a frame's innermost IP packet; undefined in ICMP errors and where no header is there. */
export function saidIn(record: CaptureRecord): Said | undefined {
  const walked = walk(record, false);
  const { protocol, source, body, fragment } = walked?.header ?? {};
  const isTcp = protocol === 6;
  if (body === undefined || walked?.quoted || fragment?.isFirst === false) return undefined;
  if (!isTcp && protocol !== 17) return undefined;
  const [from, to] = [body.u16(0), body.u16(2)];
  const header = isTcp ? ((body.u8(12) ?? 0) >> 4) * 4 : 8;
  if (from === undefined || to === undefined || header < 8 || body.length < header)
    return undefined;
  const rest = body.from(header);
  return {
    isTcp,
    by: `${source}.${from}`,
    ports: [from, to],
    sequence: isTcp ? (body.u32(4) ?? 0) : 0,
    acknowledgment: isTcp ? (body.u32(8) ?? 0) : 0,
    flags: isTcp ? (body.u8(13) ?? 0) & 63 : 0,
    payload: rest.data.subarray(rest.at, rest.end),
  };
}

/**
 * A name for the flow of a TCP or UDP packet that is no fragment, the same in both directions; else
 * undefined.
 */
export function flowOf(record: CaptureRecord, options: FlowOptions = {}): string | undefined {
  const sighting = sightingOf(record, options);
  const isWhole = sighting?.part === undefined && sighting?.first.length === 0;
  return isWhole && /^(tcp|udp) /.test(sighting.flow) ? sighting.flow : undefined;
}

/** A packet's flow and, within it, the row of packets whose order has to stay. */
export interface Membership {
  readonly flow: string;
  readonly sequence: string;
}

/** A datagram's fragments come within this time, or belong to different datagrams. */
const datagramNs = 500_000_000n;

interface Datagram {
  /** Of its first fragment; until that is seen, a name of its own. */
  flow: string;
  isKnown: boolean;
  readonly waiting: number[];
  readonly sinceNs: bigint;
}

class Datagrams {
  readonly #known = new Map<string, Datagram>();

  at(name: string, nowNs: bigint): Datagram {
    const known = this.#known.get(name);
    const age = nowNs - (known?.sinceNs ?? nowNs);
    if (known !== undefined && age <= datagramNs && age >= -datagramNs) return known;
    const flow = `datagram ${name} ${nowNs}`;
    const fresh = { flow, isKnown: false, waiting: [], sinceNs: nowNs };
    this.#known.set(name, fresh);
    return fresh;
  }
}

/**
 * The flow of every packet of a capture. A fragment's is that of its datagram's first one, whether
 * that comes before or after it; where none comes, the datagram is a flow of its own.
 * A fragment may have to wait for its first one, and so keeps its order among the fragments of its
 * datagram only.
 */
export function membershipsOf(
  records: readonly CaptureRecord[],
  options: FlowOptions = {},
): (Membership | undefined)[] {
  const seen = records.map((record) => ({
    timestampNs: record.timestampNs,
    sighting: sightingOf(record, options),
  }));
  return membershipsAmong(seen, options.fragments ?? false);
}

/** The same where what each packet says is known already. */
export function membershipsAmong(
  seen: readonly { readonly timestampNs: bigint; readonly sighting: Sighting | undefined }[],
  fragments: boolean,
): (Membership | undefined)[] {
  const members: (Membership | undefined)[] = [];
  const datagrams = new Datagrams();
  seen.forEach(({ timestampNs, sighting }, index) => {
    const inDatagram = sighting?.part ?? sighting?.first.at(-1);
    if (sighting === undefined || (inDatagram !== undefined && !fragments)) {
      members.push(undefined);
      return;
    }
    if (inDatagram === undefined) {
      members.push({ flow: sighting.flow, sequence: sighting.flow });
      return;
    }
    const whole = sighting.part === undefined;
    const datagram = datagrams.at(inDatagram, timestampNs);
    const flow = whole ? sighting.flow : datagram.flow;
    members.push({ flow, sequence: `${flow} ${inDatagram}` });
    if (!datagram.isKnown && !whole) datagram.waiting.push(index);
    for (const name of sighting.first) {
      const begun = datagrams.at(name, timestampNs);
      begun.flow = flow;
      begun.isKnown = true;
      for (const earlier of begun.waiting.splice(0))
        members[earlier] = { flow, sequence: `${flow} ${name}` };
    }
  });
  return members;
}
