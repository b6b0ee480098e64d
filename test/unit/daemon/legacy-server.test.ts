/** packet-bricks' shell protocol, as its old clients speak it: over TCP, byte 0x7F at each end. */
import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { ownerOfConnection } from '../../../src/daemon/legacy-peer.ts';
import { LegacyServer, legacyRequestBytesMax } from '../../../src/daemon/legacy-server.ts';
import { LuaQueue } from '../../../src/daemon/lua-queue.ts';
import { ScriptedMachine } from './machine.ts';

const del = '\x7f';

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

class Client {
  readonly socket: Socket;
  text = '';
  closed = false;
  #changed: () => void = () => {};

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setEncoding('utf8').on('data', (text: string) => {
      this.text += text;
      this.#changed();
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closed = true;
      this.#changed();
    });
  }

  /** What comes up to and with the next 0x7F, or the end of the connection. */
  async answer(): Promise<string> {
    while (!this.text.includes(del) && !this.closed) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
    const end = this.text.includes(del) ? this.text.indexOf(del) + 1 : this.text.length;
    const answer = this.text.slice(0, end);
    this.text = this.text.slice(end);
    return answer;
  }
}

/** A server whose Lua prints the code it is given; `wait` stays, `fail` fails. */
async function setUp(t: TestContext) {
  const machine = new ScriptedMachine();
  machine.onStart = ({ code, onOutput, settle }) => {
    if (code === 'wait') return;
    if (code === 'fail') {
      settle({ ok: false, error: { code: 'script_failed', message: 'init:1: no' } });
      return;
    }
    onOutput('stdout', `[${code}]`);
    onOutput('stderr', '!');
    settle({ ok: true });
  };
  const port = await freePort();
  const server = await LegacyServer.open(port, new LuaQueue(machine));
  t.after(() => server.close(100));
  const client = (): Client => {
    const made = new Client(port);
    t.after(() => made.socket.destroy());
    return made;
  };
  return { machine, port, client };
}

test('an answer is everything printed, ended by 0x7F; requests in order', async (t) => {
  const { client } = await setUp(t);
  const shell = client();
  shell.socket.write(`one${del}tw`);
  assert.equal(await shell.answer(), `[one]!${del}`);
  shell.socket.write(`o${del}three${del}${del}`);
  assert.equal(await shell.answer(), `[two]!${del}`);
  assert.equal(await shell.answer(), `[three]!${del}`);
  assert.equal(await shell.answer(), `[]!${del}`);
  shell.socket.write(`= 1 + 1${del}fail${del}`);
  assert.equal(await shell.answer(), `[return  1 + 1]!${del}`);
  assert.equal(await shell.answer(), `init:1: no\n${del}`);
});

test('the mark inside what is printed does not end the answer', async (t) => {
  const { machine, client } = await setUp(t);
  machine.onStart = ({ onOutput, settle }) => {
    onOutput('stdout', `a${del}b`);
    settle({ ok: true });
  };
  const shell = client();
  shell.socket.write(`x${del}`);
  assert.equal(await shell.answer(), `a?b${del}`);
});

test('a silent client, and one in the middle of a request, block nobody', async (t) => {
  const { client } = await setUp(t);
  const [, half, busy] = [client(), client(), client()];
  half?.socket.write('half a requ');
  busy?.socket.write(`three${del}`);
  assert.equal(await busy?.answer(), `[three]!${del}`);
  half?.socket.write(`est${del}`);
  assert.equal(await half?.answer(), `[half a request]!${del}`);
});

test('whoever half-closes still gets the answer, then the end', async (t) => {
  const { client } = await setUp(t);
  const shell = client();
  shell.socket.end(`one${del}two${del}`);
  assert.equal(await shell.answer(), `[one]!${del}`);
  assert.equal(await shell.answer(), `[two]!${del}`);
  assert.equal(await shell.answer(), '');
});

test('a client that breaks off interrupts its chunk', async (t) => {
  const { machine, client } = await setUp(t);
  const shell = client();
  const started = new Promise<void>((resolve) => {
    machine.onStart = () => resolve();
  });
  shell.socket.write(`wait${del}`);
  await started;
  const interrupted = new Promise<void>((resolve) => {
    const before = machine.interrupt.bind(machine);
    machine.interrupt = () => {
      before();
      resolve();
    };
  });
  shell.socket.resetAndDestroy();
  await interrupted;
  assert.equal(machine.interrupts, 1);
});

test('a request that never ends is refused by name', async (t) => {
  const { client } = await setUp(t);
  const shell = client();
  shell.socket.write('x'.repeat(legacyRequestBytesMax + 1));
  assert.match(await shell.answer(), /^a request has at most 1048576 bytes; .*\n\x7f$/);
  const whole = client();
  whole.socket.write(`${'y'.repeat(legacyRequestBytesMax)}${del}`);
  assert.equal((await whole.answer()).length, legacyRequestBytesMax + 4);
});

test('a port that is taken: busy, and what to type', async (t) => {
  const { port } = await setUp(t);
  await assert.rejects(LegacyServer.open(port, new LuaQueue(new ScriptedMachine())), {
    code: 'busy',
    message: /^cannot listen on 127\.0\.0\.1:\d+: another program .*--legacy-port PORT$/,
  });
});

test('whose connection it is stands in the kernel’s table', () => {
  const row = (local: string, remote: string, uid: number): string =>
    `   0: ${local} ${remote} 01 00000000:00000000 00:00000000 00000000  ${uid}        0 1 1`;
  const table = (): string =>
    ['  sl  local_address', row('0100007F:0457', '0100007F:9C40', 0)]
      .concat(row('0100007F:9C40', '0100007F:0457', 1234))
      .join('\n');
  assert.equal(ownerOfConnection(0x9c40, 0x457, table), 1234);
  assert.equal(ownerOfConnection(0x9c41, 0x457, table), undefined);
});
