/**
 * The Lua worker as the daemon uses it, on the native part; skipped, and says so, where that is not
 * built.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LuaHost, type Outcome } from '../../../src/lua/host.ts';
import { packageRoot } from '../../../src/native/load.ts';

const addon = join(packageRoot(), 'native', 'build', 'release', 'bricks.node');
const missing = existsSync(addon) ? false : `${addon} is not built: run scripts/setup`;

describe('LuaHost', { skip: missing }, () => {
  let host: LuaHost;
  const exits: number[] = [];
  let printed = '';
  let last = '';

  before(() => {
    host = new LuaHost({ onExit: (status) => exits.push(status) });
  });
  after(() => host.close());

  function run(code: string, interactive = false): Promise<Outcome> {
    printed = '';
    last = '';
    return host.execute(code, 'test', interactive, (stream, text) => {
      printed += stream === last ? text : `${stream}:${text}`;
      last = stream;
    });
  }

  test('output of both streams and of programs comes in order, before the outcome', async () => {
    const code = 'print("a") io.stderr:write("b\\n") os.execute("echo c; echo d >&2")';
    assert.deepEqual(await run(code), { ok: true });
    assert.equal(printed, 'stdout:a\nstderr:b\nd\nstdout:c\n');
  });

  test('output comes while the script runs', async () => {
    const seen = new Promise<string>((resolve) => {
      const running = host.execute('print("now") BRICKS.sleep(1000)', 'test', false, (_, text) => {
        resolve(text);
      });
      assert.ok(running);
    });
    assert.equal(await seen, 'now\n');
    host.interrupt();
    assert.deepEqual(await host.complete('BRICKS.help'), ['BRICKS.help']);
  });

  test('interrupt ends the running chunk only', async () => {
    const endless = run('while true do end');
    const next = host.execute('return 1', 'test', false, () => {});
    host.interrupt();
    // The worker may not have begun: the interrupt is for that request all the same.
    assert.deepEqual(await endless, {
      ok: false,
      error: { code: 'interrupted', message: 'interrupted' },
    });
    assert.deepEqual(await next, { ok: true });
  });

  test('packets made here are all delivered and the ledger balances', async () => {
    const outcome = await run(`
      pe = PktEngine.new("host-test")
      lb = Brick.new("LoadBalancer")
      lb:connect_input("gen:60?flows=100&seed=1&count=10000")
      lb:connect_output("null:")
      pe:link(lb)
      pe:start()
      print(pe:wait(20), BRICKS.ledger().difference, pe:stats().packets)
      pe:stop()
      pe:delete()
    `);
    assert.deepEqual(outcome, { ok: true });
    assert.equal(printed, 'stdout:true\t0\t10000\n');
  });

  test('errors of the native part keep their code', async () => {
    const outcome = await run('Brick.new("LoadBalancer", { tuple = 9 })');
    assert.ok(!outcome.ok);
    assert.equal(outcome.error.code, 'invalid_argument');
  });

  test('os.exit reaches the daemon', async () => {
    await run('os.exit(-1)');
    assert.deepEqual(exits, [255]);
  });
});
