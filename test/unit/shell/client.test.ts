/** The client and the server it talks to, over a real socket, with a machine made for tests. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { serveClient } from '../../../src/daemon/client-session.ts';
import { LuaQueue } from '../../../src/daemon/lua-queue.ts';
import { ControlServer } from '../../../src/daemon/server.ts';
import { BricksError } from '../../../src/errors.ts';
import { DaemonClient } from '../../../src/shell/client.ts';
import { ScriptedMachine } from '../daemon/machine.ts';

async function setUp(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'bricks-shell-'));
  const path = join(folder, 'control.sock');
  const machine = new ScriptedMachine();
  const lua = new LuaQueue(machine);
  const state = { ready: false, shutdowns: 0 };
  const server = await ControlServer.open(path, {
    isReady: () => state.ready,
    metrics: () => '# EOF\n',
    onClient: (socket) =>
      serveClient(socket, {
        lua,
        report: (name) => {
          if (name === 'stats') {
            throw new BricksError('failed', 'no stats today');
          }
          return { report: name };
        },
        explain: (question) => [question],
        openTap: (link) => link,
        closeTap: () => {},
        shutdown: () => {
          state.shutdowns += 1;
        },
      }),
  });
  let open = true;
  const close = async (): Promise<void> => {
    if (open) {
      open = false;
      await server.close(1000);
    }
  };
  t.after(async () => {
    await close();
    rmSync(folder, { recursive: true });
  });
  return { path, machine, state, close, connect: () => DaemonClient.connect({ path }) };
}

test('output arrives in order, then the result; several clients share the machine', async (t) => {
  const { machine, connect: open } = await setUp(t);
  machine.onStart = ({ code, onOutput, settle }) => {
    onOutput('stdout', `${code} a`);
    onOutput('stderr', `${code} b`);
    onOutput('stdout', `${code} c`);
    settle({ ok: true });
  };
  const clients = await Promise.all([open(), open(), open()]);
  await Promise.all(
    clients.map(async (client, index) => {
      const heard: string[] = [];
      const code = `chunk ${index}`;
      const result = await client.execute(code, 'test', true, (stream, text) =>
        heard.push(`${stream} ${text}`),
      );
      assert.deepEqual(result, { ok: true, incomplete: false });
      const expected = [`stdout ${code} a`, `stderr ${code} b`, `stdout ${code} c`];
      assert.deepEqual(heard, expected);
      await client.close();
    }),
  );
});

test('while Lua runs: reports are answered, an interrupt ends it', async (t) => {
  const { connect: open } = await setUp(t);
  const client = await open();
  const running = client.execute('while true do end', 'test', false, () => {});
  assert.deepEqual(await client.report('ledger'), { report: 'ledger' });
  await assert.rejects(client.report('stats'), { code: 'failed', message: 'no stats today' });
  assert.deepEqual(await client.complete('pe'), []);
  client.interrupt();
  const result = await running;
  assert.equal(result.ok ? '' : result.error.code, 'interrupted');
  assert.deepEqual(await client.complete('pe'), ['pe!']);
});

test('what a client left running is interrupted when it goes', async (t) => {
  const { machine, connect: open } = await setUp(t);
  const began = new Promise((resolve) => {
    machine.onStart = resolve;
  });
  const client = await open();
  const running = client.execute('while true do end', 'test', false, () => {});
  await began;
  const other = await open();
  const waiting = other.execute('2', 'test', false, () => {});
  machine.onStart = ({ settle }) => settle({ ok: true });
  await client.close();
  await assert.rejects(running, { code: 'daemon_unreachable' });
  assert.equal((await waiting).ok, true);
  assert.equal(machine.interrupts, 1);
});

test('a daemon that goes is told at once', async (t) => {
  const { connect: open, close } = await setUp(t);
  const client = await open();
  const running = client.execute('x', 'test', false, () => {});
  const closing = close();
  await assert.rejects(running, { code: 'daemon_unreachable', message: /has gone.*bricks-server/ });
  await closing;
  await client.closed;
  await assert.rejects(client.report('status'), { code: 'daemon_unreachable' });
});

test('no daemon: daemon_unreachable, with what to type', async (t) => {
  const { path, close } = await setUp(t);
  await close();
  const expected = { code: 'daemon_unreachable', message: /no daemon answers.*bricks-server/ };
  await assert.rejects(DaemonClient.connect({ path }), expected);
  writeFileSync(path, 'not a socket');
  await assert.rejects(DaemonClient.connect({ path }), expected);
});

test('the socket is for its owner; a second server on it is refused', async (t) => {
  const { path } = await setUp(t);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const events = { isReady: () => true, metrics: () => '', onClient: () => {} };
  await assert.rejects(ControlServer.open(path, events), { code: 'busy' });
});

function get(socketPath: string, page: string): Promise<[number | undefined, string]> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path: page }, async (response) => {
      let text = '';
      for await (const part of response) {
        text += part;
      }
      resolve([response.statusCode, text]);
    });
    sent.on('error', reject).end();
  });
}

test('pages for those who watch', async (t) => {
  const { path, state } = await setUp(t);
  assert.deepEqual(await get(path, '/healthz'), [200, 'ok\n']);
  assert.deepEqual(await get(path, '/readyz'), [503, 'starting\n']);
  state.ready = true;
  assert.deepEqual(await get(path, '/readyz'), [200, 'ready\n']);
  assert.equal((await get(path, '/constructor'))[0], 404);
});

test('nonsense from a client is answered or ends that client, nobody else', async (t) => {
  const { path, state, connect: open } = await setUp(t);
  const client = await open();
  const rude = new WebSocket('ws://localhost/', { createConnection: () => connect(path) });
  await once(rude, 'open');
  rude.send('{"id":3,"type":"format"}');
  const [answer] = await once(rude, 'message');
  assert.deepEqual(JSON.parse(String(answer)).error.code, 'usage');
  const ended = once(rude, 'close');
  rude.send('x'.repeat(5 * 1024 * 1024));
  await ended;
  const raw = connect(path);
  raw.on('error', () => {});
  raw.write('\x00\x01\x02 nonsense\r\n\r\n');
  await once(raw, 'close');
  assert.deepEqual(await client.report('status'), { report: 'status' });
  await client.request({ type: 'shutdown' });
  assert.equal(state.shutdowns, 1);
});
