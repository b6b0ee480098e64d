/**
 * What packet-bricks did wrong with packets: chains, copies, shares, times. Each on real engines.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { comparePartition } from '../../src/capture/compare.ts';
import type { CaptureRecord } from '../../src/capture/record.ts';
import type { TimedFrame } from '../../src/traffic/conversations.ts';
import { ethernet, type Host, ip, protocols, udp } from '../../src/traffic/frames.ts';
import { Random } from '../../src/traffic/random.ts';
import { pcapOf } from '../../src/traffic/traffic.ts';
import { judged } from '../support/judged.ts';
import { type LiveSession, useLiveSession } from '../support/live-session.ts';
import { type Model, randomGraph, rootKinds } from '../support/random-graph.ts';

const none = Buffer.alloc(0);

/**
 * Links b0, runs it to the end of its inputs; every packet is in the ledger. Returns how many a
 * Filter refused.
 */
function runToEnd(session: LiveSession): number {
  const printed = session.run(`
    pe = PktEngine.new("run") pe:link(b0) pe:start()
    print(pe:wait(50), BRICKS.ledger().difference, pe:stats().dropped)
    filtered = BRICKS.ledger().dropped.filtered or 0
    pe:stop() pe:delete()`);
  assert.equal(printed, 'true\t0\t0\n');
  return Number(session.run('print(filtered)'));
}

function assertSame(
  expected: readonly CaptureRecord[],
  got: readonly CaptureRecord[],
  what: string,
): void {
  const report = comparePartition(expected, [got]);
  assert.ok(report.ok, `${what}: ${report.faults.join('\n')}`);
}

/** All that the captures below `model` hold, once; fails where a brick did not do as it must. */
function gather(session: LiveSession, model: Model): readonly CaptureRecord[] {
  if ('file' in model) return session.records(model.file);
  if ('copies' in model) {
    const branches = model.copies.map((branch) => gather(session, branch));
    const [first = []] = branches;
    for (const branch of branches) assertSame(first, branch, 'a copy');
    return first;
  }
  if ('shares' in model) {
    const branches = model.shares.map((branch) => gather(session, branch));
    const report = comparePartition(branches.flat(), branches, judged);
    assert.equal(report.splitFlows, 0, report.faults.join('\n'));
    return branches.flat();
  }
  // In order, so that a packet's copies are side by side.
  const all = gather(session, model.of);
  const { times } = model;
  all.forEach((record, index) => {
    const before = all[index - (index % times)];
    assert.ok(before !== undefined && record.data.equals(before.data), `copy ${index}`);
  });
  return all.filter((_, index) => index % times === 0);
}

for (const kind of [...rootKinds, 'PcapReader']) {
  test(`random trees below a ${kind}: every capture holds what it must`, (t) => {
    const session = useLiveSession(t);
    const a = session.traffic('a.pcap', 3);
    const b = session.traffic('b.pcap', 4);
    const paths = ['a.pcap', 'b.pcap'].map((name) => session.path(name));
    const several = kind === 'Merge' || kind === 'PcapReader';
    const inputs = kind === 'PcapReader' ? paths : paths.map((path) => `pcap:${path}`);
    const kinds = new Set<string>();
    for (let seed = 1; seed <= 12; seed++) {
      const random = new Random(seed * 31 + kind.length);
      const chosen = several ? inputs : inputs.slice(0, 1);
      const graph = randomGraph(random, kind, chosen, session.folder, 3);
      for (const used of graph.kinds) kinds.add(used);
      session.run(graph.lua);
      runToEnd(session);
      try {
        assertSame(several ? [...a, ...b] : a, gather(session, graph.model), 'all');
      } catch (error) {
        t.diagnostic(`seed ${seed}:\n${graph.lua}`);
        throw error;
      }
    }
    for (const used of ['LoadBalancer', 'Duplicator', 'Merge', 'Filter', 'Dummy', 'PcapWriter']) {
      assert.ok(kinds.has(used), `no tree had a ${used}`);
    }
  });
}

