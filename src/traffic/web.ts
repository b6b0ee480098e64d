/**
 * Traffic with something to say for analysers: HTTP with requests, answers and names, TLS 1.3 up to
 * the point where it is encrypted, DNS, and some of everything else.
 */
import {
  Conversation,
  dnsLookup,
  fragmentedDatagram,
  pings,
  TcpConnection,
  type TimedFrame,
} from './conversations.ts';
import { Random } from './random.ts';

/** Bytes of a segment's payload at most. */
const segmentMax = 1400;

const agents = ['curl/7.88.1', 'Wget/1.21.3', 'python-requests/2.28.1'];

/** Says `bytes`, in as many segments as that takes, and is told that they have come. */
function sayAll(connection: TcpConnection, fromClient: boolean, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; at += segmentMax) {
    connection.say(fromClient, bytes.subarray(at, at + segmentMax));
  }
  connection.acknowledge(!fromClient);
}

/** HTTP/1.1 (RFC 9112): some requests on one connection, each answered with a text. */
export function httpSession(talk: Conversation): void {
  const { random } = talk;
  const connection = new TcpConnection(talk);
  connection.open();
  const host = `www-${random.between(0, 9999)}.example`;
  const agent = agents[random.between(0, agents.length - 1)] ?? '';
  for (let exchange = random.between(1, 3); exchange > 0; exchange--) {
    const request = [
      `GET /page/${random.between(0, 99_999)}?q=${random.between(0, 999)} HTTP/1.1`,
      `Host: ${host}`,
      `User-Agent: ${agent}`,
      'Accept: */*',
    ];
    sayAll(connection, true, Buffer.from(`${request.join('\r\n')}\r\n\r\n`, 'latin1'));
    const body = `answer ${random.between(0, 99_999)}\n`.repeat(random.between(1, 200));
    const found = !random.oneIn(5);
    const answer = [
      `HTTP/1.1 ${found ? '200 OK' : '404 Not Found'}`,
      'Server: nginx/1.22.1',
      'Content-Type: text/plain',
      `Content-Length: ${body.length}`,
    ];
    sayAll(connection, false, Buffer.from(`${answer.join('\r\n')}\r\n\r\n${body}`, 'latin1'));
  }
  connection.close();
}

const u8 = (value: number): Buffer => Buffer.from([value]);
const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
const u24 = (value: number): Buffer => Buffer.from([value >> 16, (value >> 8) & 255, value & 255]);

const tlsExtension = (type: number, body: Buffer): Buffer =>
  Buffer.concat([u16(type), u16(body.length), body]);

const tlsRecord = (type: number, body: Buffer): Buffer =>
  Buffer.concat([u8(type), u16(0x0303), u16(body.length), body]);

const tlsHandshake = (type: number, body: Buffer): Buffer =>
  tlsRecord(22, Buffer.concat([u8(type), u24(body.length), body]));

/** TLS 1.3 (RFC 8446): both hellos with a server name, then what only the two ends can read. */
export function tlsSession(talk: Conversation): void {
  const { random } = talk;
  const connection = new TcpConnection(talk);
  connection.open();
  const name = Buffer.from(`tls-${random.between(0, 9999)}.example`, 'latin1');
  const session = random.bytes(32);
  const key = (): Buffer => Buffer.concat([u16(0x001d), u16(32), random.bytes(32)]); // x25519
  const serverName = Buffer.concat([u16(name.length + 3), u8(0), u16(name.length), name]);
  const clientKey = key();
  const extensions = Buffer.concat([
    tlsExtension(0, serverName),
    tlsExtension(10, Buffer.concat([u16(2), u16(0x001d)])),
    tlsExtension(13, Buffer.concat([u16(4), u16(0x0403), u16(0x0804)])),
    tlsExtension(43, Buffer.concat([u8(2), u16(0x0304)])),
    tlsExtension(51, Buffer.concat([u16(clientKey.length), clientKey])),
  ]);
  const hello = (choices: Buffer, more: Buffer): Buffer =>
    Buffer.concat([
      u16(0x0303),
      random.bytes(32),
      u8(session.length),
      session,
      choices,
      u16(more.length),
      more,
    ]);
  const ciphers = Buffer.concat([u16(4), u16(0x1301), u16(0x1302), u8(1), u8(0)]);
  sayAll(connection, true, tlsHandshake(1, hello(ciphers, extensions)));
  const chosen = Buffer.concat([
    tlsExtension(43, u16(0x0304)),
    tlsExtension(51, key()), // a server's share has no list around it
  ]);
  const changed = tlsRecord(20, u8(1));
  const secret = (bytes: number): Buffer => tlsRecord(23, random.bytes(bytes));
  sayAll(
    connection,
    false,
    Buffer.concat([
      tlsHandshake(2, hello(Buffer.concat([u16(0x1301), u8(0)]), chosen)),
      changed,
      secret(random.between(900, 3000)),
    ]),
  );
  sayAll(connection, true, Buffer.concat([changed, secret(53)]));
  sayAll(connection, true, secret(random.between(80, 600)));
  sayAll(connection, false, secret(random.between(200, 4000)));
  connection.close();
}

/** Frames of `flows` conversations, in order of time. */
export function makeWebTraffic(seed: number, flows: number): TimedFrame[] {
  const random = new Random(seed);
  const frames: TimedFrame[] = [];
  const kinds = [
    { share: 40, port: 80, run: httpSession },
    { share: 65, port: 443, run: tlsSession },
    { share: 90, port: 53, run: dnsLookup },
    { share: 95, port: 4500, run: fragmentedDatagram },
    { share: 100, port: 4500, run: pings },
  ] as const;
  for (let flow = 0; flow < flows; flow++) {
    const draw = random.between(0, 99);
    const { port, run } = kinds.find(({ share }) => draw < share) ?? kinds[0];
    const talk = new Conversation(random, random.between(0, flows * 500), port);
    run(talk);
    frames.push(...talk.frames);
  }
  return frames.sort((a, b) => a.timeUs - b.timeUs);
}
