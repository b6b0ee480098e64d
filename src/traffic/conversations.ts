/** Conversations as they are seen on a wire: what each end sends, and when. */
import {
  arp,
  echo,
  ethernet,
  type Host,
  type IpOptions,
  ip,
  protocols,
  tcp,
  udp,
} from './frames.ts';
import type { Random } from './random.ts';

export interface TimedFrame {
  /** Microseconds since the start of the traffic. */
  timeUs: number;
  readonly frame: Buffer;
}

const fin = 1;
const syn = 2;
const rst = 4;
const psh = 8;
const ack = 16;
const none = Buffer.alloc(0);

/** The two ends of a conversation, the link they talk over, and the clock. */
export class Conversation {
  readonly client: Host;
  readonly server: Host;
  readonly frames: TimedFrame[] = [];
  readonly random: Random;
  readonly #vlans: readonly number[];
  #timeUs: number;
  #id: number;

  constructor(random: Random, startUs: number, serverPort: number) {
    this.random = random;
    this.#timeUs = startUs;
    this.#id = random.between(1, 0xffff);
    const v6 = random.oneIn(4);
    this.client = this.#host(v6, 10, random.between(32768, 60999));
    this.server = this.#host(v6, 192, serverPort);
    this.#vlans = random.oneIn(5) ? [random.between(2, 4000)] : random.oneIn(20) ? [100, 200] : [];
  }

  get isIpv6(): boolean {
    return this.client.address.length === 16;
  }

