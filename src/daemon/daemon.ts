/**
 * A running bricks: the runtime folder, the Lua machine, the engines and whoever is connected. The
 * one place that knows in which order they begin and end.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { stopAll } from '../engine/engine.ts';
import { ledgerOf } from '../engine/ledger.ts';
import { readMetrics } from '../engine/metrics.ts';
import { statusOf } from '../engine/status.ts';
import { exitCodes } from '../errors.ts';
import { LuaHost } from '../lua/host.ts';
import type { EngineSnapshot, FlowQuestion } from '../native/binding.ts';
import { type Addon, loadBinding, packageVersion } from '../native/load.ts';
import { PluginThreads } from '../plugins/threads.ts';
import type { ChunkResult, Evaluator, OutputListener } from '../shell/evaluator.ts';
import { type ReportName, serveClient } from './client-session.ts';
import { LegacyServer } from './legacy-server.ts';
import type { Log } from './log.ts';
import { LuaQueue } from './lua-queue.ts';
import { PidFile } from './pid-file.ts';
import { Rates } from './rates.ts';
import { makeRunDir, type RunDir } from './run-dir.ts';
import { ControlServer } from './server.ts';
import { Supervisor } from './supervisor.ts';

/** How long clients may take to read what the daemon said last. */
const farewellMs = 1000;

/** How long Lua may take to hear that it is to end, and its thread after that. */
const luaGraceMs = 500;

export interface DaemonOptions {
  /** Port on 127.0.0.1 for packet-bricks' shell protocol. */
  readonly legacyPort?: number | undefined;
}

export class Daemon implements Evaluator {
  /** Settles when the daemon has ended and left nothing but its log. */
  readonly closed: Promise<void>;
  readonly #log: Log;
  readonly #binding: Addon;
  readonly #pidFile: PidFile;
  readonly #rates: Rates;
  #host: LuaHost | undefined;
  #lua: LuaQueue | undefined;
  #server: ControlServer | undefined;
  #legacy: LegacyServer | undefined;
  readonly #supervisor: Supervisor;
  readonly #plugins: PluginThreads;
  #ready = false;
  /** How many of each engine's warnings have been told. */
  readonly #warned = new Map<string, number>();
  #exitStatus: number | undefined;
  #ending: Promise<void> | undefined;
  #settleClosed: () => void = () => {};

  private constructor(binding: Addon, pidFile: PidFile, log: Log) {
    this.#log = log;
    this.#binding = binding;
    this.#pidFile = pidFile;
    this.#rates = new Rates(() => this.snapshot());
    this.#supervisor = new Supervisor(binding);
    this.#plugins = new PluginThreads(binding, log);
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
  }

  /**
   * Takes the runtime folder and opens both sockets; no Lua has run yet. Throws `busy` when another
   * daemon is there, and what the folder, the sockets or the addon have to say.
   */
  static async open(runDir: RunDir, log: Log, options: DaemonOptions = {}): Promise<Daemon> {
    const binding = loadBinding();
    makeRunDir(runDir);
    const daemon = new Daemon(binding, PidFile.take(runDir.pidFile), log);
    try {
      await daemon.#begin(runDir, options);
    } catch (error) {
      await daemon.close();
      throw error;
    }
    return daemon;
  }

