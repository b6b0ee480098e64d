/**
 * Pipes, links and inputs as interfaces of tshark, which is started as an unprivileged user: for
 * root it takes programs from the system's folder only.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readCapture } from '../../src/capture/read.ts';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import {
  hex,
  isRoot,
  lua,
  matching,
  nobody,
  prepare,
  program,
  skip,
  start,
  statusOf,
  taps,
  tshark,
} from './wireshark-world.ts';
import { type Program, until, useWorld } from './world.ts';

test('tshark lists all, and captures pipe, link, input; filter, snaplen, autostop, last seconds', {
  skip,
}, async (t) => {
  const { world, packets, input } = await prepare(t);
  const list = await start(world, 'tshark', '-D').ended;
  const names = [...list.stdout.matchAll(/bricks:(\S+) \(/g)].map(([, name]) => name);
  assert.deepEqual(names, ['a{0', 'a{1', 'null:', `pcap:${input}`, 'zeek}0', 'zeek}1']);
  assert.match(list.stdout, /bricks:a\{1 \(from Duplicator .* to Filter .*, in engine e0\)/);
  assert.match(list.stdout, /bricks:zeek\}0 \(from LoadBalancer .*, nobody reads it\)/);

  const consumer = world.start('bricks', ['cat', '-q', 'zeek}0', '-w', 'pipe']);
  await until('the pipe is read', async () => {
    const outputs = (await statusOf(world)).engines[0]?.outputs ?? [];
    return outputs.some(({ consumer: pid }) => pid !== 0);
  });
  const captures = [
    tshark(world, 'zeek}0', 'copy'),
    tshark(world, 'a{0', 'udp', '-f', 'udp'),
    tshark(world, `pcap:${input}`, 'all'),
    tshark(world, 'a{1', 'cut', '-o', 'extcap.bricks_a_1.snaplen:64'),
    tshark(world, 'null:', 'ten', '-c', '10'),
    tshark(world, 'zeek}1', 'taken', '-o', 'extcap.bricks_zeek_1.take:true'),
  ];
  await taps(world, 5);
  await until('the other pipe is taken', async () => {
    const outputs = (await statusOf(world)).engines[0]?.outputs ?? [];
    return outputs.filter(({ consumer: pid }) => pid !== 0).length === 2;
  });
  await lua(world, 'pe:start() pe:wait()');
  for (const { ended } of captures) {
    const { code, stderr } = await ended;
    assert.equal(code, 0, stderr);
  }
  assert.equal((await consumer.ended).code, 0);
  assert.deepEqual(hex(world, 'all'), hex(world, 'in.pcap'));
  assert.deepEqual(hex(world, 'copy'), hex(world, 'pipe'));
  assert.equal(hex(world, 'udp').length, matching(input, 'udp'));
  assert.equal(hex(world, 'ten').length, 10);
  assert.equal(hex(world, 'taken').length, await world.delivered('zeek{1'));
  const cut = readCapture(join(world.folder, 'cut')).records;
  assert.equal(cut.length, packets);
  assert.ok(cut.every(({ data }) => data.length <= 64));
  const ledger = await world.ledger();
  assert.deepEqual([ledger.received, ledger.copies, ledger.difference], [packets, packets, 0]);

  const last = await tshark(world, 'a{1', 'last', '-o', 'extcap.bricks_a_1.last:3600').ended;
  assert.equal(last.code, 0, last.stderr);
  assert.deepEqual(hex(world, 'last'), hex(world, 'in.pcap'));
  const cat = await world.run('bricks', ['cat', '-q', '--last', '3600s', 'a}1', '-w', 'last2']);
  assert.equal(cat.code, 0, cat.stderr);
  assert.deepEqual(hex(world, 'last2'), hex(world, 'in.pcap'));
  const none = await world.run('bricks', ['cat', '--last', '10', 'a{0']);
  assert.equal(none.code, 3);
  assert.match(none.stderr, /nothing records what passes 'a\{0': in Lua, pe:record\("a\{0", 60\)/);
  const rows = (await statusOf(world)).engines[0]?.taps ?? [];
  assert.deepEqual(
    rows.map(({ link, seconds, packets: kept }) => [link, seconds, kept]),
    [['a{1', 3600, packets]],
  );
});

for (const workers of [1, 3]) {
  test(`${workers} of tshark take the pipes: each its output's packets, all of them together`, {
    skip,
  }, async (t) => {
    const { world } = await prepare(t, workers);
    const numbers = Array.from({ length: workers }, (_, i) => i);
    const captures = numbers.map((i) =>
      tshark(world, `zeek}${i}`, `worker${i}`, '-o', `extcap.bricks_zeek_${i}.take:true`),
    );
    await until('all pipes are taken', async () => {
      const outputs = (await statusOf(world)).engines[0]?.outputs ?? [];
      return outputs.filter(({ consumer }) => consumer !== 0).length === workers;
    });
    await lua(world, 'pe:start() pe:wait()');
    for (const [i, { ended }] of captures.entries()) {
      const { code, stderr } = await ended;
      assert.equal(code, 0, stderr);
      assert.equal(hex(world, `worker${i}`).length, await world.delivered(`zeek{${i}`));
    }
    const together = numbers.flatMap((i) => hex(world, `worker${i}`));
    assert.deepEqual(together.sort(), hex(world, 'in.pcap').sort());
  });
}

test('the toolbar changes the filter, and pauses', { skip }, async (t) => {
  const { world, packets, input } = await prepare(t);
  const open = (name: string): { path: string; reader: Program } => {
    const path = join(world.folder, name);
    assert.equal(spawnSync('mkfifo', ['-m', '666', path]).status, 0);
    return { path, reader: world.startProgram('sh', ['-c', `exec cat '${path}' > '${path}.out'`]) };
  };
  const said = (name: string): string =>
    existsSync(join(world.folder, `${name}.out`)) ? world.read(`${name}.out`) : '';
  const begin = (name: string, link: string) => {
    const [fifo, out] = [open(name), open(`${name}-says`)];
    const inPath = join(world.folder, `${name}-hears`);
    assert.equal(spawnSync('mkfifo', ['-m', '666', inPath]).status, 0);
    const words = ['--capture', '--extcap-interface', `bricks:${link}`, '--fifo', fifo.path];
    const control = ['--extcap-control-in', inPath, '--extcap-control-out', out.path];
    const capture = start(world, program, ...words, ...control);
    const say = async (number: number, value: string, answer: RegExp): Promise<void> => {
      const length = Buffer.byteLength(value) + 2;
      const head = Buffer.from(['T'.charCodeAt(0), 0, length >> 8, length & 255, number, 1]);
      writeFileSync(inPath, Buffer.concat([head, Buffer.from(value)]));
      await until(`it says ${answer}`, () => answer.test(said(`${name}-says`)));
    };
    return { capture, fifo, say };
  };
  const [udp, paused] = [begin('udp', 'a{0'), begin('paused', 'zeek}0')];
  await taps(world, 2);
  const readers = ['zeek}0', 'zeek}1'].map((pipe) =>
    world.start('bricks', ['cat', '-q', pipe, '-w', pipe]),
  );
  await udp.say(1, 'tcp', /filter: tcp/);
  await udp.say(1, 'udp', /filter: udp/);
  await udp.say(1, 'udp prt', /the filter stays as it was: .*syntax error/);
  await paused.say(0, '\u0001', /paused/);
  assert.equal(
    (await statusOf(world)).engines[0]?.taps.find((row) => row.link === 'a{0')?.expression,
    'udp',
  );
  await lua(world, 'pe:start() pe:wait()');
  for (const { capture, fifo } of [udp, paused]) {
    assert.equal((await capture.ended).code, 0);
    await fifo.reader.ended;
  }
  assert.equal(readCapture(join(world.folder, 'udp.out')).records.length, matching(input, 'udp'));
  assert.equal(readCapture(join(world.folder, 'paused.out')).records.length, 0);
  for (const { ended } of readers) await ended;
  assert.equal((await world.ledger()).received, packets);
});

test('answers at once, to many, and without a daemon says nothing', { skip }, async (t) => {
  const { world } = await prepare(t);
  const ask = (): Program => start(world, program, '--extcap-interfaces', '--extcap-version=4.0');
  const many = await Promise.all(Array.from({ length: 40 }, () => ask().ended));
  for (const { code, stdout } of many) {
    assert.equal(code, 0);
    assert.equal(stdout.match(/^interface /gm)?.length, 6);
  }
  const times = Array.from({ length: 21 }, () => {
    const begin = performance.now();
    spawnSync(program, ['--extcap-interfaces'], { env: world.env });
    return performance.now() - begin;
  }).sort((a, b) => a - b);
  t.diagnostic(`of 21 starts the fastest: ${times[0]?.toFixed(1)} ms, ${times[10]?.toFixed(1)} ms`);
  assert.ok((times[0] ?? Infinity) < 100); // what others take of the machine is not its own
  assert.ok((times[10] ?? Infinity) < 300);
  for (const [filter, answer] of [
    ['tcp port 443', /^$/],
    ['tcp prt 443', /'tcp prt 443' is no capture filter: .*syntax error/],
  ] as const) {
    const words = ['--extcap-interface', 'bricks:zeek}0', '--extcap-capture-filter', filter];
    const { code, stdout } = await start(world, program, ...words).ended;
    assert.equal(code, 0);
    assert.match(stdout, answer);
  }
  const gone = start(
    world,
    program,
    '--capture',
    '--fifo',
    'x',
    '--extcap-interface',
    'bricks:no}9',
  );
  assert.equal((await gone.ended).code, 6);
  assert.match((await gone.ended).stderr, /no link 'no\}9'/);
  const daemon = world.daemonPid ?? 0;
  process.kill(daemon, 'SIGSTOP');
  const stuck = await ask().ended;
  process.kill(daemon, 'SIGCONT');
  assert.deepEqual([stuck.code, stuck.stdout.match(/^interface /gm)], [0, null]);
  await world.run('bricks-kill-server', []);
  const alone = await ask().ended;
  assert.deepEqual([alone.code, alone.stderr], [0, '']);
  assert.doesNotMatch(alone.stdout, /^interface /m);
});

test('another user sees, and copies, the pipes it may read', {
  skip: skip || (!isRoot && 'to be two users takes root'),
}, async (t) => {
  const world = useWorld(t);
  const input = join(world.folder, 'in.pcap');
  writeTraffic(input, { seed: 32, flows: 30 });
  const script = world.file(
    's.lua',
    `lb = Brick.new("LoadBalancer") lb:connect_input("pcap:${input}")
     lb:connect_output("own{0", "zeek{0?user=${nobody}")
     pe = PktEngine.new("e0") pe:link(lb)`,
  );
  assert.equal((await world.run('bricks-server', ['-f', script])).code, 0);
  const folder = join(world.folder, 'extcap');
  assert.equal((await world.run('bricks', ['wireshark', 'install', '--folder', folder])).code, 0);
  spawnSync('chmod', ['711', world.folder]);
  const list = await start(world, 'tshark', '-D').ended;
  const names = [...list.stdout.matchAll(/bricks:(\S+) \(/g)].map(([, name]) => name);
  assert.deepEqual(names, ['zeek}0']);
  const out = world.folderOf('out');
  chownSync(out, nobody, nobody);
  const other = world.start('bricks', ['cat', '-q', 'own}0', '-w', 'own']);
  const consumer = world.start('bricks', ['cat', '-q', 'zeek}0', '-w', 'pipe']);
  const copy = tshark(world, 'zeek}0', 'out/copy');
  await taps(world, 1);
  await lua(world, 'pe:start() pe:wait()');
  assert.equal((await copy.ended).code, 0);
  await consumer.ended;
  await other.ended;
  assert.deepEqual(hex(world, 'out/copy'), hex(world, 'pipe'));
});
