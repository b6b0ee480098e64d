/** What packet-bricks did wrong beside the packets: mistakes, failures, counts, open doors. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { comparePartition } from '../../src/capture/compare.ts';
import { makeTraffic, pcapOf, writeTraffic } from '../../src/traffic/traffic.ts';
import { useLiveSession } from '../support/live-session.ts';
import { root } from '../support/source-tree.ts';
import { noNetwork, useNetwork } from '../support/veth-network.ts';
import { until, useWorld } from './world.ts';

test('one packet reaches its consumer at once, though no more follow', async (t) => {
  const world = useWorld(t);
  // The second one is due in an hour.
  const [first, second] = makeTraffic({ seed: 1, flows: 2 });
  assert.ok(first !== undefined && second !== undefined);
  const frames = [first, { ...second, timeUs: first.timeUs + 3_600_000_000 }];
  writeFileSync(join(world.folder, 'two.pcap'), pcapOf(frames));
  const consumer = world.start('bricks', ['cat', 'one}0', '-w', 'got.pcap', '-c', '1']);
  const script = `
    b = Brick.new("Dummy") b:connect_input("pcap:two.pcap?speed=1") b:connect_output("one{0")
    pe = PktEngine.new("e0") pe:link(b) pe:start()`;
  const home = world.start('bricks', ['-f', world.file('one.lua', script)]);
  const { code, stderr } = await consumer.ended;
  assert.equal(code, 0, stderr);
  assert.equal(home.isOver, false);
  home.endInput();
  assert.equal((await home.ended).code, 0);
});

test('ordinary mistakes are refused by name, and everything goes on', (t) => {
  const session = useLiveSession(t);
  session.run(`
    running = Brick.new("Dummy") running:connect_input("gen:60") running:connect_output("null:")
    pe = PktEngine.new("runs") pe:link(running) pe:start()
    other = PktEngine.new("other")
    gone = PktEngine.new("gone") gone:delete()
    b = Brick.new("LoadBalancer")
    function fresh(input, ...)
      local lb = Brick.new("LoadBalancer") lb:connect_input(input) lb:connect_output(...)
      return lb
    end`);
  for (const [mistake, refusal] of [
    ['PktEngine.new()', /invalid_argument: .*argument #1 \(name\)/],
    ['PktEngine.new(nil)', /invalid_argument: .*argument #1 \(name\)/],
    ['PktEngine.retrieve()', /invalid_argument: .*argument #1 \(name\)/],
    ['Brick.new()', /invalid_argument: .*argument #1 \(kind\)/],
    ['Brick.new("Loadbalancer")', /unknown_brick: .*did you mean "LoadBalancer"/],
    ['b:connect_input()', /invalid_argument: .*b:connect_input/],
    ['b:connect_outputs(nil, 4)', /invalid_argument: .*\(interface\)/],
    ['b:link(b)', /invalid_graph: .*itself/],
    ['other:link(pe)', /invalid_argument: .*a brick/],
    ['other:link(nil)', /invalid_argument: .*a brick/],
    ['other:link(b)', /invalid_graph: .*input/s],
    ['other:link(fresh("gen:60", "x{0", "x{0"))', /invalid_graph: .*twice/],
    ['other:start()', /not_linked: .*pe:link/],
    ['other:stop()', /not_running/],
    ['pe:start()', /already_running/],
    ['pe:delete()', /already_running: .*pe:stop/],
    ['pe:link(running)', /already_exists/],
    ['gone:start()', /no_such_engine: .*"gone"/],
    ['gone:link(fresh("gen:60", "null:"))', /no_such_engine: .*"gone"/],
    ['PktEngine.start("x")', /invalid_argument: .*an engine/],
    ['other:link(fresh("nosuch0", "null:"))', /no_such_interface: .*nosuch0/],
    ['other:link(fresh("gen:60", "pcap:/no/such/folder/x.pcap"))', /no_such_file: .*\/no\/such/],
    ['pe:unlink(b)', /not_linked/],
    ['other:unlink()', /not_linked/],
    ['other:unlink("x")', /invalid_argument/],
  ] as const) {
    assert.match(session.fault(mistake), refusal, mistake);
  }
  session.run('moves(pe)');
  assert.equal(session.run('print(BRICKS.ledger().difference)'), '0\n');
});

test('a port that cannot be opened ends nothing: not the engine, not the others', (t) => {
  const session = useLiveSession(t);
  session.run(`
    for i = 1, 2 do
      b = Brick.new("Duplicator") b:connect_input("gen:60?seed=" .. i) b:connect_output("null:")
      PktEngine.new("e" .. i):link(b):start()
    end`);
  const bad = 'b:connect_output("null:", "packet:nosuch0")';
  assert.match(session.fault(bad), /no_such_interface: .*nosuch0/);
  session.run(`
    for i = 1, 2 do
      local pe = PktEngine.retrieve("e" .. i)
      moves(pe)
      assert(#pe:stats().outputs == 1)
      pe:stop() pe:start() pe:stop() pe:delete()
    end`);
});

test('more capture files than a byte can count', (t) => {
  const session = useLiveSession(t);
  mkdirSync(session.path('many'));
  for (let index = 0; index < 300; index++) {
    const name = `many/${String(index).padStart(3, '0')}.pcap`;
    session.traffic(name, index + 1, 1);
  }
  const input = Array.from({ length: 300 }, (_, index) =>
    session.records(`many/${String(index).padStart(3, '0')}.pcap`),
  ).flat();
  session.run(`
    b = Brick.new("PcapReader") b:connect_input("${session.path('many/')}")
    b:connect_output("pcap:${session.path('out.pcap')}")
    pe = PktEngine.new("many") pe:link(b) pe:start() assert(pe:wait(50))
    pe:stop() pe:delete()`);
  const report = comparePartition(input, [session.records('out.pcap')]);
  assert.ok(report.ok, report.faults.join('\n'));
});

test('the printed tables and their machine-readable twins agree', (t) => {
  const session = useLiveSession(t);
  session.run(`
    lb = Brick.new("Duplicator") lb:connect_input("gen:100?count=5000")
    lb:connect_output("x{0", "null:")
    f = Brick.new("Filter", { expression = "less 10" }) f:connect_input("x}0")
    f:connect_output("null:")
    lb:link(f)
    pe = PktEngine.new("e0") pe:link(lb) pe:start() pe:wait(50)
    PktEngine.new("idle")`);
  const dashes = (count: number): string => '-'.repeat(count);
  assert.equal(
    session.run('pe:show_stats()'),
    `${dashes(10)} ENGINE (e0) STATS${dashes(12)}\n` +
      'Byte count: 500000\nPacket count: 5000\nPacket drop count: 0\n' +
      `${dashes(40)}\n\n`,
  );
  const row = (name: string, ...columns: string[]): string => [name, ...columns].join(' \t\t ');
  assert.equal(
    session.run('BRICKS.show_stats()'),
    [
      `${dashes(41)} ENGINE STATISTICS ${dashes(44)}`,
      'Engine \t\t Packet Cnt \t\t    Byte Cnt \t\t Packet Drop',
      row('e0', '      5000', '     500000', '          0'),
      row('idle', '         0', '          0', '          0'),
      '='.repeat(104),
      row('Total', '      5000', '     500000'),
      `${dashes(104)}\n\n\n`,
    ].join('\n'),
  );
  // A Filter's refusals are its work: in the ledger, under their name, and no drops of show_stats.
  session.run(`
    local one, all, ledger = pe:stats(), BRICKS.stats(), BRICKS.ledger()
    assert(one.packets == 5000 and one.bytes == 500000 and one.dropped == 0)
    assert(all.engines[1].packets == 5000 and all.engines[2].name == "idle")
    assert(all.total.packets == 5000 and all.total.dropped == 0)
    assert(ledger.received == 5000 and ledger.copies == 5000 and ledger.delivered == 5000)
    assert(ledger.dropped.filtered == 5000 and ledger.difference == 0)
    assert(BRICKS.status().online and BRICKS.status().engines[1].state == "running")
    pe:stop()
    assert(not BRICKS.status().online)`);
  assert.equal(session.run('BRICKS.print_status()'), 'BRICKS is offline.\n');
});

test('an engine on two interfaces, two engines on one; one goes, the others stay', {
  skip: noNetwork,
}, async (t) => {
  const network = useNetwork(t, [{ name: 'ix1' }, { name: 'eth3' }]);
  const world = useWorld(t);
  const { packets } = writeTraffic(join(world.folder, 'in.pcap'), { seed: 50, flows: 30 });
  const script = world.file(
    'two.lua',
    `function engine(name, ...)
       local b = Brick.new("Merge") b:connect_input(...) b:connect_output("null:")
       return PktEngine.new(name):link(b):start()
     end
     engine("both", "ix1", "eth3") engine("one", "ix1")`,
  );
  const [command, args] = network.command(join(root, 'bin/bricks'), ['-f', script]);
  const home = world.startProgram(command, args);
  const counts = async (): Promise<Record<string, number>> => {
    const { code, stdout } = await world.run('bricks', ['stats', '--json']);
    const { engines } = code === 0 ? JSON.parse(stdout) : { engines: [] };
    return Object.fromEntries(
      engines.map((row: { name: string; packets: number }) => [row.name, row.packets]),
    );
  };
  await until('both are there', async () => Object.keys(await counts()).length === 2);
  network.send('ix1', join(world.folder, 'in.pcap'));
  network.send('eth3', join(world.folder, 'in.pcap'));
  await until('both have theirs', async () => {
    const { both, one } = await counts();
    return both === 2 * packets && one === packets;
  });
  const code = 'pe = PktEngine.retrieve("one") pe:stop() pe:delete()';
  assert.equal((await world.run('bricks-shell', ['-c', code])).code, 0);
  network.send('ix1', join(world.folder, 'in.pcap'));
  await until('the other goes on', async () => (await counts())['both'] === 3 * packets);
  home.endInput();
  assert.equal((await home.ended).code, 0);
});

test('a daemon listens on no network port unless told to', { skip: noNetwork }, async (t) => {
  const network = useNetwork(t, []);
  const world = useWorld(t);
  const script = `b = Brick.new("Dummy") b:connect_input("gen:60") b:connect_output("null:")
    PktEngine.new("e0"):link(b):start()`;
  const path = world.file('start.lua', script);
  const [command, args] = network.command(join(root, 'bin/bricks-server'), ['-f', path]);
  const { code } = await world.startProgram(command, args, '').ended;
  assert.equal(code, 0);
  const [cat, files] = network.command('cat', ['/proc/net/tcp', '/proc/net/tcp6', '/proc/net/udp']);
  const { stdout } = spawnSync(cat, files, { encoding: 'utf8' });
  const sockets = stdout.split('\n').filter((line) => /^ *\d+:/.test(line));
  assert.deepEqual(sockets, []);
  assert.ok(stdout.includes('local_address'), stdout);
});
