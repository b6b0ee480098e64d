/** A Lua machine on a fake binding, and what it printed. */
import assert from 'node:assert/strict';
import { arrows } from '../../../src/flow/arrows.ts';
import { Machine, type Outcome } from '../../../src/lua/machine.ts';
import { Signals } from '../../../src/lua/signals.ts';
import { FakeBinding } from './fake-binding.ts';

export class LuaSession {
  readonly binding = new FakeBinding();
  readonly signals = new Signals(Signals.memory());
  readonly exits: number[] = [];
  stdout = '';
  stderr = '';
  readonly machine: Machine;

  constructor() {
    this.signals.current = 1;
    this.machine = new Machine({
      binding: this.binding,
      signals: this.signals,
      sink: (stream, text) => {
        this[stream] += text;
      },
      onExit: (status) => this.exits.push(status),
    });
  }

  /** Runs a script; its output is what is returned. Throws what it raised. */
  run(code: string): string {
    this.stdout = '';
    this.stderr = '';
    const outcome = this.machine.execute(code, 'test', false);
    if (!outcome.ok) throw new Error(`${outcome.error.code}: ${outcome.error.message}`);
    return this.stdout;
  }

  /** Runs a script that must fail: `code: message`. */
  fault(code: string): string {
    const outcome = this.machine.execute(code, 'test', false);
    if (outcome.ok) throw new Error(`this did not fail: ${code}`);
    return `${outcome.error.code}: ${outcome.error.message}`;
  }

  /** Types a line into the shell; returns what is printed. */
  type(code: string): string {
    this.stdout = '';
    const outcome: Outcome = this.machine.execute(code, 'stdin', true);
    if (!outcome.ok) return `${outcome.error.code}: ${outcome.error.message}`;
    return outcome.incomplete ? '...' : this.stdout;
  }
}

/** An engine that balances eth3 over two pipes. */
export const oneEngine = `
  pe = PktEngine.new("e0")
  lb = Brick.new("LoadBalancer")
  lb:connect_input("eth3")
  lb:connect_output("eth3{0", "eth3{1")
  pe:link(lb)
`;

export function linked(): LuaSession {
  const session = new LuaSession();
  session.run(oneEngine);
  return session;
}

/** Its arrows. */
export function graphOf(session: LuaSession, name = 'e0'): string[] {
  const graph = session.binding.engines.get(name)?.graph;
  assert.ok(graph);
  return arrows(graph);
}
