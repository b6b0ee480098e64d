/** Options as b:get() shows them, with the kinds that there are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Machine } from '../../../src/lua/machine.ts';
import { Signals } from '../../../src/lua/signals.ts';
import { loadBinding } from '../../../src/native/load.ts';

function run(code: string): string {
  let printed = '';
  const machine = new Machine({
    binding: loadBinding(),
    signals: new Signals(Signals.memory()),
    sink: (_, text) => {
      printed += text;
    },
    onExit: () => {},
  });
  const outcome = machine.execute(code, 'test', false);
  assert.ok(outcome.ok, JSON.stringify(outcome));
  return printed;
}

test('get shows whether flows are pinned where nobody said so, and goes on to', () => {
  const code = `
    lb = Brick.new("LoadBalancer")
    print(lb:get().pin, lb:set{ placement = "modulo" }:get().pin)
    print(lb:set{ placement = "least_loaded" }:get().pin)
    print(Brick.new("LoadBalancer", { placement = "modulo", pin = true }):get().pin)
    print(Brick.new("LoadBalancer", { pin = false }):get().pin)
    print(Brick.new("Merge"):get().pin)
  `;
  assert.equal(run(code), 'true\tfalse\ntrue\ntrue\nfalse\nnil\n');
});
