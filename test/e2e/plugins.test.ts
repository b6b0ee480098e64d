/** Ready plugins through whole programs, and what lists of plugins refuse, reload and report. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Status } from '../../src/engine/status.ts';
import { makeTraffic, pcapOf } from '../../src/traffic/traffic.ts';
import { capturesMissing, pcapFolder } from '../support/shared-captures.ts';
import { root } from '../support/source-tree.ts';
import { until, useWorld, type World } from './world.ts';

const built = (name: string) => `${root}/native/build/release/plugins/${name}.so`;
const example = (name: string) => `${root}/examples/plugins/${name}`;
const unbuilt = existsSync(built('firewall'))
  ? false
  : 'plugins are not built: make -C native core_test';
const seed = 23;

interface Outcome {
  readonly lines: Record<string, string | number>[];
  readonly counts: string;
  readonly delivered: number;
  readonly difference: number;
}

/** One plugin over a capture, to its end. */
async function play(world: World, path: string, options: string, input: string): Promise<Outcome> {
  const file = `${world.folder}/${path.replace(/\W/g, '_')}.log`;
  const script = world.file(
    'play.lua',
    `s = Brick.new("Session", { plugins = { { "${path}", name = "p",
       options = { file = "${file}", ${options} } } } })
     s:connect_input("pcap:${input}"):connect_output("null:")
     pe = PktEngine.new("e") pe:link(s) pe:start() pe:wait(60)
     local c = s:plugins()[1].counts
     print("counts", c.errors, c.ctx_leaks, c.lost_lines, c.allowed, c.denied, c.dropped,
       c.logged)`,
  );
  const shell = world.start('bricks', ['-f', script]);
  await shell.says(/counts.*\n/);
  const ledger = await world.ledger();
  shell.endInput();
  const { code, stdout, stderr } = await shell.ended;
  assert.equal(code, 0, stderr);
  return {
    lines: readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, string | number>),
    counts: /counts\t(.*)/.exec(stdout)?.[1] ?? '',
    delivered: ledger.outputs.reduce((sum, { delivered }) => sum + delivered, 0),
    difference: ledger.difference,
  };
}

test('firewall in C and in Lua: the same verdicts, lines and packets', {
  skip: unbuilt,
}, async (t) => {
  const world = useWorld(t);
  const traffic = makeTraffic({ seed, flows: 80, packets: 2000 });
  const input = world.file('in.pcap', pcapOf(traffic));
  const options = 'rules = "allow udp; allow tcp port 1-1023; deny from 10.0.0.0/8", log = "all"';
  const c = await play(world, built('firewall'), options, input);
  const lua = await play(world, example('firewall.lua'), options, input);
  assert.deepEqual(lua, c, `seed ${seed}`);
  assert.equal(c.difference, 0);
  const denied = c.lines.filter(({ verdict }) => verdict === 'deny');
  assert.ok(denied.length > 5 && denied.length < c.lines.length, `${denied.length} denied`);
  const [errors, leaks, lost, allowed, refused, dropped] = c.counts.split('\t').map(Number);
  assert.deepEqual([errors, leaks, lost], [0, 0, 0]);
  assert.deepEqual([allowed, refused], [c.lines.length - denied.length, denied.length]);
  assert.equal(c.delivered, traffic.length - (dropped ?? 0));
  for (const { rule, verdict, proto } of c.lines) {
    if (rule === 'allow udp') assert.deepEqual([verdict, proto], ['allow', 'udp']);
  }
});

test('flow logger in C and in Lua: the flows of bricks flows', { skip: unbuilt }, async (t) => {
  const world = useWorld(t);
  const input = world.file('in.pcap', pcapOf(makeTraffic({ seed, flows: 60, packets: 3000 })));
  const c = await play(world, built('flow_logger'), '', input);
  assert.deepEqual(await play(world, example('flow_logger.lua'), '', input), c, `seed ${seed}`);
  assert.match(c.counts, /^0\t0\t0\t/);
  const { stdout } = await world.run('bricks', ['flows', '-q', input]);
  const flows = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, string | number>);
  const rows = c.lines.map((line) => [
    line['community_id'],
    line['orig_pkts'],
    line['resp_pkts'],
    line['proto'],
  ]);
  const expected = flows
    .filter(({ proto }) => proto === 'tcp' || proto === 'udp')
    .map((flow) => [flow['community_id'], flow['pkts_ab'], flow['pkts_ba'], flow['proto']]);
  const seen = rows.filter(([, , , proto]) => proto === 'tcp' || proto === 'udp');
  assert.ok(expected.length > 40);
  assert.deepEqual(seen.sort(), expected.sort());
});

/** Captures that have ICMP, IPv6, fragments, tunnels, resets and lost segments. */
const different = [
  'wireshark-2013/dns+icmp.pcapng',
  'dnscap/dnso1tcp-bighole.pcap',
  'tcpdump/bigtcp-ipv6-vxlan-ipv6.pcap',
  'tcpdump/tcp_rst_data.pcap',
  'tcpdump/icmpv6.pcap',
  'tcpdump/LINKTYPE_RAW_ipv6.pcap',
  'nDPI/ipv6_in_gtp.pcap',
  'nDPI/dns_fragmented.pcap',
].map((name) => join(pcapFolder, 'pcap', name));

