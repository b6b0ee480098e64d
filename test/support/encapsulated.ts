/** One connection, in every encapsulation that is followed: both directions, as frames. */
import { ethernet, type Host, ip, protocols, tcp, udp } from '../../src/traffic/frames.ts';
import * as around from '../../src/traffic/tunnels.ts';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const host = (mac: string, address: string, port: number): Host => ({
  mac: hex(mac),
  address: hex(address),
  port,
});

/** The two ends of the connection, of IPv4 and of IPv6, and those of the tunnel. */
const client = host('020000000001', '0a000001', 40_000);
const server = host('020000000002', '0a000002', 443);
const client6 = host('020000000001', '20010db8000000000000000000000001', 40_000);
const server6 = host('020000000002', '20010db8000000000000000000000002', 443);
const near = host('020000000003', 'c0000201', 0);
const far = host('020000000004', 'c0000202', 0);
const near6 = host('020000000003', '20010db8ffff00000000000000000001', 0);
const far6 = host('020000000004', '20010db8ffff00000000000000000002', 0);

/** A packet and its surroundings, one way. */
interface Way {
  readonly ip4: Buffer;
  readonly ip6: Buffer;
  readonly frame: Buffer;
  /** The tunnel's ends, from who sends here. */
  readonly from: Host;
  readonly to: Host;
  readonly from6: Host;
  readonly to6: Host;
}

function wayOf(back: boolean): Way {
  const pair = (a: Host, b: Host): readonly [Host, Host] => (back ? [b, a] : [a, b]);
  const segment = (a: Host, b: Host) =>
    tcp(a, b, { sequence: 1, acknowledgment: 1, flags: 16, payload: Buffer.alloc(10, 1) });
  const packet = (a: Host, b: Host) => ip(a, b, protocols.tcp, segment(a, b));
  const ip4 = packet(...pair(client, server));
  const [from, to] = pair(near, far);
  const [from6, to6] = pair(near6, far6);
  const frame = ethernet(...pair(client, server), 0x0800, [], ip4);
  return { ip4, ip6: packet(...pair(client6, server6)), frame, from, to, from6, to6 };
}

type Wrap = (way: Way) => Buffer;
const protocolOf = around.tunnelProtocols;
const frameOf = ({ from, to }: Way, packet: Buffer, vlans: number[] = []) =>
  around.frameOfIp(from, to, packet, vlans);
const over4 =
  (protocol: number, make: (way: Way) => Buffer): Wrap =>
  (way) =>
    frameOf(way, ip(way.from, way.to, protocol, make(way)));
const over6 =
  (protocol: number, make: (way: Way) => Buffer): Wrap =>
  (way) =>
    frameOf(way, ip(way.from6, way.to6, protocol, make(way)));
const overUdp =
  (port: number, make: (way: Way) => Buffer): Wrap =>
  (way) =>
    frameOf(way, around.overUdp(way.from, way.to, port, make(way)));
const typed =
  (type: number, make: (way: Way) => Buffer): Wrap =>
  (way) =>
    ethernet(way.from, way.to, type, [], make(way));
const pseudowire = (word: boolean, { frame }: Way) =>
  around.mpls([100], Buffer.concat([Buffer.alloc(word ? 4 : 0), frame]));

/** The header's bytes at these places, otherwise. */
function withBytes(packet: Buffer, bytes: Readonly<Record<number, number>>): Buffer {
  for (const [at, byte] of Object.entries(bytes)) packet.writeUInt8(byte, Number(at));
  return packet;
}

