/** Plugins in an engine of this process, over a capture. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineOptions } from '../../src/native/binding.ts';
import { type Addon, loadBinding } from '../../src/native/load.ts';
import type { PluginEntry, PluginRow } from '../../src/native/plugin-binding.ts';
import { PluginThreads } from '../../src/plugins/threads.ts';
import { Conversation, TcpConnection, type TimedFrame } from '../../src/traffic/conversations.ts';
import { Random } from '../../src/traffic/random.ts';
import { pcapOf } from '../../src/traffic/traffic.ts';

/**
 * One TCP session: it opens, becomes active, says one segment, and is there at the end. `conflict`:
 * it says that again with another second byte.
 */
export function tcpFrames(seed = 1, { conflict = false } = {}): TimedFrame[] {
  const talk = new Conversation(new Random(seed), 0, 80);
  const connection = new TcpConnection(talk);
  connection.open();
  connection.say(true, Buffer.from('hello'));
  if (conflict) connection.sayInstead(true, Buffer.from('hEllo'));
  return talk.frames;
}

/** `sessions` UDP sessions, each with `packets` datagrams of its opener's, one after the other. */
export function udpFrames(sessions: number, packets: number): TimedFrame[] {
  const talks = Array.from(
    { length: sessions },
    (_, i) => new Conversation(new Random(i + 1), 0, 5000),
  );
  const frames: TimedFrame[] = [];
  for (let packet = 0; packet < packets; packet += 1) {
    talks.forEach((talk, i) => {
      const payload = Buffer.from(`packet ${packet} of ${i}`);
      const header = Buffer.alloc(8);
      header.writeUInt16BE(talk.client.port, 0);
      header.writeUInt16BE(talk.server.port, 2);
      header.writeUInt16BE(8 + payload.length, 4);
      talk.send(true, 17, Buffer.concat([header, payload]));
      const frame = talk.frames.at(-1);
      if (frame !== undefined) frames.push({ ...frame, timeUs: frames.length * 10 });
    });
  }
  return frames;
}

/** Another capture, behind the first, for the same sessions; returns when it is through. */
export type More = (frames: readonly TimedFrame[]) => Promise<void>;

export class PluginEngine {
  readonly binding: Addon;
  readonly folder = mkdtempSync(join(tmpdir(), 'bricks-plugins-'));
  readonly warnings: string[] = [];
  readonly #threads: PluginThreads;
  #engines = 0;

  constructor(binding: Addon) {
    this.binding = binding;
    this.#threads = new PluginThreads(binding, (_, text) => this.warnings.push(text));
  }

  /** Runs the frames through a Session with these plugins to their end; what came of it. */
  async run(
    frames: readonly TimedFrame[],
    plugins: readonly PluginEntry[],
    between?: (list: number, more: More) => Promise<void>,
    options: EngineOptions = {},
    outputs = 1,
  ): Promise<{ rows: PluginRow[]; delivered: number; warnings: string[] }> {
    const { binding } = this;
    const list = binding.openPlugins();
    const name = `plugins${this.#engines++}`;
    let captures = 0;
    let sent = 0;
    const row = () => binding.snapshot().find((engine) => engine.name === name);
    const feed = async (some: readonly TimedFrame[], last: boolean): Promise<void> => {
      const capture = join(this.folder, `${name}-in${captures++}.pcap`);
      writeFileSync(capture, pcapOf(some));
      const outlets = Array.from({ length: outputs }, (_, i) => ({
        name: i === 0 ? 'null:' : `pcap:${join(this.folder, `${name}-${i}.pcap`)}`,
      }));
      // A pipe into which nobody writes: with it the end of a capture is no end of sessions.
      const ports = last ? [`pcap:${capture}`] : [`pcap:${capture}`, `${name}{0`];
      binding.apply(name, {
        inlets: ports.map((port) => ({ port, brick: 0 })),
        bricks: [{ id: 's', kind: 'Session', options: { plugins: list }, level: 0, outlets }],
      });
      sent += some.length;
    };
    const arrived = (): boolean => row()?.bricks[0]?.cell.packets === sent;
    try {
      binding.setPlugins(list, plugins);
      binding.createEngine(name, options);
      await feed(frames, between === undefined);
      binding.start(name);
      while (between === undefined ? !binding.waitDrained(name, 5) : !arrived()) await sleep(5);
      await between?.(list, async (some) => {
        await feed(some, false);
        while (!arrived()) await sleep(5);
      });
      binding.stop(name);
      const rows = binding.listPlugins(list);
      const delivered = row()?.outputs.reduce((sum, { cell }) => sum + cell.delivered, 0) ?? -1;
      return { rows, delivered, warnings: binding.pluginWarnings(list) };
    } finally {
      if (binding.snapshot().some((engine) => engine.name === name)) binding.deleteEngine(name);
      binding.closePlugins(list);
    }
  }

  async end(): Promise<void> {
    await this.#threads.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function usePluginEngine(t: TestContext): PluginEngine {
  const engine = new PluginEngine(loadBinding());
  t.after(() => engine.end());
  return engine;
}