test('flow logger in C, Lua and TypeScript, in one Session: byte for byte the same', {
  skip: unbuilt,
}, async (t) => {
  const world = useWorld(t);
  const made = world.file('in.pcap', pcapOf(makeTraffic({ seed, flows: 60, packets: 3000 })));
  const captures = [made, ...(capturesMissing === false ? different : [])];
  if (capturesMissing !== false) t.diagnostic(`made traffic only: ${capturesMissing}`);
  const files = [built('flow_logger'), example('flow_logger.lua'), example('flow_logger.ts')];
  const log = (capture: number, file: number): string => `${world.folder}/${capture}-${file}.log`;
  const script = captures.map((capture, i) => {
    const plugins = files.map(
      (path, k) =>
        `{ "${path}", name = "p${k}", timeout_ms = 10000, options = { file = "${log(i, k)}" } }`,
    );
    return `do
      local s = Brick.new("Session", { midstream = true, plugins = { ${plugins.join()} } })
      s:connect_input("pcap:${capture}"):connect_output("null:")
      local pe = PktEngine.new("e${i}")
      pe:link(s) pe:start() pe:wait(30) pe:stop() pe:delete()
    end\n`;
  });
  const played = await world.run('bricks', ['-f', world.file('three.lua', script.join(''))]);
  assert.equal(played.code, 0, played.stderr);
  let lines = 0;
  captures.forEach((capture, i) => {
    const [c = '', lua, script] = files.map((_, k) => readFileSync(log(i, k), 'utf8'));
    assert.equal(lua, c, `Lua, ${capture}, seed ${seed}`);
    assert.equal(script, c, `TypeScript, ${capture}, seed ${seed}`);
    lines += c.split('\n').length - 1;
  });
  assert.ok(lines >= 60, `${lines} lines`);
});

test('a list says what is wrong with it, and nothing has changed', { skip: unbuilt }, async (t) => {
  const world = useWorld(t);
  const failures: [string, RegExp][] = [
    ['{ "/nowhere/fw.so" }', /fw: \/nowhere\/fw\.so: No such file/],
    [`{ "${built('wrong_abi')}" }`, /made for plugin ABI 3, and this bricks has 2/],
    [`{ "${built('no_entry')}" }`, /does not export bricks_plugin_entry/],
    [`{ { "${built('firewall')}", options = { ruls = "" } } }`, /no option "ruls"; options: rules/],
    [`{ { "${built('firewall')}", option = {} } }`, /plugins, #1/],
    [`{ { "${built('firewall')}", max_error = 1 } }`, /max_error/],
    [
      `{ { "${built('firewall')}", options = { rules = "allow sctp" } } }`,
      /rules: \\?"allow sctp\\?"/,
    ],
    ['{ 7 }', /plugins, #1 must be a file's name or a table/],
    ['"fw.so"', /must be a list of plugins/],
  ];
  const script = failures
    .map(([list], i) => `print(${i}, pcall(function() s:set{ plugins = ${list} } end))`)
    .join('\n');
  const { stdout, code } = await world.run('bricks', [
    '-f',
    world.file(
      'wrong.lua',
      `s = Brick.new("Session", { plugins = { { "${built('flow_logger')}",
         options = { file = "${world.folder}/x" } } } })
       ${script}
       print("left", #s:plugins(), s:plugins()[1].name, s:plugins()[1].generation)
       print(pcall(Brick.new, "Filter", { plugins = {} }))`,
    ),
  ]);
  assert.equal(code, 0);
  const said = stdout.split('\n');
  failures.forEach(([list, wrong], i) => {
    const line = said.find((text) => text.startsWith(`${i}\t`)) ?? '';
    assert.match(line, /^\d+\tfalse/, list);
    assert.match(line, wrong);
  });
  assert.match(stdout, /left\t1\tflow_logger\t1\n/);
  assert.match(stdout, /false\t.*Filter/);
});

test('reload while packets flow; figures and warnings in status', { skip: unbuilt }, async (t) => {
  const world = useWorld(t);
  const copy = `${world.folder}/wall.so`;
  copyFileSync(built('firewall'), copy);
  const script = world.file(
    'reload.lua',
    `s = Brick.new("Session", { plugins = {
       { "${copy}", options = { rules = "", default = "allow" } },
       { "/nowhere/none.so", required = false } } })
     s:connect_input("gen:60?flows=1000&seed=${seed}"):connect_output("null:")
     pe = PktEngine.new("e") pe:link(s) pe:start()`,
  );
  const server = await world.run('bricks-server', ['-f', script]);
  assert.equal(server.code, 0, server.stderr);
  const status = async () =>
    JSON.parse((await world.run('bricks', ['status', '--json'])).stdout) as Status;
  const figure = async (name: string) => (await status()).engines[0]?.bricks[0]?.figures[name] ?? 0;
  assert.ok((await status()).engines[0]?.warnings.some((text) => /not required/.test(text)));
  await until('the firewall has seen sessions', async () => (await figure('wall.events')) > 0);
  const shell = await world.run(
    'bricks-shell',
    [],
    's:reload() print(s:plugins()[1].generation)\n',
  );
  assert.match(shell.stdout, /2/);
  assert.equal(await figure('wall.errors'), 0);
  assert.ok((await figure('wall.allowed')) > 0);
});