test('a Merge behind a LoadBalancer feeds what follows from all branches, in order', (t) => {
  const session = useLiveSession(t);
  const input = session.traffic('in.pcap', 5);
  session.run(`
    b0 = Brick.new("LoadBalancer") b0:connect_input("pcap:${session.path('in.pcap')}")
    b0:connect_outputs("x", 5)
    m = Brick.new("Merge") m:connect_output("x{9")
    for i = 0, 4 do m:connect_input("x}" .. i) end
    pw = Brick.new("PcapWriter") pw:connect_input("x}9")
    pw:connect_output("${session.path('out.pcap')}")
    b0:link(m) m:link(pw)`);
  runToEnd(session);
  const output = session.records('out.pcap');
  assert.equal(output.length, input.length);
  output.forEach((record, index) => {
    const wanted = input[index] as CaptureRecord;
    assert.ok(record.data.equals(wanted.data), `packet ${index}`);
    assert.equal(record.timestampNs, wanted.timestampNs, `time of packet ${index}`);
  });
});

/** Datagrams between random hosts, to and from common ports. */
function randomHosts(count: number, seed: number): TimedFrame[] {
  const random = new Random(seed);
  const common = [53, 80, 123, 443, 8080];
  const host = (port: number): Host => ({
    mac: Buffer.from([2, 0, 0, 0, 0, random.between(0, 255)]),
    address: random.bytes(4),
    port,
  });
  return Array.from({ length: count }, (_, index) => {
    const from = host(random.between(32_768, 60_999));
    const to = host(common[random.between(0, 4)] ?? 53);
    const packet = ip(from, to, protocols.udp, udp(from, to, random.bytes(8)), {
      id: index & 0xffff,
    });
    return { timeUs: index, frame: ethernet(from, to, 0x0800, [], packet) };
  });
}

for (const [tuple, what] of [
  [4, 'addresses and ports'],
  [2, 'addresses alone'],
] as const) {
  test(`shares by ${what} are within 10 % of even, one, two and three levels deep`, (t) => {
    const session = useLiveSession(t);
    const packets = 80_000;
    writeFileSync(session.path('in.pcap'), pcapOf(randomHosts(packets, 6)));
    for (const [level, widths] of [[8], [4, 4], [4, 2, 4]].entries()) {
      session.run(`
        local pipes, widths = 0, { ${widths.join(', ')} }
        local function balancer(input, level)
          local lb = Brick.new("LoadBalancer", { tuple = ${tuple} })
          lb:connect_input(input)
          for i = 1, widths[level] do
            if level == #widths then
              lb:connect_output("null:")
            else
              pipes = pipes + 1
              lb:connect_output("x{" .. pipes)
              lb:link(balancer("x}" .. pipes, level + 1))
            end
          end
          return lb
        end
        pe = PktEngine.new("even")
        pe:link(balancer("pcap:${session.path('in.pcap')}", 1))
        pe:start() pe:wait()`);
      const counts = session
        .run('for _, row in ipairs(pe:stats().outputs) do print(row.packets) end')
        .trim()
        .split('\n')
        .map(Number);
      session.run('pe:stop() pe:delete()');
      const outputs = widths.reduce((product, width) => product * width, 1);
      assert.equal(counts.length, outputs);
      const even = packets / outputs;
      const worst = Math.max(...counts.map((count) => Math.abs(count / even - 1)));
      assert.ok(worst < 0.1, `${level + 1} levels: ${(worst * 100).toFixed(1)} % off even`);
    }
  });
}

test('a chained LoadBalancer keeps its mode', (t) => {
  const session = useLiveSession(t);
  const random = new Random(7);
  const [from, to] = [0, 1].map((index) => ({
    mac: Buffer.from([2, 0, 0, 0, 0, index]),
    address: Buffer.from([10, 0, 0, index]),
  })) as [Omit<Host, 'port'>, Omit<Host, 'port'>];
  const frames = Array.from({ length: 200 }, (_, index) => {
    const ends = [from, to].map((end) => ({ ...end, port: random.between(1, 60_000) }));
    const [a, b] = ends as [Host, Host];
    const packet = ip(a, b, protocols.udp, udp(a, b, none), { id: index });
    return { timeUs: index, frame: ethernet(a, b, 0x0800, [], packet) };
  });
  writeFileSync(session.path('in.pcap'), pcapOf(frames));
  const used = (tuple: number): number => {
    session.run(`
      dup = Brick.new("Duplicator") dup:connect_input("pcap:${session.path('in.pcap')}")
      dup:connect_output("x{0", "null:")
      lb = Brick.new("LoadBalancer", ${tuple}) lb:connect_input("x}0")
      lb:connect_output("null:", "null:", "null:", "null:")
      dup:link(lb) pe = PktEngine.new("mode") pe:link(dup) pe:start() pe:wait()
      used = 0
      for _, row in ipairs(BRICKS.ledger().outputs) do
        if row.brick:find("^LoadBalancer") and row.delivered > 0 then used = used + 1 end
      end
      pe:stop() pe:delete()`);
    return Number(session.run('print(used)'));
  };
  assert.deepEqual([used(2), used(4)], [1, 4]);
});

