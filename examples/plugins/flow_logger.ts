/**
 * A flow logger: one line of JSON for each session that has ended, with the fields of Zeek's
 * conn.log and the Community ID.
 *
 *   Brick.new("Session", {plugins = {{path = "flow_logger.ts", options = {file = "conn.log"}}}})
 */
import {
  type Direction,
  definePlugin,
  type Host,
  type Packet,
  type PluginEvent,
  type Session,
} from 'bricks/plugin';

const [fin, syn, rst, ack] = [1, 2, 4, 16];
const [icmp, tcp, udp, icmp6, sctp] = [1, 6, 17, 58, 132];

/** Types of ICMP that are asked and answered, and the type that goes the other way. */
const counterparts = { 4: new Map<number, number>(), 6: new Map<number, number>() };
for (const [version, asked, answered] of [
  ...([
    [4, 8, 0],
    [4, 10, 9],
    [4, 13, 14],
    [4, 15, 16],
    [4, 17, 18],
  ] as const),
  ...([
    [6, 128, 129],
    [6, 130, 131],
    [6, 133, 134],
    [6, 135, 136],
  ] as const),
  ...([
    [6, 139, 140],
    [6, 144, 145],
  ] as const),
]) {
  counterparts[version].set(asked, answered).set(answered, asked);
}

/** What is kept of a session. Pairs: who opened it, and the other side. */
interface Flow {
  readonly id: string;
  last: bigint;
  readonly packets: [number, number];
  readonly ipBytes: [number, number];
  readonly payload: [number, number];
  missed: number;
  /** Zeek's letters, each once for a direction, but T; capitals: who opened the session. */
  history: string;
  resetBy: Direction | undefined;
  /** TCP: the sequence number behind all that was sent. */
  readonly nextSeq: [number | undefined, number | undefined];
  /** Segments whose bytes had been sent before, and how many of them get another T. */
  readonly again: [number, number];
  readonly againAt: [number, number];
  /** In the place of ports: the type, and that of its answer; what has no answer: type and code. */
  readonly icmpPorts: readonly [number, number] | undefined;
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset);

function icmpPorts(session: Session, packet: Packet | undefined): Flow['icmpPorts'] {
  if (session.protocol !== icmp && session.protocol !== icmp6) return undefined;
  if (packet === undefined || packet.transport === 0) return undefined;
  if (packet.transport + 2 > packet.length) return undefined;
  const [type = 0, code = 0] = packet.frame.subarray(packet.transport);
  return [type, counterparts[session.ipVersion === 6 ? 6 : 4].get(type) ?? code];
}

function begin(event: PluginEvent<Flow>): Flow {
  const { session, packet } = event;
  const flow: Flow = {
    id: event.communityId() ?? '',
    last: packet?.timestamp ?? session.firstSeen,
    packets: [0, 0],
    ipBytes: [0, 0],
    payload: [0, 0],
    missed: 0,
    history: '',
    resetBy: undefined,
    nextSeq: [undefined, undefined],
    again: [0, 0],
    againAt: [1, 1],
    icmpPorts: icmpPorts(session, packet),
  };
  session.context = flow;
  return flow;
}

const cased = (letter: string, direction: Direction): string =>
  direction === 0 ? letter : letter.toLowerCase();
const said = (flow: Flow, letter: string, direction: Direction): boolean =>
  flow.history.includes(cased(letter, direction));
function say(flow: Flow, letter: string, direction: Direction): void {
  if (!said(flow, letter, direction)) flow.history += cased(letter, direction);
}

/** Bytes that had been sent before: T, at their first time, their tenth, their hundredth ... */
function seeSequence(flow: Flow, packet: Packet, direction: Direction, payload: number): void {
  const { transport, tcpFlags: flags } = packet;
  if (transport + 8 > packet.length || (flags & rst) !== 0) return;
  const marks = ((flags & syn) === 0 ? 0 : 1) + ((flags & fin) === 0 ? 0 : 1);
  const next = view(packet.frame).getUint32(transport + 4) + payload + marks;
  const known = flow.nextSeq[direction];
  if (known === undefined || ((next - known) | 0) > 0) {
    flow.nextSeq[direction] = next;
  } else if (payload > 0) {
    flow.again[direction] += 1;
    if (flow.again[direction] !== flow.againAt[direction]) return;
    flow.history += cased('T', direction);
    flow.againAt[direction] *= 10;
  }
}

/**
 * Bytes of the IP packet, as its header says; that of a jumbogram, or of one that a network card
 * was to cut into pieces, does not.
 */
function ipLength(packet: Packet): number {
  const { network, ipVersion } = packet;
  const length = view(packet.frame).getUint16(network + (ipVersion === 4 ? 2 : 4));
  if (length === 0) return packet.wireLength - network;
  return ipVersion === 4 ? length : length + 40;
}

