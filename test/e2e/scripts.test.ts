/** The startup scripts as users start them: what they print, what they split, how they end. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { comparePartition } from '../../src/capture/compare.ts';
import { readCapture } from '../../src/capture/read.ts';
import type { CaptureRecord } from '../../src/capture/record.ts';
import type { Status } from '../../src/engine/status.ts';
import { writeTraffic } from '../../src/traffic/traffic.ts';
import { judged } from '../support/judged.ts';
import { scriptSets } from '../support/packet-bricks-scripts.ts';
import { root } from '../support/source-tree.ts';
import { noNetwork, useNetwork, type VethNetwork } from '../support/veth-network.ts';
import { type Program, until, useWorld, type World } from './world.ts';

const table = /-{41} ENGINE STATISTICS -{44}\n(?:.*\n)+?-{104}\n\n\n/g;

function recordsOf(world: World, name: string): CaptureRecord[] {
  const { records } = readCapture(join(world.folder, name));
  return records.map((record) => ({ ...record, timestampNs: 0n }));
}

/** bricks -f that script, with a prompt that is a pipe; consumers on four pipes of `name`. */
async function startScript(
  world: World,
  network: VethNetwork,
  script: string,
  name: string,
): Promise<{ home: Program; consumers: Program[] }> {
  const pipes = [0, 1, 2, 3].map((number) => `${name}}${number}`);
  const consumers = pipes.map((pipe) =>
    world.start('bricks', ['cat', pipe, '-w', pipe, '--timeout', '50']),
  );
  const [command, args] = network.command(join(root, 'bin/bricks'), ['-f', script]);
  const home = world.startProgram(command, args);
  home.endInput();
  await until('every pipe has its consumer', async () => {
    const { code, stdout } = await world.run('bricks', ['status', '--json']);
    const engines = code === 0 ? (JSON.parse(stdout) as Status).engines : [];
    const outputs = engines.flatMap((engine) => engine.outputs);
    return outputs.filter(({ consumer }) => consumer > 0).length === 4;
  });
  return { home, consumers };
}

/** What a user adds below the script, with what these tests need to keep time by a file. */
function below(load: string, calls: string): string {
  return `
    ${load}
    STATS_PRINT_CYCLE_DEFAULT = 1
    function utilObj:sleep() BRICKS.sleep(0.01) end
    local show_stats = BRICKS.show_stats
    function BRICKS.show_stats()
      while not file_exists("go") do BRICKS.sleep(0.02) end
      show_stats()
    end
    ${calls}`;
}

async function runScript(
  t: TestContext,
  prefix: string,
  names: { script: string; init: string; start: string; stop: string; interface: string },
): Promise<{ input: CaptureRecord[]; outputs: CaptureRecord[][]; stdout: string }> {
  const network = useNetwork(t, [{ name: names.interface, queues: 4 }]);
  const world = useWorld(t);
  writeTraffic(join(world.folder, 'in'), { seed: 77, flows: 100 });
  const load = `${prefix} dofile(prefix .. "bricks-scripts/${names.script}.lua")`;
  const calls = `${names.init}() ${names.start}() ${names.stop}()`;
  const script = world.file('mine.lua', below(load, calls));
  const { home, consumers } = await startScript(world, network, script, names.interface);
  await until('the engines run', async () => {
    const { stdout } = await world.run('bricks', ['status', '--json']);
    return (JSON.parse(stdout) as Status).engines.every(({ state }) => state === 'running');
  });
  network.send(names.interface, join(world.folder, 'in'));
  const input = recordsOf(world, 'in');
  await until('all packets are through', async () => {
    const ledger = await world.ledger();
    assert.deepEqual([ledger.difference, ledger.dropped], [0, {}]);
    return ledger.received === input.length && ledger.held === 0;
  });
  world.file('go', '');
  const { code, stdout, stderr } = await home.ended;
  assert.equal(code, 0, stderr);
  for (const program of consumers) assert.equal((await program.ended).code, 0, program.text);
  const outputs = [0, 1, 2, 3].map((number) => recordsOf(world, `${names.interface}}${number}`));
  return { input, outputs, stdout };
}

for (const { name, prefix, missing } of scriptSets) {
  const skip = missing || noNetwork;

  test(`startup-one-thread.lua, ${name}: ix1 by flow over four pipes`, { skip }, async (t) => {
    const { input, outputs, stdout } = await runScript(t, prefix, {
      script: 'startup-one-thread',
      init: 'init',
      start: 'start',
      stop: 'stop',
      interface: 'ix1',
    });
    const report = comparePartition(input, outputs, judged);
    assert.ok(report.ok, report.faults.join('\n'));
    assert.ok((stdout.match(table) ?? []).length >= 2, stdout);
    const bytes = input.reduce((sum, { data }) => sum + data.length, 0);
    const columns = [String(input.length).padStart(10), String(bytes).padStart(11), '          0'];
    assert.ok(stdout.includes(`${['e0', ...columns].join(' \t\t ')}\n`), stdout);
  });

  test(`startup-multi-threads.lua, ${name}: a queue of eth3, a pipe`, { skip }, async (t) => {
    const { input, outputs, stdout } = await runScript(t, prefix, {
      script: 'startup-multi-threads',
      init: 'init4',
      start: 'start4',
      stop: 'stop4',
      interface: 'eth3',
    });
    // The interface chose the queues, by direction: flows are its business.
    const { missing: lost, foreign } = comparePartition(input, outputs);
    assert.deepEqual([lost, foreign], [0, 0]);
    assert.ok(outputs.filter((records) => records.length > 0).length > 1, 'one queue took all');
    assert.match(stdout, /^e0 .*\ne1 .*\ne2 .*\ne3 .*\n={104}$/m);
  });
}

test('the originals look for netmap and for root, and go on', async (t) => {
  const world = useWorld(t);
  // Written as their authors wrote such checks: numeric os.execute, popen, os.exit(-1).
  const script = world.file(
    'probe.lua',
    `local function shell(c) local h = assert(io.popen(c, "r")) local o = h:read("*all")
       h:close() return o end
     if string.find(shell("uname"), "Linux") == nil then os.exit(-1) end
     if os.execute("cd /sys/module/netmap/parameters/") ~= 0 then os.exit(-1) end
     shell("echo 64 > /sys/module/netmap/parameters/default_pipes")
     print("went on") os.exit(-1)`,
  );
  const { code, stdout, stderr } = await world.run('bricks', ['-f', script]);
  assert.deepEqual([code, stdout, stderr], [255, 'went on\n', '']);
});

test('a busy wait on os.clock neither stops packets nor lasts longer than asked', async (t) => {
  const world = useWorld(t);
  const script = world.file(
    'busy.lua',
    `local lb = Brick.new("LoadBalancer")
     lb:connect_input("gen:60?flows=10&seed=1") lb:connect_output("null:")
     local pe = PktEngine.new("e0") pe:link(lb) pe:start()
     local before, t0 = pe:stats().packets, os.clock()
     while os.clock() - t0 <= 0.5 do end
     print(pe:stats().packets > before + 100000, os.clock() - t0 < 5)
     pe:stop()`,
  );
  const { code, stdout, stderr } = await world.run('bricks', ['-f', script]);
  assert.deepEqual([code, stdout], [0, 'true\ttrue\n'], stderr);
});

test('load-balance.lua and duplicate.lua say how they are started', async (t) => {
  const world = useWorld(t);
  for (const name of ['load-balance', 'duplicate']) {
    const path = join(root, 'scripts', `${name}.lua`);
    const { code, stderr } = await world.run('bricks', ['-f', path]);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`bricks-${name} INTERFACE N`));
  }
});