  #host(v6: boolean, net: number, port: number): Host {
    const prefix = v6 ? Buffer.from([0x20, 1, 0x0d, 0xb8, net, 0, 0, 0]) : Buffer.from([net]);
    return {
      mac: Buffer.concat([Buffer.from([2, net]), this.random.bytes(4)]),
      address: Buffer.concat([prefix, this.random.bytes(v6 ? 8 : 3)]),
      port,
    };
  }

  /** Puts a frame on the wire, a moment after the last. */
  #put(from: Host, to: Host, etherType: number, payload: Buffer): void {
    this.#timeUs += this.random.between(20, 20_000);
    this.frames.push({
      timeUs: this.#timeUs,
      frame: ethernet(from, to, etherType, this.#vlans, payload),
    });
  }

  /** Sends one IP packet, from the client or from the server. */
  send(fromClient: boolean, protocol: number, payload: Buffer, options: IpOptions = {}): void {
    const [from, to] = fromClient ? [this.client, this.server] : [this.server, this.client];
    this.#id = (this.#id + 1) & 0xffff;
    const packet = ip(from, to, protocol, payload, { id: this.#id, ...options });
    this.#put(from, to, this.isIpv6 ? 0x86dd : 0x0800, packet);
  }

  /** Sends a datagram's payload in pieces of at most `bytes` (a multiple of 8). */
  sendInFragments(fromClient: boolean, protocol: number, payload: Buffer, bytes: number): void {
    const id = this.random.between(1, 0xffff);
    for (let at = 0; at < payload.length; at += bytes) {
      const moreFragments = at + bytes < payload.length;
      this.send(fromClient, protocol, payload.subarray(at, at + bytes), {
        id,
        moreFragments,
        fragmentOffset: at,
      });
    }
  }

  askForMac(): void {
    this.#put(this.client, this.server, 0x0806, arp(this.client, this.server, false));
    this.#put(this.server, this.client, 0x0806, arp(this.server, this.client, true));
  }

  /** Swaps the last two frames on the wire, as a network that overtakes does. */
  swapLast(): void {
    const a = this.frames.at(-2);
    const b = this.frames.at(-1);
    if (a !== undefined && b !== undefined) {
      [a.timeUs, b.timeUs] = [b.timeUs, a.timeUs];
    }
  }
}

/** A TCP connection: keeps the sequence numbers of both ends. */
export class TcpConnection {
  readonly #talk: Conversation;
  #client: number;
  #server: number;

  constructor(talk: Conversation) {
    this.#talk = talk;
    this.#client = talk.random.next();
    this.#server = talk.random.next();
  }

  #send(fromClient: boolean, flags: number, payload: Buffer): void {
    const { random, client, server } = this.#talk;
    const [from, to] = fromClient ? [client, server] : [server, client];
    const [sequence, acknowledgment] = fromClient
      ? [this.#client, this.#server]
      : [this.#server, this.#client];
    const segment = { sequence, acknowledgment: flags & ack ? acknowledgment : 0, flags, payload };
    const packet = tcp(from, to, segment);
    this.#talk.send(fromClient, protocols.tcp, packet);
    if (payload.length > 0 && random.oneIn(25)) {
      this.#talk.send(fromClient, protocols.tcp, packet); // retransmitted
    }
    const taken = payload.length + (flags & (syn | fin) ? 1 : 0);
    if (fromClient) this.#client += taken;
    else this.#server += taken;
  }

  open(): void {
    this.#send(true, syn, none);
    this.#send(false, syn | ack, none);
    this.#send(true, ack, none);
  }

  /** One segment. */
  say(fromClient: boolean, payload: Buffer): void {
    this.#send(fromClient, psh | ack, payload);
  }

  /** The last segment again, with these bytes for its own, of which there were as many. */
  sayInstead(fromClient: boolean, payload: Buffer): void {
    if (fromClient) this.#client -= payload.length;
    else this.#server -= payload.length;
    this.say(fromClient, payload);
  }

  acknowledge(fromClient: boolean): void {
    this.#send(fromClient, ack, none);
  }

  /** By FIN, or, seldom, by RST. */
  end(): void {
    if (this.#talk.random.oneIn(6)) {
      this.#send(true, rst | ack, none);
      return;
    }
    this.close();
  }

  close(): void {
    this.#send(true, fin | ack, none);
    this.#send(false, fin | ack, none);
    this.#send(true, ack, none);
  }
}

/** A TCP session: handshake, requests and answers, and an end by FIN or by RST. */
export function tcpSession(talk: Conversation): void {
  const { random } = talk;
  const connection = new TcpConnection(talk);
  connection.open();
  for (let exchange = random.between(1, 6); exchange > 0; exchange--) {
    connection.say(true, random.bytes(random.between(1, 700)));
    connection.acknowledge(false);
    for (let piece = random.between(1, 8); piece > 0; piece--) {
      connection.say(false, random.bytes(random.oneIn(3) ? random.between(1, 1400) : 1400));
      if (piece > 1 && random.oneIn(30)) {
        talk.swapLast();
      }
    }
    connection.acknowledge(true);
  }
  connection.end();
}

/** A DNS question for some name and its answer. */
export function dnsLookup(talk: Conversation): void {
  const { random, client, server } = talk;
  const label = `host-${random.between(0, 99_999)}`;
  const question = Buffer.concat([
    Buffer.from([label.length]),
    Buffer.from(label, 'latin1'),
    Buffer.from('\x07example\x03com\x00\x00\x01\x00\x01', 'latin1'),
  ]);
  const id = random.bytes(2);
  const query = Buffer.concat([id, Buffer.from([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), question]);
  const answer = Buffer.concat([
    id,
    Buffer.from([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]),
    question,
    Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, random.between(1, 254)]),
  ]);
  talk.send(true, protocols.udp, udp(client, server, query));
  talk.send(false, protocols.udp, udp(server, client, answer));
}

/** A datagram too large for the link, and a short answer. */
export function fragmentedDatagram(talk: Conversation): void {
  const { random, client, server } = talk;
  const large = udp(client, server, random.bytes(random.between(2000, 6000)));
  talk.sendInFragments(true, protocols.udp, large, 1400);
  talk.send(false, protocols.udp, udp(server, client, random.bytes(32)));
}

/** A few pings, after an ARP exchange where there is ARP. */
export function pings(talk: Conversation): void {
  const { random, client, server } = talk;
  if (!talk.isIpv6) {
    talk.askForMac();
  }
  const protocol = talk.isIpv6 ? protocols.icmp6 : protocols.icmp;
  for (let count = random.between(1, 3); count > 0; count--) {
    const [id, payload] = [random.between(0, 0xffff), random.bytes(56)];
    talk.send(true, protocol, echo(client, server, false, id, payload));
    talk.send(false, protocol, echo(server, client, true, id, payload));
  }
}
