/** Who is at the other end of a TCP connection on this machine. */
import { readFileSync } from 'node:fs';

/** As in /proc/net/tcp: the address's bytes in this machine's order, and the port. */
const loopback = (port: number): string => {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  return `${littleEndian ? '0100007F' : '7F000001'}:${hex}`;
};

/**
 * The user that owns the socket 127.0.0.1:`theirs` of a connection to 127.0.0.1:`ours`; undefined
 * when there is no such connection any more.
 */
export function ownerOfConnection(
  theirs: number,
  ours: number,
  table = (): string => readFileSync('/proc/net/tcp', 'latin1'),
): number | undefined {
  const ends = [loopback(theirs), loopback(ours)];
  for (const line of table().split('\n')) {
    const [, local, remote, , , , , uid] = line.trim().split(/\s+/);
    if (local === ends[0] && remote === ends[1]) {
      return Number(uid);
    }
  }
  return undefined;
}
