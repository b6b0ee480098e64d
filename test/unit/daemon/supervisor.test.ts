import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goesToJournal } from '../../../src/daemon/log.ts';
import { Supervisor, statusLine } from '../../../src/daemon/supervisor.ts';
import { FakeBinding } from '../support/fake-binding.ts';

function setUp(variables: NodeJS.ProcessEnv) {
  const binding = new FakeBinding();
  const env = { ...variables };
  const supervisor = new Supervisor(binding, env);
  return { binding, env, supervisor, texts: () => binding.datagrams.map(([, text]) => text) };
}

test('without $NOTIFY_SOCKET nothing is sent', () => {
  const { binding, supervisor } = setUp({ WATCHDOG_USEC: '1000000' });
  supervisor.ready();
  supervisor.stopping();
  assert.deepEqual(binding.datagrams, []);
});

test('ready with a status, stopping; the variables are not passed on', () => {
  const { binding, env, supervisor, texts } = setUp({ NOTIFY_SOCKET: '@there', PATH: 'x' });
  assert.deepEqual(env, { PATH: 'x' });
  supervisor.ready();
  supervisor.stopping();
  assert.deepEqual(
    binding.datagrams.map(([path]) => path),
    ['@there', '@there'],
  );
  assert.match(
    texts()[0] ?? '',
    /^READY=1\nSTATUS=0 engines run, 0 pipes, 0 packets, 0 dropped\nMAINPID=\d+$/,
  );
  assert.equal(texts()[1], 'STOPPING=1\nSTATUS=ending');
});

test('the watchdog is fed twice as often as it asks for, until the end', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { supervisor, texts } = setUp({ NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '2000000' });
  const fed = (): number => texts().filter((text) => text.startsWith('WATCHDOG=1\n')).length;
  t.mock.timers.tick(3000);
  assert.equal(fed(), 0); // not before it is ready
  supervisor.ready();
  t.mock.timers.tick(3000);
  assert.equal(fed(), 3);
  supervisor.stopping();
  t.mock.timers.tick(3000);
  assert.equal(fed(), 3);
});

test('a watchdog meant for another process is not fed', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { supervisor, texts } = setUp({
    NOTIFY_SOCKET: '/run/x',
    WATCHDOG_USEC: '2000000',
    WATCHDOG_PID: '1',
  });
  supervisor.ready();
  t.mock.timers.tick(4000);
  assert.equal(texts().length, 1);
});

test('a manager that cannot be reached is no failure', () => {
  const { binding, supervisor } = setUp({ NOTIFY_SOCKET: '/run/x' });
  binding.sendDatagram = () => {
    throw new Error('cannot send');
  };
  supervisor.ready();
  supervisor.stopping();
});

test('the status counts what runs', () => {
  const binding = new FakeBinding();
  binding.createEngine('e0', {});
  binding.apply('e0', {
    inlets: [{ port: 'eth3', brick: 0 }],
    bricks: [{ id: 'b', kind: 'Merge', options: {}, level: 1, outlets: [{ name: 'x{0' }] }],
  });
  assert.equal(statusLine(binding.snapshot()), '0 engines run, 1 pipes, 0 packets, 0 dropped');
});

test('the journal is known by its device and inode', () => {
  assert.equal(goesToJournal(2, { JOURNAL_STREAM: '1:2' }), false);
  assert.equal(goesToJournal(2, {}), false);
});