export const encapsulations: Readonly<Record<string, Wrap>> = {
  plain: (way) => way.frame,
  vlan: (way) => frameOf(way, way.ip4, [5]),
  qinq: (way) => frameOf(way, way.ip6, [7, 5]),
  mpls: typed(0x8847, (way) => around.mpls([100, 200], way.ip4)),
  'mpls pseudowire': typed(0x8847, (way) => pseudowire(false, way)),
  'mpls pseudowire, control word': typed(0x8847, (way) => pseudowire(true, way)),
  pppoe: typed(0x8864, (way) => around.pppoe(9, around.ppp(0x57, way.ip6))),
  'hop-by-hop and destination options': (way) => {
    const [body, head] = [way.ip6.subarray(40), Buffer.from(way.ip6.subarray(0, 40))];
    head.writeUInt8(0, 6);
    head.writeUInt16BE(body.length + 16, 4);
    const extensions = around.extension(60, around.extension(protocols.tcp, body));
    return frameOf(way, Buffer.concat([head, extensions]));
  },
  'ip in ip': over4(protocolOf.ipv4, (way) => way.ip4),
  '6in4': over4(protocolOf.ipv6, (way) => way.ip6),
  '4in6': over6(protocolOf.ipv4, (way) => way.ip4),
  '6in6': over6(protocolOf.ipv6, (way) => way.ip6),
  'mpls in ip': over4(protocolOf.mpls, (way) => around.mpls([3], way.ip4)),
  'ah, tunnel': over4(protocolOf.authentication, (way) => around.authentication(4, way.ip4)),
  gre: over4(protocolOf.gre, (way) => around.gre(0x0800, way.ip4)),
  'gre, checksum, key, sequence': over6(protocolOf.gre, (way) =>
    around.gre(0x86dd, way.ip6, { checksum: true, key: 9, sequence: 1 }),
  ),
  'gre, ethernet': over4(protocolOf.gre, (way) => around.gre(0x6558, way.frame)),
  nvgre: over4(protocolOf.gre, (way) => around.nvgre(way.frame, 11)),
  pptp: over4(protocolOf.gre, (way) => around.pptp(around.ppp(0x21, way.ip4, true), 3, 1)),
  'erspan I': over4(protocolOf.gre, (way) => around.erspan(1, way.frame, 5)),
  'erspan II': over4(protocolOf.gre, (way) => around.erspan(2, way.frame, 5)),
  'erspan III': over4(protocolOf.gre, (way) => around.erspan(3, way.frame, 5)),
  etherip: over4(protocolOf.etherIp, (way) => around.etherIp(way.frame)),
  vxlan: overUdp(4789, (way) => around.vxlan(way.frame, 11)),
  'vxlan, old port': overUdp(8472, (way) => around.vxlan(way.frame, 11)),
  'vxlan, reserved bits set': overUdp(4789, (way) =>
    withBytes(around.vxlan(way.frame, 11), { 0: 0xff, 1: 0x12, 3: 0x34, 7: 0x56 }),
  ),
  'vxlan-gpe, protocol without its flag': overUdp(4790, (way) =>
    withBytes(around.vxlanGpe(2, way.ip6, 11), { 0: 0x08 }),
  ),
  'vxlan-gpe': overUdp(4790, (way) => around.vxlanGpe(2, way.ip6, 11)),
  geneve: overUdp(6081, (way) => around.geneve(0x6558, way.frame, 11, Buffer.alloc(8, 1))),
  'gtp-u': overUdp(2152, (way) => around.gtpUser(way.ip4, 77)),
  'gtp-u, extension headers': overUdp(2152, (way) => around.gtpUser(way.ip6, 77, 2)),
  teredo: overUdp(3544, (way) => around.teredo(way.ip6)),
  'teredo, authentication and origin': overUdp(3544, (way) => around.teredo(way.ip6, true)),
  l2tp: overUdp(1701, (way) => around.l2tp(around.ppp(0x21, way.ip4, true), 4, 5)),
  'vxlan in gre in 6in6': over6(protocolOf.ipv6, (way) => {
    const vxlan = around.overUdp(way.from, way.to, 4789, around.vxlan(way.frame, 11));
    return ip(way.from6, way.to6, protocolOf.gre, around.gre(0x0800, vxlan));
  }),
};

/** From the client, then from the server. */
export const bothWays = (wrap: Wrap): readonly [Buffer, Buffer] => [
  wrap(wayOf(false)),
  wrap(wayOf(true)),
];

/** An error about the client's packet, on its way back to the client; IPv4 or IPv6. */
export function errorAbout(version: 4 | 6): Buffer {
  const way = wayOf(false);
  const quoted = version === 4 ? way.ip4.subarray(0, 28) : way.ip6;
  const [from, to] = version === 4 ? [near, client] : [near6, client6];
  const type = version === 4 ? 3 : 1;
  return around.frameOfIp(from, to, around.icmpError(from, to, type, quoted));
}

/** A UDP datagram of the client's in three frames, in the order they are on the wire. */
export function fragmentsOf(version: 4 | 6): readonly Buffer[] {
  const [from, to] = version === 4 ? [client, server] : [client6, server6];
  const datagram = udp(from, to, Buffer.alloc(100, 5));
  return [0, 40, 80].map((at) =>
    around.frameOfIp(
      from,
      to,
      ip(from, to, protocols.udp, datagram.subarray(at, at + 40), {
        id: 99,
        fragmentOffset: at,
        moreFragments: at < 80,
      }),
    ),
  );
}