test('PcapReader: folders by name, one file, jumbo frames; it ends and Lua goes on', (t) => {
  const session = useLiveSession(t);
  mkdirSync(session.path('captures'));
  const files = ['c.pcap', 'a.pcap', 'b.pcap'];
  for (const [index, name] of files.entries()) session.traffic(`captures/${name}`, 20 + index, 10);
  const jumbo = { timeUs: 1, frame: Buffer.alloc(9014, 0x42) };
  writeFileSync(session.path('captures/d.pcap'), pcapOf([jumbo]));
  const wanted = ['a', 'b', 'c', 'd'].flatMap((name) => session.records(`captures/${name}.pcap`));
  for (const [input, expected] of [
    [`"${session.path('captures/')}", "eth3"`, wanted],
    [`"${session.path('captures/d.pcap')}"`, wanted.slice(-1)],
  ] as const) {
    session.run(`b0 = Brick.new("PcapReader") b0:connect_input(${input})
      b0:connect_output("pcap:${session.path('out.pcap')}")`);
    runToEnd(session);
    const output = session.records('out.pcap');
    assert.deepEqual(
      output.map(({ data }) => data.toString('hex')),
      expected.map(({ data }) => data.toString('hex')),
    );
    assertSame(expected, output, input);
  }
});

/** Headers that lead a parser astray, each cut at every length as well. */
function hostileFrames(): TimedFrame[] {
  const ether = Buffer.from('020000000001020000000002', 'hex');
  const v4 = (ihl: number, protocol: number): Buffer => {
    const header = Buffer.alloc(20, 1);
    header[0] = 0x40 | ihl;
    header[9] = protocol;
    return header;
  };
  const whole = [0, 1, 4, 5, 15].flatMap((ihl) =>
    [4, 6, 17, 41, 47].map((inner) =>
      Buffer.concat([ether, Buffer.from([8, 0]), v4(5, 4), v4(ihl, inner), v4(0, 4), v4(0, 4)]),
    ),
  );
  whole.push(Buffer.concat([ether, Buffer.from('86dd60000000ffff0000', 'hex'), none]));
  whole.push(Buffer.concat([ether, Buffer.from('8100006481000064810000640800', 'hex'), v4(0, 4)]));
  const cut = whole.flatMap((frame) =>
    Array.from({ length: frame.length }, (_, length) => frame.subarray(0, length + 1)),
  );
  return cut.map((frame, timeUs) => ({ timeUs, frame }));
}

test('headers that lie about their lengths, and frames cut anywhere, pass unharmed', (t) => {
  const session = useLiveSession(t);
  writeFileSync(session.path('in.pcap'), pcapOf(hostileFrames()));
  const input = session.records('in.pcap');
  session.run(`
    b0 = Brick.new("LoadBalancer") b0:connect_input("pcap:${session.path('in.pcap')}")
    b0:connect_output("x{0", "x{1")
    for i = 0, 1 do
      f = Brick.new("Filter", { expression = "not tcp port 4242" })
      f:connect_input("x}" .. i) b0:link(f)
      f:connect_output("pcap:${session.folder}/out-" .. i .. ".pcap")
    end`);
  const filtered = runToEnd(session); // what libpcap cannot read, it refuses
  const outputs = [0, 1].map((index) => session.records(`out-${index}.pcap`));
  const { missing, foreign } = comparePartition(input, outputs);
  assert.deepEqual([missing, foreign, input.length > 1000], [filtered, 0, true]);
});
