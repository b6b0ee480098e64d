/**
 * Packets as lines that people can read, for golden cases:
 *
 *   tcp 10.0.0.1:1000 > 10.0.0.2:80 flags SA len 100 vlan 5
 *   udp [2001:db8::1]:53 > [2001:db8::2]:4000
 *   udp 10.0.0.1:53 > 10.0.0.2:4000 len 1480 id 7 frag 0+     (the first fragment; more to come)
 *   udp 10.0.0.1 > 10.0.0.2 len 520 id 7 frag 1480            (the last; it has no ports)
 *   icmp 10.0.0.1 > 10.0.0.2
 *   arp 10.0.0.1 > 10.0.0.2
 *   eth 02:00:00:00:00:01 > 02:00:00:00:00:02 type 88b5 len 46
 *
 * `len` is the payload's length behind the last header; `vlan 7,5` has the outer tag first. `as 3`
 * has the payload and sequence number of packet 3.
 */
import {
  arp,
  echo,
  ethernet,
  type Host,
  ip,
  protocols,
  tcp,
  udp,
} from '../../src/traffic/frames.ts';

const etherTypes = { arp: 0x0806, ipv4: 0x0800, ipv6: 0x86dd } as const;
const tcpFlags: Readonly<Record<string, number>> = { F: 1, S: 2, R: 4, P: 8, A: 16, U: 32 };
const words = ['len', 'vlan', 'flags', 'id', 'frag', 'type', 'ttl', 'as'];

function bytesOfIpv4(text: string): Buffer {
  const bytes = text.split('.').map(Number);
  if (bytes.length !== 4 || bytes.some((byte) => !Number.isInteger(byte) || byte < 0 || byte > 255))
    throw new Error(`not an IPv4 address: ${text}`);
  return Buffer.from(bytes);
}

function bytesOfIpv6(text: string): Buffer {
  const [head = '', tail] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((g) => parseInt(g, 16)));
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  const gap = 8 - front.length - back.length;
  if (tail === undefined ? gap !== 0 : gap < 1) throw new Error(`not an IPv6 address: ${text}`);
  const buffer = Buffer.alloc(16);
  [...front, ...Array<number>(gap).fill(0), ...back].forEach((group, index) => {
    buffer.writeUInt16BE(group, index * 2);
  });
  return buffer;
}

/** `10.0.0.1:80`, `10.0.0.1`, `[2001:db8::1]:80`, `2001:db8::1`; its MAC follows from it. */
function hostOf(text: string): Host {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(text);
  const plain = /^([\d.]+)(?::(\d+))?$/.exec(text);
  const [, address = text, port = '0'] = bracketed ?? plain ?? [];
  const bytes = address.includes('.') ? bytesOfIpv4(address) : bytesOfIpv6(address);
  const mac = Buffer.concat([Buffer.from([2, 0]), bytes.subarray(-4)]);
  return { mac, address: bytes, port: Number(port) };
}

function optionsOf(parts: readonly string[], line: string): Map<string, string> {
  const options = new Map<string, string>();
  for (let i = 0; i < parts.length; i += 2) {
    const [name = '', value] = parts.slice(i, i + 2);
    if (!words.includes(name) || value === undefined)
      throw new Error(`'${name}' is not understood in: ${line}`);
    options.set(name, value);
  }
  return options;
}

/** `length` bytes that differ from position to position and from packet to packet. */
function payloadOf(length: number, seed: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => (index * 7 + seed * 31) & 255));
}

/** The Ethernet frame of one line; `number` varies the payload. Throws on what it does not know. */
export function frameOf(line: string, number: number): Buffer {
  const [kind = '', source = '', arrow, target = '', ...rest] = line.trim().split(/\s+/);
  if (arrow !== '>') throw new Error(`no '>' between two ends in: ${line}`);
  const options = optionsOf(rest, line);
  const seed = Number(options.get('as') ?? number);
  const vlans = options.get('vlan')?.split(',').map(Number) ?? [];
  const payload = payloadOf(Number(options.get('len') ?? 20), seed);
  if (kind === 'eth') {
    const end = (mac: string): Host => ({
      mac: Buffer.from(mac.replaceAll(':', ''), 'hex'),
      address: Buffer.alloc(4),
      port: 0,
    });
    const type = parseInt(options.get('type') ?? '88b5', 16);
    return ethernet(end(source), end(target), type, vlans, payload);
  }
  const from = hostOf(source);
  const to = hostOf(target);
  if (kind === 'arp') return ethernet(from, to, etherTypes.arp, vlans, arp(from, to, false));

  const [, offset, more] = /^(\d+)(\+?)$/.exec(options.get('frag') ?? '') ?? [];
  const fragment =
    offset === undefined ? {} : { fragmentOffset: Number(offset), moreFragments: more === '+' };
  const bare = Number(offset ?? 0) > 0; // a later fragment has no header of its own
  const flags = [...(options.get('flags') ?? 'A')].reduce((sum, f) => sum | (tcpFlags[f] ?? 0), 0);
  const segment = { sequence: 1000 + seed, acknowledgment: 2000, flags, payload };
  const v4 = from.address.length === 4;
  const layer4 = new Map<string, () => [number, Buffer]>([
    ['tcp', () => [protocols.tcp, bare ? payload : tcp(from, to, segment)]],
    ['udp', () => [protocols.udp, bare ? payload : udp(from, to, payload)]],
    ['icmp', () => [v4 ? protocols.icmp : protocols.icmp6, echo(from, to, false, seed, payload)]],
  ]).get(kind);
  if (!layer4) throw new Error(`'${kind}' is not tcp, udp, icmp, arp or eth: ${line}`);
  const [protocol, body] = layer4();
  const packet = ip(from, to, protocol, body, {
    id: Number(options.get('id') ?? number),
    ttl: Number(options.get('ttl') ?? 64),
    ...fragment,
  });
  return ethernet(from, to, v4 ? etherTypes.ipv4 : etherTypes.ipv6, vlans, packet);
}
