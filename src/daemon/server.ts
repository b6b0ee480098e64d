/** control.sock: WebSocket for shells and tools, and HTTP pages for those who only watch. */
import { chmodSync, unlinkSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { metricsType } from '../engine/metrics.ts';
import { BricksError } from '../errors.ts';
import { messageBytesMax } from './request.ts';

/** Clients connected at once. */
export const clientsMax = 256;

export interface ServerEvents {
  onClient(socket: WebSocket): void;
  /** Whether `/readyz` says yes. */
  isReady(): boolean;
  /** What `/metrics` says. */
  metrics(): string;
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socketPath);
    const say = (live: boolean) => (): void => {
      probe.destroy();
      resolve(live);
    };
    probe.once('connect', say(true));
    probe.once('error', say(false));
  });
}

/** Removes a socket that nobody listens on any more. Throws `busy` when somebody does. */
async function removeStaleSocket(socketPath: string): Promise<void> {
  if (await answers(socketPath)) {
    throw new BricksError(
      'busy',
      `another process answers on ${socketPath}; end it, or use another folder with --run-dir DIR`,
    );
  }
  try {
    unlinkSync(socketPath);
  } catch {
    // there was none
  }
}

function listen(server: Server, socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: Error) => {
      reject(new BricksError('failed', `cannot listen on ${socketPath}: ${error.message}`));
    });
    server.listen(socketPath, resolve);
  });
}

export class ControlServer {
  readonly #http: Server;
  readonly #sockets: WebSocketServer;

  private constructor(http: Server, sockets: WebSocketServer) {
    this.#http = http;
    this.#sockets = sockets;
  }

  /** Listens on `socketPath`, mode 0600. Throws `busy` or `failed`. */
  static async open(socketPath: string, events: ServerEvents): Promise<ControlServer> {
    await removeStaleSocket(socketPath);
    const http = createServer((request, response) => answerPage(request, response, events));
    const sockets = new WebSocketServer({ noServer: true, maxPayload: messageBytesMax });
    http.on('upgrade', (request, socket, head) => {
      if (sockets.clients.size >= clientsMax) {
        socket.end('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n');
        return;
      }
      sockets.handleUpgrade(request, socket, head, (client) => events.onClient(client));
    });
    http.on('clientError', (_error, socket) => socket.destroy());
    await listen(http, socketPath);
    chmodSync(socketPath, 0o600);
    return new ControlServer(http, sockets);
  }

  /**
   * Lets clients read what was sent to them, but not for longer than `graceMs`; removes the socket.
   */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#http.close(() => resolve());
    });
    for (const client of this.#sockets.clients) {
      client.close(1001, 'the daemon ends');
    }
    this.#http.closeIdleConnections();
    const timer = setTimeout(() => {
      for (const client of this.#sockets.clients) {
        client.terminate();
      }
      this.#http.closeAllConnections();
    }, graceMs);
    await closed;
    clearTimeout(timer);
  }
}

function answerPage(
  request: IncomingMessage,
  response: ServerResponse,
  events: ServerEvents,
): void {
  const pages: Record<string, () => [code: number, text: string, type?: string]> = {
    '/healthz': () => [200, 'ok\n'],
    '/readyz': () => (events.isReady() ? [200, 'ready\n'] : [503, 'starting\n']),
    '/metrics': () => [200, events.metrics(), metricsType],
  };
  const none = `there are ${Object.keys(pages).join(', ')}\n`;
  const [code, text, type = 'text/plain; charset=utf-8'] = answerOf(
    pages[request.url ?? ''] ?? (() => [404, none]),
  );
  response.writeHead(code, { 'content-type': type });
  response.end(text);
}

function answerOf<Answer>(page: () => Answer): Answer | [number, string] {
  try {
    return page();
  } catch (error) {
    return [500, `${error instanceof Error ? error.message : String(error)}\n`];
  }
}
