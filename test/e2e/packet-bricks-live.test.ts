/**
 * Everything while it runs, through Lua: the ledger balances after each change, and what the change
 * does not concern loses nothing.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { comparePartition } from '../../src/capture/compare.ts';
import { Random } from '../../src/traffic/random.ts';
import { type LiveSession, useLiveSession } from '../support/live-session.ts';
import { RandomChanges } from '../support/random-changes.ts';

/** BRICKS_CHANGES_SECONDS=60 for the long run. */
const seconds = Number(process.env['BRICKS_CHANGES_SECONDS'] ?? 4);
const seed = Number(process.env['BRICKS_CHANGES_SEED'] ?? 20);

function assertBalance(session: LiveSession, change: string): void {
  const difference = session.run('print(BRICKS.ledger().difference)').trim();
  assert.equal(difference, '0', `the ledger after: ${change}`);
}

/** So many kinds of change at least, however slow the machine. */
const kindsMin = 9;

/** Makes changes until time is up; says what it did where something is wrong. */
function changeFor(
  t: TestContext,
  session: LiveSession,
  changes: RandomChanges,
  enough = (): boolean => true,
): void {
  const end = performance.now() + seconds * 1000;
  const done: string[] = [];
  try {
    while (performance.now() < end || changes.made.size < kindsMin || !enough()) {
      const change = changes.next();
      done.push(change);
      session.run(change);
      assertBalance(session, change);
    }
  } catch (error) {
    t.diagnostic(`seed ${seed}, changes:\n${done.slice(-40).join('\n')}`);
    throw error;
  }
  const kinds = [...changes.made].map(([name, count]) => `${name} ${count}`).join(', ');
  t.diagnostic(`seed ${seed}: ${kinds}`);
}

test('changes at full speed: every packet is accounted for after each', (t) => {
  const session = useLiveSession(t);
  const changes = new RandomChanges(
    new Random(seed),
    (number) => (number % 3 === 0 ? `live{${number}` : `null:${number}`),
    (number) => `gen:60?flows=50&seed=${number}`,
  );
  session.run(`
    b0 = Brick.new("Duplicator") b0:connect_input("gen:imix?flows=500&seed=1")
    b0:connect_output("null:kept")
    pe = PktEngine.new("live") pe:link(b0) pe:start()`);
  changeFor(t, session, changes);
  session.run(`
    moves(pe)
    pe:stop()`);
  assertBalance(session, 'pe:stop()');
  session.run(`
    kept = 0
    for _, row in ipairs(BRICKS.ledger().outputs) do
      if row.name == "null:kept" then kept = row.delivered end
    end
    received = 0
    for _, row in ipairs(BRICKS.ledger().inputs) do
      if row.name:find("^gen:imix") then received = row.received end
    end
    assert(kept > 0 and kept == received, kept .. " of " .. received)
    pe:delete()`);
  assert.equal(session.run('print(#BRICKS.status().engines)'), '0\n');
});

test('changes beside a capture in replay: what stays gets all of it, in order, intact', (t) => {
  const session = useLiveSession(t);
  const rounds = 2000;
  const input = session.traffic('in.pcap', 8, 40);
  const files: string[] = [];
  const leaf = (number: number): string => {
    if (number % 2 === 0) return `null:${number}`;
    files.push(`leaf-${number}.pcap`);
    return `pcap:${session.path(files.at(-1) ?? '')}`;
  };
  const changes = new RandomChanges(
    new Random(seed + 1),
    leaf,
    (number) => `pcap:${session.path('in.pcap')}?speed=${2 + number}`,
  );
  session.run(`
    b0 = Brick.new("Duplicator")
    b0:connect_input("pcap:${session.path('in.pcap')}?speed=1&loop=${rounds}")
    b0:connect_output("pcap:${session.path('kept.pcap')}")
    pe = PktEngine.new("replay") pe:link(b0) pe:start()`);
  const delivered = `for _, row in ipairs(BRICKS.ledger().outputs) do
    if row.name:find("kept.pcap", 1, true) then print(row.delivered) end
  end`;
  const present = (): string[] => files.filter((name) => existsSync(session.path(name)));
  changeFor(t, session, changes, () => {
    return present().length > 5 && Number(session.run(delivered)) > input.length;
  });
  session.run('pe:stop() pe:delete()');
  const kept = session.records('kept.pcap');
  assert.ok(kept.length > input.length, `${kept.length} packets`);
  kept.forEach(({ data }, index) => {
    const wanted = input[index % input.length]?.data;
    assert.ok(wanted?.equals(data), `packet ${index} of ${kept.length}`);
  });
  // The others hold what they were given while they were there: parts of the input, intact.
  const all = new Set(input.map(({ data }) => data.toString('latin1')));
  assert.ok(present().length > 5, `${present().length} files`);
  for (const name of present()) {
    for (const { data } of session.records(name)) {
      assert.ok(all.has(data.toString('latin1')), `a packet of ${name} is not of the input`);
    }
  }
});

test('stop, start, unlink, link, delete: an engine and its bricks serve again and again', (t) => {
  const session = useLiveSession(t);
  const input = session.traffic('in.pcap', 9, 20);
  for (let round = 0; round < 3; round++) {
    const out = `out-${round}.pcap`;
    session.run(`
      pe = PktEngine.new("again")
      lb = Brick.new("LoadBalancer") lb:connect_input("pcap:${session.path('in.pcap')}")
      lb:connect_output("x{0", "x{1")
      m = Brick.new("Merge") m:connect_input("x}0", "x}1")
      m:connect_output("pcap:${session.path(out)}")
      lb:link(m)
      pe:link(lb) pe:start() pe:stop() pe:start() pe:stop() pe:unlink() pe:link(lb)
      pe:start() pe:wait(50)
      assert(BRICKS.ledger().difference == 0)
      pe:unlink(lb) pe:stop() pe:delete()`);
    const report = comparePartition(input, [session.records(out)]);
    assert.ok(report.missing === 0, report.faults.join('\n'));
  }
  assert.match(session.fault('pe:start()'), /no_such_engine/);
});

test('flows of outputs that stay do not move when others come and go', (t) => {
  const session = useLiveSession(t);
  session.traffic('in.pcap', 10, 300);
  const run = (
    name: string,
    outputs: readonly number[],
    live: string,
  ): Map<number, Set<string>> => {
    session.run(`
      lb = Brick.new("LoadBalancer") lb:connect_input("pcap:${session.path('in.pcap')}")
      ${outputs
        .map((n) => `lb:connect_output("pcap:${session.path(`${name}-${n}.pcap`)}")`)
        .join('\n')}
      pe = PktEngine.new("${name}") pe:link(lb) ${live} pe:start() pe:wait(50)
      pe:stop() pe:delete()`);
    return new Map(
      outputs.map((n) => {
        const records = session.records(`${name}-${n}.pcap`);
        return [n, new Set(records.map(({ data }) => data.toString('latin1')))];
      }),
    );
  };
  const before = run('flows', [0, 1, 2, 3], '');
  const gone = `lb:disconnect_output("pcap:${session.path('flows-3.pcap')}")`;
  const after = run('flows', [0, 1, 2, 3], gone);
  for (const n of [0, 1, 2]) {
    for (const packet of before.get(n) ?? []) assert.ok(after.get(n)?.has(packet), `output ${n}`);
  }
});