  async #begin(runDir: RunDir, { legacyPort }: DaemonOptions): Promise<void> {
    this.#binding.openPorts(runDir.path);
    this.#host = new LuaHost({
      onExit: (status) => {
        this.#exitStatus ??= status;
        void this.close();
      },
    });
    const lua = new LuaQueue(this.#host);
    this.#lua = lua;
    const services = {
      lua,
      report: (name: ReportName) => this.#report(name),
      explain: (question: FlowQuestion) => this.#binding.explain(question),
      openTap: (link: string, expression: string, sample: number) =>
        this.#binding.openTap(link, expression, sample),
      closeTap: (pipe: string) =>
        this.#attempt('closing a tap', () => this.#binding.closeTap(pipe)),
      shutdown: () => {
        this.#log('info', 'a client asks to end');
        void this.close();
      },
    };
    this.#server = await ControlServer.open(runDir.controlSocket, {
      onClient: (socket) => serveClient(socket, services),
      isReady: () => this.#ready,
      metrics: () => readMetrics(this.#binding, this.snapshot(), packageVersion()),
    });
    if (legacyPort !== undefined) {
      this.#legacy = await LegacyServer.open(legacyPort, lua);
    }
    this.#log('info', 'listening', { path: runDir.path, pid: process.pid });
  }

  /** Every look at the engines also tells what they have to warn of: a capture cut short, say. */
  snapshot(): EngineSnapshot[] {
    const engines = this.#binding.snapshot();
    for (const { name, warnings } of engines) {
      const told = this.#warned.get(name) ?? 0;
      // Fewer than before: another engine of that name.
      for (const warning of warnings.slice(told <= warnings.length ? told : 0)) {
        this.#log('warning', warning, { engine: name });
      }
      this.#warned.set(name, warnings.length);
    }
    return engines;
  }

  #report(name: ReportName): unknown {
    switch (name) {
      case 'status':
        return statusOf(this.snapshot(), this.#binding.listQueueGroups());
      case 'stats':
        return this.#rates.stats();
      case 'ledger':
        return ledgerOf(this.snapshot());
    }
  }

  /** Runs the startup script. */
  runScript(path: string, onOutput: OutputListener): Promise<ChunkResult> {
    return this.#luaQueue().execute({ owner: this, file: path, onOutput });
  }

  /** Puts another file behind stdout and stderr. */
  redirectOutput(path: string): void {
    this.#binding.redirectOutput(path);
  }

  /** One line to syslog(3)'s socket. Throws when nobody listens there. */
  sendDatagram(path: string, text: string): void {
    this.#binding.sendDatagram(path, text);
  }

  /** What the program's exit code is to be; undefined while nobody has ended it from inside. */
  get exitStatus(): number | undefined {
    return this.#ending === undefined ? undefined : (this.#exitStatus ?? exitCodes.ok);
  }

  /**
   * What `/readyz` and the service manager are told: the startup script has been carried out, or
   * has got going. Not of a daemon that ends already: STOPPING=1 is its last word.
   */
  setReady(): void {
    if (this.#ending !== undefined) return;
    this.#ready = true;
    this.#supervisor.ready();
  }

  execute(
    code: string,
    name: string,
    interactive: boolean,
    onOutput: OutputListener,
  ): Promise<ChunkResult> {
    const chunk = { owner: this, code, name, interactive, onOutput };
    return this.#luaQueue().execute(chunk);
  }

  interrupt(): void {
    this.#lua?.interrupt(this);
  }

  complete(line: string): Promise<string[]> {
    return this.#luaQueue().complete(line);
  }

  #luaQueue(): LuaQueue {
    if (this.#lua === undefined) {
      throw new Error('the daemon has not begun');
    }
    return this.#lua;
  }

  /** Ends it in order; calling it again waits for the same end. */
  close(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    this.#ready = false;
    this.#supervisor.stopping();
    this.#rates.stop();
    // Nobody may start engines any more; then engines deliver what they hold and stop; then
    // consumers see their pipes close; clients and other daemons come last.
    await this.#lua?.close(luaGraceMs);
    await Promise.race([this.#host?.close(), sleep(luaGraceMs, undefined, { ref: false })]);
    this.#attempt('stopping the engines', () => stopAll(this.#binding));
    this.#attempt('closing the engines', () => {
      for (const { name } of this.snapshot()) {
        this.#binding.deleteEngine(name);
      }
    });
    // Engines have told plugins of the last sessions' ends.
    await this.#plugins.close();
    this.#attempt('closing ports.sock', () => this.#binding.closePorts());
    await Promise.all([this.#server?.close(farewellMs), this.#legacy?.close(farewellMs)]);
    this.#pidFile.release();
    this.#log('info', 'ended');
    this.#settleClosed();
  }

  /** A failure on the way out is told, but does not keep the rest from being closed. */
  #attempt(what: string, step: () => void): void {
    try {
      step();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log('error', `${what} failed: ${reason}`);
    }
  }
}