function seePacket(flow: Flow, packet: Packet, direction: Direction): void {
  flow.last = packet.timestamp;
  if (packet.ipVersion === 0) return;
  const length = ipLength(packet);
  flow.packets[direction] += 1;
  flow.ipBytes[direction] += length;
  const headers = packet.payload - packet.network;
  const payload = headers > 0 ? Math.max(length - headers, 0) : 0;
  if (packet.protocol !== tcp) {
    flow.payload[direction] += payload;
    if (payload > 0 && packet.protocol === udp) say(flow, 'D', direction);
    return;
  }
  if (packet.transport === 0) return;
  if (direction === 1 && flow.history === '') flow.history = '^'; // began with its answer
  const flags = packet.tcpFlags;
  if ((flags & syn) !== 0) say(flow, (flags & ack) === 0 ? 'S' : 'H', direction);
  else if (payload === 0 && (flags & (fin | rst)) === 0) say(flow, 'A', direction);
  if (payload > 0) say(flow, 'D', direction);
  seeSequence(flow, packet, direction, payload);
  if ((flags & fin) !== 0) say(flow, 'F', direction);
  if ((flags & rst) !== 0) {
    flow.resetBy ??= direction;
    say(flow, 'R', direction);
  }
}

/** Zeek's conn_state. */
function stateOf(flow: Flow, protocol: number): string {
  if (protocol === udp) {
    if (flow.packets[0] === 0) return 'SHR';
    return flow.packets[1] > 0 ? 'SF' : 'S0';
  }
  if (protocol !== tcp) return 'OTH';
  const answered = said(flow, 'H', 1);
  const finished = [said(flow, 'F', 0), said(flow, 'F', 1)] as const;
  if (!said(flow, 'S', 0)) {
    if (!answered) return 'OTH';
    if (flow.resetBy === 1) return 'RSTRH';
    if (finished[0] && finished[1]) return 'SF';
    return finished[1] ? 'SHR' : 'OTH';
  }
  if (!answered) {
    if (flow.resetBy !== undefined) return flow.resetBy === 1 ? 'REJ' : 'RSTOS0';
    return finished[0] ? 'SH' : 'S0';
  }
  if (finished[0] && finished[1]) return 'SF';
  if (flow.resetBy !== undefined) return flow.resetBy === 1 ? 'RSTR' : 'RSTO';
  if (finished[0]) return 'S2';
  return finished[1] ? 'S3' : 'S1';
}

/** Six decimals as C's printf rounds them: a half goes to the even one. */
function seconds(nanoseconds: bigint): string {
  const value = Number(nanoseconds) / 1e9;
  if ((value * 128) % 2 !== 1) return value.toFixed(6); // only 2^-7 and its like end in a half
  const below = Math.floor(value * 1e6);
  return ((below + (below % 2)) / 1e6).toFixed(6);
}

const names = new Map([
  [icmp, 'icmp'],
  [tcp, 'tcp'],
  [udp, 'udp'],
  [icmp6, 'icmp'],
  [sctp, 'sctp'],
]);

function lineOf(event: PluginEvent<Flow>, flow: Flow): string {
  const { session } = event;
  const [from, to] = flow.icmpPorts ?? [session.port(0), session.port(1)];
  const first = session.firstSeen;
  const service = session.application === undefined ? '' : `"service":"${session.application}",`;
  return (
    `{"ts":${seconds(first)},"uid":"${session.id}","id.orig_h":"${session.address(0)}",` +
    `"id.orig_p":${from},"id.resp_h":"${session.address(1)}","id.resp_p":${to},` +
    `"proto":"${names.get(session.protocol) ?? session.protocol}",${service}` +
    `"duration":${seconds(flow.last > first ? flow.last - first : 0n)},` +
    `"orig_bytes":${flow.payload[0]},"resp_bytes":${flow.payload[1]},` +
    `"conn_state":"${stateOf(flow, session.protocol)}","missed_bytes":${flow.missed},` +
    `"history":"${flow.history}","orig_pkts":${flow.packets[0]},` +
    `"orig_ip_bytes":${flow.ipBytes[0]},"resp_pkts":${flow.packets[1]},` +
    `"resp_ip_bytes":${flow.ipBytes[1]},"community_id":"${flow.id}",` +
    `"close_reason":"${event.reasonName}"}`
  );
}

let host: Host;

export default definePlugin<Flow>({
  name: 'flow_logger',
  summary: "a line of JSON for each session: the fields of Zeek's conn.log",
  options: { file: { type: 'text', summary: 'where the lines go' } },
  figures: ['logged'],
  copy: { frame: 65_535 }, // headers may lie deep in tunnels
  start(given) {
    host = given;
  },
  onOpening(event) {
    begin(event);
  },
  onPacket(event) {
    const flow = event.session.context ?? begin(event);
    // An ICMP error about it is no packet of it.
    if (event.packet?.protocol === event.session.protocol)
      seePacket(flow, event.packet, event.direction);
  },
  /** TCP: bytes of the streams, so that what is sent twice counts once. */
  onPayload(event) {
    const flow = event.session.context ?? begin(event);
    flow.payload[event.direction] = event.offset + event.length;
  },
  onGap(event) {
    const flow = event.session.context ?? begin(event);
    if (event.reasonName === 'depth' || event.reasonName === 'midstream') return;
    flow.missed += event.length;
    flow.payload[event.direction] = event.offset + event.length;
  },
  onClosing(event) {
    const flow = event.session.context;
    if (flow !== undefined && host.emit(lineOf(event, flow)) === 0) host.count('logged');
  },
});
