/**
 * What a whole-program test lives in: a runtime folder of its own, and programs that end with it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pidFileHolder } from '../../src/daemon/pid-file.ts';
import type { Ledger } from '../../src/engine/ledger.ts';
import { root } from '../support/source-tree.ts';

/** Nothing that works takes so long, even on a busy machine. */
export const patienceMs = 60_000;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Program {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  #stdout = '';
  #stderr = '';
  #isOver = false;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    child.stdin?.on('error', () => {}); // it may end without reading
    this.ended = new Promise((resolve) => {
      const finish = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.#isOver = true;
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr });
      };
      child.once('close', finish);
      child.once('error', () => finish(null, null));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** What it has said on its standard output so far. */
  get stdout(): string {
    return this.#stdout;
  }

  get text(): string {
    return this.#stdout + this.#stderr;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  endInput(): void {
    this.#child.stdin?.end();
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Until it has printed that; fails when it ends first. */
  says(pattern: RegExp): Promise<void> {
    return until(`it says ${pattern}`, () => {
      if (!pattern.test(this.text) && this.#isOver) {
        throw new Error(`it ended without saying ${pattern}; it said: ${this.text}`);
      }
      return pattern.test(this.text);
    });
  }

  /** Types that, and waits for what is printed from then on. */
  async type(text: string, pattern: RegExp): Promise<void> {
    this.#stdout = '';
    this.write(text);
    await this.says(pattern);
  }
}

/** Asks again and again until `condition` holds. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > end) {
      throw new Error(`waited ${patienceMs / 1000} s in vain until ${what}`);
    }
    await sleep(10);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // gone by itself
  }
}

export class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'bricks-e2e-'));
  readonly runDir = join(this.folder, 'run');
  readonly env: NodeJS.ProcessEnv;
  readonly #programs: Program[] = [];

  constructor() {
    const { BRICKS_HISTORY: _history, ...env } = process.env;
    this.env = { ...env, BRICKS_RUN_DIR: this.runDir, NO_COLOR: '1', HOME: this.folder };
  }

  #spawn(command: string, args: readonly string[], input?: string): Program {
    const child = spawn(command, args, {
      cwd: this.folder,
      env: this.env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const program = new Program(child);
    this.#programs.push(program);
    if (input !== undefined) {
      child.stdin.end(input);
    }
    return program;
  }

  /** Starts any program, as `start` does. */
  startProgram(command: string, args: readonly string[], input?: string): Program {
    return this.#spawn(command, args, input);
  }

  async #finish(program: Program): Promise<Ended> {
    const over = await Promise.race([
      program.ended,
      sleep(patienceMs, undefined, { ref: false }).then(() => undefined),
    ]);
    if (over === undefined) {
      throw new Error(`process ${program.pid} hangs; so far it said: ${program.text}`);
    }
    return over;
  }

  /** Starts bin/`name`. Its stdin stays open unless `input` is given. */
  start(name: string, args: readonly string[], input?: string): Program {
    return this.#spawn(join(root, 'bin', name), args, input);
  }

  /** Starts bin/`name` on a terminal of its own (util-linux' script); `write` types. */
  startOnTerminal(name: string, words = ''): Program {
    const command = `exec '${join(root, 'bin', name)}' ${words}`;
    return this.#spawn('script', ['-qefc', command, '/dev/null']);
  }

  /** Runs it to its end. */
  run(name: string, args: readonly string[], input = ''): Promise<Ended> {
    return this.#finish(this.start(name, args, input));
  }

  /** As `run`, without one of root's capabilities. */
  runWithout(capability: string, name: string, args: readonly string[]): Promise<Ended> {
    const drop = ['--bounding-set', `-${capability}`, '--inh-caps', `-${capability}`];
    return this.#finish(this.#spawn('setpriv', [...drop, join(root, 'bin', name), ...args], ''));
  }

  /** Puts a file into the folder; returns its path. */
  file(name: string, content: string | Buffer): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  /** Makes a folder in the folder; returns its path. */
  folderOf(name: string): string {
    const path = join(this.folder, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  read(name: string): string {
    return readFileSync(join(this.folder, name), 'utf8');
  }

  get daemonPid(): number | undefined {
    return pidFileHolder(join(this.runDir, 'bricks.pid'));
  }

  async ledger(): Promise<Ledger> {
    const { code, stdout, stderr } = await this.run('bricks', ['ledger', '--json']);
    if (code !== 0) {
      throw new Error(`bricks ledger ended with ${code}: ${stderr}`);
    }
    return JSON.parse(stdout) as Ledger;
  }

  /** Delivered by the output of that name. */
  async delivered(name: string): Promise<number> {
    const { outputs } = await this.ledger();
    return outputs.find((output) => output.name === name)?.delivered ?? 0;
  }

  async end(): Promise<void> {
    // It may be about to end by itself; what is left of it writes into the folder.
    await until('the daemon is gone', () => {
      const daemon = this.daemonPid;
      if (daemon !== undefined) signal(daemon, 'SIGKILL');
      return daemon === undefined;
    });
    for (const program of this.#programs.filter(({ isOver }) => !isOver)) {
      program.kill('SIGKILL');
      await program.ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function useWorld(t: TestContext): World {
  const world = new World();
  t.after(() => world.end());
  return world;
}
