/** A connection to a daemon's control.sock: requests out, answers in. */
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import { BricksError } from '../errors.ts';
import type { FlowQuestion, Request, Response } from '../protocol.ts';
import type { ChunkResult, Evaluator, OutputListener } from './evaluator.ts';

/** A Unix socket's path, or HOST:PORT. */
export type Address = { readonly path: string } | { readonly host: string; readonly port: number };

type Done = Extract<Response, { type: 'done' }>;
type Body<T> = T extends unknown ? Omit<T, 'id'> : never;

interface Pending {
  readonly onOutput: OutputListener;
  readonly resolve: (done: Done) => void;
  readonly reject: (error: BricksError) => void;
}

function nameOf(address: Address): string {
  return 'path' in address ? address.path : `${address.host}:${address.port}`;
}

const ignoreOutput: OutputListener = () => {};

export class DaemonClient implements Evaluator {
  /** Settles when the connection is over, for whatever reason. */
  readonly closed: Promise<void>;
  readonly #socket: WebSocket;
  readonly #name: string;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #ended = false;

  private constructor(socket: WebSocket, name: string) {
    this.#socket = socket;
    this.#name = name;
    socket.on('message', (data) => this.#receive(data.toString()));
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#ended = true;
        for (const pending of this.#pending.values()) {
          pending.reject(this.#gone());
        }
        this.#pending.clear();
        resolve();
      });
    });
  }

  /** Throws `daemon_unreachable`, or `permission_denied`. */
  static connect(address: Address): Promise<DaemonClient> {
    const name = nameOf(address);
    const options = { handshakeTimeout: 10_000, perMessageDeflate: false };
    const socket =
      'path' in address
        ? new WebSocket('ws://localhost/', {
            ...options,
            createConnection: () => connect(address.path),
          })
        : new WebSocket(`ws://${name}/`, options);
    return new Promise((resolve, reject) => {
      socket.once('open', () => {
        socket.removeAllListeners('error');
        socket.on('error', () => socket.terminate());
        resolve(new DaemonClient(socket, name));
      });
      socket.once('error', (error: NodeJS.ErrnoException) => {
        const denied = error.code === 'EACCES' || error.code === 'EPERM';
        reject(
          denied
            ? new BricksError(
                'permission_denied',
                `no permission to talk to the daemon at ${name}; run it as the user who started ` +
                  'the daemon',
              )
            : new BricksError(
                'daemon_unreachable',
                `no daemon answers at ${name} (${error.code ?? error.message}); start one with ` +
                  'bricks-server -f SCRIPT, or name its folder with --run-dir DIR',
              ),
        );
      });
    });
  }

  #gone(): BricksError {
    return new BricksError(
      'daemon_unreachable',
      `the daemon at ${this.#name} has gone; start one with bricks-server -f SCRIPT`,
    );
  }

  #receive(text: string): void {
    const response = JSON.parse(text) as Response;
    const pending = this.#pending.get(response.id);
    if (response.type === 'output') {
      pending?.onOutput(response.stream, response.text);
    } else if (pending !== undefined) {
      this.#pending.delete(response.id);
      pending.resolve(response);
    }
  }

  /** Sends one request; resolves with its `done`. Rejects with `daemon_unreachable`. */
  request(body: Body<Request>, onOutput: OutputListener = ignoreOutput): Promise<Done> {
    if (this.#ended) {
      return Promise.reject(this.#gone());
    }
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { onOutput, resolve, reject });
      this.#socket.send(JSON.stringify({ ...body, id }));
    });
  }

  async execute(
    code: string,
    name: string,
    interactive: boolean,
    onOutput: OutputListener,
  ): Promise<ChunkResult> {
    const done = await this.request({ type: 'execute', code, name, interactive }, onOutput);
    return done.ok ? { ok: true, incomplete: done.incomplete === true } : done;
  }

  interrupt(): void {
    this.request({ type: 'interrupt' }).catch(() => {}); // gone: nothing left to interrupt
  }

  async complete(line: string): Promise<string[]> {
    const done = await this.request({ type: 'complete', line });
    return done.ok && Array.isArray(done.data) ? done.data.map(String) : [];
  }

  /** The data of `bricks status|stats|ledger`. Throws what the daemon answered. */
  async report(report: 'status' | 'stats' | 'ledger'): Promise<unknown> {
    const done = await this.request({ type: 'report', report });
    if (!done.ok) {
      throw new BricksError(done.error.code, done.error.message);
    }
    return done.data;
  }

  /**
   * A copy of what passes a link from now on, one address pair in `sample`: the name of its pipe.
   * It is there as long as this connection. Throws what the daemon answered.
   */
  async openTap(link: string, expression: string, sample: number): Promise<string> {
    const done = await this.request({ type: 'tap', link, expression, sample });
    if (!done.ok) {
      throw new BricksError(done.error.code, done.error.message);
    }
    return String(done.data);
  }

  /** Where a flow goes, and why. Throws what the daemon answered. */
  async explain(question: FlowQuestion): Promise<unknown> {
    const done = await this.request({ type: 'explain', question });
    if (!done.ok) {
      throw new BricksError(done.error.code, done.error.message);
    }
    return done.data;
  }

  close(): Promise<void> {
    this.#socket.close();
    return this.closed;
  }
}
