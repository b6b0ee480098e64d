/**
 * packet-bricks' shell protocol for programs that still speak it: Lua source ended by a byte 0x7F,
 * answered by all that the chunk printed, ended by 0x7F. On loopback only, for the daemon's own
 * user and root only; the state of Lua is the one that all shells share.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { BricksError } from '../errors.ts';
import { ownerOfConnection } from './legacy-peer.ts';
import type { LuaQueue } from './lua-queue.ts';

const endByte = 0x7f;
const endMark = String.fromCharCode(endByte);
/** Bytes of one request. */
export const legacyRequestBytesMax = 1024 * 1024;
export const legacyClientsMax = 64;
/** A client that has closed its side may wait so long for what it asked. */
const halfClosedMs = 10_000;
const host = '127.0.0.1';

/** Serves one connection: its requests one after the other. */
function serve(socket: Socket, lua: LuaQueue): void {
  const owner = {};
  let pending = Buffer.alloc(0);
  let running = false;
  const run = async (code: string): Promise<void> => {
    running = true;
    const print = (text: string): void => {
      socket.write(text.replaceAll(endMark, '?')); // the mark would end the answer
    };
    const result = await lua.execute({
      owner,
      code: code.replace(/^\s*=/, 'return '),
      name: 'init',
      interactive: false,
      onOutput: (_stream, text) => print(text),
    });
    if (!result.ok) {
      print(`${result.error.message}\n`);
    }
    socket.write(endMark);
    running = false;
    next();
  };
  const refuse = (why: string): void => {
    socket.end(`${why}\n${endMark}`);
    socket.removeAllListeners('data');
    socket.resume();
  };
  const next = (): void => {
    const end = pending.indexOf(endByte);
    if (end >= 0 && !running) {
      const code = pending.subarray(0, end).toString('utf8');
      pending = pending.subarray(end + 1);
      void run(code);
    } else if ((end < 0 ? pending.length : end) > legacyRequestBytesMax) {
      refuse(`a request has at most ${legacyRequestBytesMax} bytes; put more into a file: dofile`);
    } else if (pending.length > 2 * legacyRequestBytesMax) {
      refuse('too many requests at once; wait for an answer before you ask on');
    } else if (end < 0 && !running && socket.readableEnded) {
      socket.end();
    }
  };
  socket.on('data', (data) => {
    pending = Buffer.concat([pending, data]);
    next();
  });
  socket.on('end', () => {
    next();
    // Half closed or gone altogether: from here they look the same.
    socket.setTimeout(halfClosedMs, () => socket.destroy());
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => lua.interrupt(owner));
}

export class LegacyServer {
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(server: Server, sockets: Set<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
  }

  /** Listens on 127.0.0.1:`port`. Throws `busy` or `failed`. */
  static open(port: number, lua: LuaQueue): Promise<LegacyServer> {
    const sockets = new Set<Socket>();
    const user = process.getuid?.();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const peer = ownerOfConnection(socket.remotePort ?? 0, port);
      if (peer !== 0 && peer !== user) {
        socket.end(`only user ${user} and root may talk to this daemon\n${endMark}`);
        socket.on('error', () => socket.destroy());
        socket.resume();
        return;
      }
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      serve(socket, lua);
    });
    server.maxConnections = legacyClientsMax;
    return new Promise((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        const taken = error.code === 'EADDRINUSE';
        const why = taken ? 'another program listens there' : error.message;
        reject(
          new BricksError(
            taken ? 'busy' : 'failed',
            `cannot listen on ${host}:${port}: ${why}; name another with --legacy-port PORT`,
          ),
        );
      });
      server.listen(port, host, () => resolve(new LegacyServer(server, sockets)));
    });
  }

  /** Lets clients read what was sent to them, but not for longer than `graceMs`. */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const socket of this.#sockets) {
      socket.end();
    }
    const isOver = await Promise.race([
      closed.then(() => true),
      sleep(graceMs, false, { ref: false }),
    ]);
    if (!isOver) {
      for (const socket of this.#sockets) {
        socket.destroy();
      }
      await closed;
    }
  }
}
