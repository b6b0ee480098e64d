import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chunksWaitingMax, LuaQueue } from '../../../src/daemon/lua-queue.ts';
import { ScriptedMachine } from './machine.ts';

const [anna, bert] = [{ name: 'anna' }, { name: 'bert' }];

function setUp() {
  const machine = new ScriptedMachine();
  const queue = new LuaQueue(machine);
  const run = (owner: object, code: string) =>
    queue.execute({ owner, code, name: 'test', interactive: false, onOutput: () => {} });
  const codes = () => machine.started.map(({ code }) => code);
  return { machine, queue, run, codes };
}

test('one chunk at a time, in order', async () => {
  const { machine, run, codes } = setUp();
  const first = run(anna, '1');
  const second = run(bert, '2');
  assert.deepEqual(codes(), ['1']);
  machine.started[0]?.settle({ ok: true });
  assert.deepEqual(await first, { ok: true });
  assert.deepEqual(codes(), ['1', '2']);
  machine.started[1]?.settle({ ok: true, incomplete: true });
  assert.deepEqual(await second, { ok: true, incomplete: true });
});

test('an interrupt reaches only its owner’s chunks, running and waiting', async () => {
  const { machine, queue, run, codes } = setUp();
  const first = run(anna, '1');
  const second = run(bert, '2');
  const third = run(bert, '3');
  queue.interrupt(bert);
  assert.equal(machine.interrupts, 0);
  for (const result of [await second, await third]) {
    assert.equal(result.ok ? '' : result.error.code, 'interrupted');
  }
  queue.interrupt(anna);
  assert.equal(machine.interrupts, 1);
  assert.equal((await first).ok, false);
  assert.deepEqual(codes(), ['1']);
});

test('a machine that fails fails the chunk, not the queue', async () => {
  const { machine, queue, run } = setUp();
  machine.execute = () => Promise.reject(new Error('the worker is gone'));
  const result = await run(anna, '1');
  assert.match(result.ok ? '' : result.error.message, /the worker is gone/);
  assert.deepEqual(await queue.complete('x'), ['x!']);
});

test('a busy machine completes nothing', async () => {
  const { machine, queue, run } = setUp();
  const chunk = run(anna, '1');
  assert.deepEqual(await queue.complete('x'), []);
  machine.started[0]?.settle({ ok: true });
  await chunk;
  assert.deepEqual(await queue.complete('x'), ['x!']);
});

test('too many waiting chunks are refused', async () => {
  const { queue, run } = setUp();
  const waiting = Array.from({ length: chunksWaitingMax + 1 }, () => run(anna, 'x'));
  const refused = await run(bert, 'y');
  assert.equal(refused.ok ? '' : refused.error.code, 'limit_reached');
  await queue.close(1000);
  assert.ok((await Promise.all(waiting)).every((result) => !result.ok));
});

test('a closed queue interrupts what runs and takes nothing more', async () => {
  const { machine, queue, run } = setUp();
  const running = run(anna, '1');
  const waiting = run(bert, '2');
  await queue.close(60_000);
  assert.equal(machine.interrupts, 1);
  assert.equal((await running).ok, false);
  assert.equal((await waiting).ok, false);
  assert.equal((await run(anna, '3')).ok, false);
  assert.equal(machine.started.length, 1);
});

test('closing does not wait for a chunk that hears nothing', async () => {
  const { machine, queue, run, codes } = setUp();
  machine.interrupt = () => {};
  const running = run(anna, '1');
  await queue.close(1);
  assert.deepEqual(codes(), ['1']);
  machine.started[0]?.settle({ ok: true });
  assert.deepEqual(await running, { ok: true });
});

test('a file runs as a chunk does', async () => {
  const { machine, queue, codes } = setUp();
  const running = queue.execute({ owner: anna, file: 'start.lua', onOutput: () => {} });
  assert.deepEqual(codes(), ['file start.lua']);
  machine.started[0]?.settle({ ok: true });
  assert.deepEqual(await running, { ok: true });
});
