/** One connected client: takes its requests, answers them. */
import type { WebSocket } from 'ws';
import { BricksError } from '../errors.ts';
import type { FlowQuestion, Request, Response } from '../protocol.ts';
import type { LuaQueue } from './lua-queue.ts';
import { parseRequest } from './request.ts';

export type ReportName = Extract<Request, { type: 'report' }>['report'];

/** What a session may ask of the daemon. */
export interface SessionServices {
  readonly lua: LuaQueue;
  /** Throws a BricksError. */
  report(name: ReportName): unknown;
  /** Throws a BricksError. */
  explain(question: FlowQuestion): unknown;
  /** Returns the tap's pipe. Throws a BricksError. */
  openTap(link: string, expression: string, sample: number): string;
  closeTap(pipe: string): void;
  /** Begins the daemon's end; returns at once. */
  shutdown(): void;
}

/** Taps that one connection may hold. */
const tapsMax = 1024;

/** Output that a client has not read yet; one that lets more pile up is cut off. */
export const backlogBytesMax = 64 * 1024 * 1024;

function openTap(
  { link, expression, sample }: Extract<Request, { type: 'tap' }>,
  taps: string[],
  services: SessionServices,
): string {
  if (taps.length >= tapsMax) {
    throw new BricksError('limit_reached', `${tapsMax} taps are the most of one connection`);
  }
  const pipe = services.openTap(link, expression, sample);
  taps.push(pipe);
  return pipe;
}

/** Serves `socket` until it closes. Lua that it left running is interrupted then. */
export function serveClient(socket: WebSocket, services: SessionServices): void {
  const owner = {};
  const taps: string[] = [];
  const send = (response: Response): void => {
    if (socket.readyState !== socket.OPEN) {
      return;
    }
    socket.send(JSON.stringify(response));
    if (socket.bufferedAmount > backlogBytesMax) {
      socket.terminate();
    }
  };
  const done = (id: number, data?: unknown): void => {
    send(
      data === undefined ? { id, type: 'done', ok: true } : { id, type: 'done', ok: true, data },
    );
  };
  const carryOut = async (request: Request): Promise<void> => {
    const { id } = request;
    switch (request.type) {
      case 'execute': {
        const { code, name, interactive } = request;
        const result = await services.lua.execute({
          owner,
          code,
          name,
          interactive,
          onOutput: (stream, text) => send({ id, type: 'output', stream, text }),
        });
        send({ id, type: 'done', ...result });
        return;
      }
      case 'interrupt':
        services.lua.interrupt(owner);
        return done(id);
      case 'complete':
        return done(id, await services.lua.complete(request.line));
      case 'report':
        return done(id, services.report(request.report));
      case 'explain':
        return done(id, services.explain(request.question));
      case 'tap':
        return done(id, openTap(request, taps, services));
      case 'shutdown':
        done(id);
        return services.shutdown();
    }
  };
  const answer = async (text: string): Promise<void> => {
    let id = -1; // of a message that has none
    try {
      const request = parseRequest(text);
      id = request.id;
      await carryOut(request);
    } catch (error) {
      const code = error instanceof BricksError ? error.code : 'failed';
      const message = error instanceof Error ? error.message : String(error);
      send({ id, type: 'done', ok: false, error: { code, message } });
    }
  };
  socket.on('message', (data, isBinary) => {
    void answer(isBinary ? '' : data.toString());
  });
  socket.on('error', () => socket.terminate()); // a malformed frame, or one too large
  socket.on('close', () => {
    services.lua.interrupt(owner);
    for (const pipe of taps) services.closeTap(pipe);
  });
}
