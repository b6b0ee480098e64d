/** The scripts that packet-bricks shipped, in our words: every setup links, the rest behaves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrows } from '../../../src/flow/arrows.ts';
import { LuaSession } from '../support/lua-session.ts';

const load = `
  utilObj = dofile(prefix .. "bricks-scripts/utils.lua")
  sampleSetup = dofile(prefix .. "bricks-scripts/configs/single-threaded-setups.lua")
`;

function graphOf(session: LuaSession, name: string): string[] {
  const graph = session.binding.engines.get(name)?.graph;
  return graph === undefined ? [] : arrows(graph);
}

test('utils.lua: constants, functions and methods', () => {
  const session = new LuaSession();
  const code = `
    ${load}
    print(STATS_PRINT_CYCLE_DEFAULT, SLEEP_TIMEOUT, PKT_BATCH, NETMAP_PIPES)
    print(NO_CPU_AFF, NO_QIDS, BUFFER_SZ)
    print(utilObj:directory_exists("/"), utilObj:directory_exists("/no'such"))
    print(utilObj:directory_exists(1))
    print(utilObj:shell("echo out"), utilObj:netmap_loaded(), type(utilObj:check_superuser()))
    print(file_exists("/no/such"), #lines_from("/no/such"), #lines_from("/proc/self/status") > 3)
    utilObj:sleep(0.01)
  `;
  assert.equal(
    session.run(code),
    '20\t2\t1024\t64\n-1\t-1\t1024\ntrue\tfalse\nfalse\nout\n\ttrue\tboolean\nfalse\t0\ttrue\n',
  );
});

test('another prefix finds the same files', () => {
  const session = new LuaSession();
  session.run('prefix = "/usr/local/etc/" u = dofile(prefix .. "bricks-scripts/utils.lua")');
  assert.equal(session.run('print(type(u.shell))'), 'function\n');
});

test('every single-threaded setup links', () => {
  const session = new LuaSession();
  session.run(load);
  const setups = session
    .run('for name in pairs(sampleSetup) do print(name) end')
    .trim()
    .split('\n');
  assert.equal(setups.length, 13);
  for (const name of setups) {
    const second = name === 'lbconfig' || name === 'dupconfig' ? '"3"' : '"eth4"';
    session.run(`sampleSetup:${name}(PktEngine.new("${name}"), "eth3", ${second})`);
    assert.ok(graphOf(session, name).length > 1, name);
  }
  assert.deepEqual(
    graphOf(session, 'lbmrgpcap_config'),
    [
      'eth3 -> LoadBalancer-6',
      'LoadBalancer-6.0 -> eth3{0 -> Merge-2',
      'LoadBalancer-6.1 -> eth3{1 -> Merge-2',
      'Merge-2.0 -> eth3{2 -> PcapWriter-1',
      'PcapWriter-1.0 -> pcap:out.pcap',
    ].map((line) =>
      line.replace(/(LoadBalancer|Merge|PcapWriter)-\d+/g, (id) => idIn(session, id)),
    ),
  );
});

/** Ids count up in the order of pairs(), which is nobody's promise: take the one that is there. */
function idIn(session: LuaSession, id: string): string {
  const kind = id.replace(/-\d+$/, '');
  const graph = session.binding.engines.get('lbmrgpcap_config')?.graph;
  return graph?.bricks.find((brick) => brick.kind === kind)?.id ?? id;
}

test('the startup scripts define their functions and build what they say', () => {
  const session = new LuaSession();
  session.run('os.exit = error dofile(prefix .. "bricks-scripts/startup-one-thread.lua")');
  session.run('function utilObj:check_superuser() return true end init()');
  assert.equal(graphOf(session, 'e0').length, 5);
  session.run('STATS_PRINT_CYCLE_DEFAULT = 0 SLEEP_TIMEOUT = 0 start()');
  assert.match(session.stdout, /ENGINE STATISTICS/);
  session.run('stop()');
  assert.deepEqual([...session.binding.engines.keys()], []);

  session.run('dofile(prefix .. "bricks-scripts/startup-multi-threads.lua")');
  session.run('function utilObj:check_superuser() return true end init4()');
  assert.deepEqual([...session.binding.engines.keys()].toSorted(), ['e0', 'e1', 'e2', 'e3']);
  const options = session.binding.engines.get('e2')?.options;
  assert.deepEqual(options, { cpu: 2, batch: 256, queue: 2 });
  session.run('STATS_PRINT_CYCLE_DEFAULT = 0 SLEEP_TIMEOUT = 0 start4() stop4()');
  assert.deepEqual([...session.binding.engines.keys()], []);
});
