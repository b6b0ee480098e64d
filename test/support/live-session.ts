/** A Lua machine on the real engines, in a folder of its own; both end with the test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { readCapture } from '../../src/capture/read.ts';
import type { CaptureRecord } from '../../src/capture/record.ts';
import { stopAll } from '../../src/engine/engine.ts';
import { Machine } from '../../src/lua/machine.ts';
import { Signals } from '../../src/lua/signals.ts';
import { loadBinding } from '../../src/native/load.ts';
import { writeTraffic } from '../../src/traffic/traffic.ts';

// The same choices of the balancers on every run; read when the first engine is made.
process.env['BRICKS_HASH_SEED'] ??= '1';

/** Lua: returns when engine `pe` has received more than at the call; raises when it never does. */
const moves = `
  function moves(pe)
    local before = pe:stats().packets
    for _ = 1, 3000 do
      if pe:stats().packets > before then return true end
      BRICKS.sleep(0.01)
    end
    error("engine " .. pe:stats().name .. " stands still")
  end`;

export class LiveSession {
  readonly folder = mkdtempSync(join(tmpdir(), 'bricks-live-'));
  readonly #binding = loadBinding();
  readonly #machine: Machine;
  #printed = '';

  constructor() {
    const signals = new Signals(Signals.memory());
    signals.current = 1;
    this.#machine = new Machine({
      binding: this.#binding,
      signals,
      sink: (_stream, text) => {
        this.#printed += text;
      },
      onExit: (status) => {
        throw new Error(`the script left with ${status}`);
      },
    });
    this.run(moves);
  }

  /** Runs Lua; what it printed is returned, what it raised is thrown as `code: message`. */
  run(code: string): string {
    this.#printed = '';
    const outcome = this.#machine.execute(code, 'test', false);
    if (!outcome.ok) throw new Error(`${outcome.error.code}: ${outcome.error.message}`);
    return this.#printed;
  }

  /** Runs Lua that must fail: `code: message`. */
  fault(code: string): string {
    const outcome = this.#machine.execute(code, 'test', false);
    if (outcome.ok) throw new Error(`this did not fail: ${code}`);
    return `${outcome.error.code}: ${outcome.error.message}`;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Makes a capture of so many conversations; returns its packets. */
  traffic(name: string, seed: number, flows = 60): readonly CaptureRecord[] {
    writeTraffic(this.path(name), { seed, flows });
    return this.records(name);
  }

  records(name: string): readonly CaptureRecord[] {
    return readCapture(this.path(name)).records;
  }

  end(): void {
    stopAll(this.#binding);
    for (const { name } of this.#binding.snapshot()) this.#binding.deleteEngine(name);
    rmSync(this.folder, { recursive: true });
  }
}

export function useLiveSession(t: TestContext): LiveSession {
  const session = new LiveSession();
  t.after(() => session.end());
  return session;
}
