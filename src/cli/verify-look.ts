/** One look of the witness: taps at the inputs, observers at the outputs, for some seconds. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ledger } from '../engine/ledger.ts';
import type { EngineStatus, Status } from '../engine/status.ts';
import { BricksError } from '../errors.ts';
import { DaemonClient } from '../shell/client.ts';
import { groupsOf } from '../witness/shape.ts';
import { Sightings, type Wanted } from '../witness/stream.ts';
import { clientProgram } from './cat.ts';

/** What is still on its way through the engine when the taps end. */
const settleMs = 700;
/** Packets kept of one side: what a witness can hold. */
const packetsMax = 500_000;

class Observer {
  readonly sightings: Sightings;
  readonly ready: Promise<void>;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  constructor(words: readonly string[], runDir: string, wanted: Wanted) {
    this.sightings = new Sightings(wanted);
    const child = spawn(clientProgram('bricks-observe'), words, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, BRICKS_RUN_DIR: runDir },
    });
    this.#child = child;
    let told = '';
    child.stdout.on('data', (chunk: Buffer) => {
      const isFull = this.sightings.seen.length >= packetsMax;
      if (isFull || !this.sightings.add(chunk)) child.kill('SIGTERM');
    });
    this.#ended = new Promise((resolve) => {
      child.once('close', () => resolve());
      child.once('error', () => resolve());
    });
    this.ready = new Promise((resolve, reject) => {
      child.stderr.on('data', (text: Buffer) => {
        told += text.toString();
        if (told.includes('ready\n')) resolve();
      });
      void this.#ended.then(() => {
        const isDenied = child.exitCode === 5;
        const message = `${told.trim() || 'bricks-observe does not start'}`;
        reject(new BricksError(isDenied ? 'permission_denied' : 'failed', message));
      });
    });
  }

  async end(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#ended;
  }
}

export interface Look {
  readonly before: Status;
  readonly after: Status;
  /** Of the time in which anybody looked. */
  readonly ledgers: readonly [Ledger, Ledger];
  readonly inputs: Map<string, Sightings>;
  readonly outputs: Map<string, Sightings>;
  /** Packets that the taps had no room for: more than 0, and nothing can be said. */
  readonly tapsLost: number;
  readonly seconds: number;
}

/** Where an input or output is, over all engines. */
export const keyOf = (engine: string, name: string): string => `${engine}\n${name}`;

function tapsLostOf({ engines }: Status, pipes: ReadonlySet<string>): number {
  return engines
    .flatMap(({ taps }) => taps)
    .filter(({ name }) => pipes.has(name.replace(/\{(?=[^{}]*$)/, '}')))
    .flatMap(({ dropped }) => Object.values(dropped))
    .reduce((sum, count) => sum + count, 0);
}

/** Throws what the daemon or the observers had to say. */
export async function lookAt(
  socket: string,
  runDir: string,
  sample: number,
  wantedSeconds: number,
  isOver: () => boolean,
): Promise<Look> {
  const client = await DaemonClient.connect({ path: socket });
  const observers: Observer[] = [];
  const taps = new Map<string, Observer>();
  const outputs = new Map<string, Observer>();
  let wanted: Wanted = {};
  const observe = (...words: string[]): Observer => {
    const made = new Observer([...words, String(sample)], runDir, wanted);
    observers.push(made);
    return made;
  };
  try {
    const before = (await client.report('status')) as Status;
    const running = before.engines.filter(({ state }) => state === 'running');
    const ledger = (await client.report('ledger')) as Ledger;
    const pipes = new Set<string>();
    const rules = running.flatMap((engine) => groupsOf(engine).map(({ rule }) => rule));
    wanted = { outer: rules.some(({ outer }) => outer), speech: rules.some(({ moves }) => moves) };
    const eachInput = (engine: EngineStatus): Set<string> =>
      new Set([
        ...engine.inputs.map(({ name }) => name),
        ...groupsOf(engine).flatMap(({ inputs }) => inputs),
      ]);
    // Taps first: whatever an output is then seen to get has been seen to come.
    for (const engine of running) {
      for (const name of eachInput(engine)) {
        const pipe = await client.openTap(name, '', sample);
        pipes.add(pipe);
        taps.set(keyOf(engine.name, name), observe('-', pipe));
      }
    }
    await Promise.all(observers.map(({ ready }) => ready));
    for (const engine of running) {
      for (const { name, memory } of engine.outputs) {
        if (memory === undefined) continue;
        outputs.set(keyOf(engine.name, name), observe(memory.path, String(memory.offset)));
      }
    }
    await Promise.all(observers.map(({ ready }) => ready));
    const start = performance.now();
    while (performance.now() - start < wantedSeconds * 1000 && !isOver()) await sleep(50);
    const seconds = (performance.now() - start) / 1000;
    const tapsLost = tapsLostOf((await client.report('status')) as Status, pipes);
    await Promise.all([...taps.values()].map((tap) => tap.end()));
    await sleep(settleMs);
    await Promise.all([...outputs.values()].map((output) => output.end()));
    const after = (await client.report('status')) as Status;
    const ledgers = [ledger, (await client.report('ledger')) as Ledger] as const;
    const sightings = (from: Map<string, Observer>): Map<string, Sightings> =>
      new Map([...from].map(([key, observer]) => [key, observer.sightings]));
    const [inputs, seen] = [sightings(taps), sightings(outputs)];
    return { before, after, ledgers, inputs, outputs: seen, tapsLost, seconds };
  } finally {
    await Promise.all(observers.map((observer) => observer.end()));
    await client.close();
  }
}
