/** The TLS policy among the ready plugins, in C and in Lua, and rules by application, on a real
 * capture: sessions of TLS and of QUIC to the same name. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readCapture } from '../../src/capture/read.ts';
import { capturesMissing, pcapFolder } from '../support/shared-captures.ts';
import { root } from '../support/source-tree.ts';
import { useWorld, type World } from './world.ts';

const input = join(pcapFolder, 'pcap/mercury/quic_reordered_frames.pcap');
const library = `${root}/native/build/release/plugins/tls_policy.so`;

interface Run {
  readonly frames: readonly string[];
  readonly log: string;
  readonly figures: string;
}

let runs = 0;

async function police(world: World, plugin: string, rules: string): Promise<Run> {
  runs += 1;
  const name = `run-${runs}`;
  const [out, log] = [`${world.folder}/${name}.pcap`, `${world.folder}/${name}.log`];
  const script = world.file(
    'policy.lua',
    `
    s = Brick.new("Session", { plugins = { { path = "${plugin}",
          options = { rules = "${rules}", file = "${log}" } } } })
    s:connect_input("pcap:${input}")
    s:connect_output("pcap:${out}")
    pe = PktEngine.new("e")
    pe:link(s)
    pe:start()
    print("over", pe:wait(60))
    local counts = s:plugins()[1].counts
    print("figures", counts.allowed, counts.denied, counts.errors)
    pe:stop()`,
  );
  const { code, stdout, stderr } = await world.run('bricks', ['-f', script]);
  assert.equal(code, 0, stderr);
  return {
    frames: readCapture(out).records.map(({ data }) => data.toString('hex')),
    log: readFileSync(log, 'utf8'),
    figures: /figures\t(.*)/.exec(stdout)?.[1] ?? stdout + stderr,
  };
}

test('TLS policy: C and Lua end the same sessions, and say so alike', async (t) => {
  const world = useWorld(t);
  if (capturesMissing) return t.skip(capturesMissing);
  if (!existsSync(library)) return t.skip('plugins are not built: make -C native core_test');
  const lua = `${root}/examples/plugins/tls_policy.lua`;
  const all = readCapture(input).records.map(({ data }) => data.toString('hex'));
  for (const [rules, verdicts] of [
    ['allow *', { allow: 22 }],
    ['deny *.google.com', { allow: 13, deny: 9 }],
    ['deny ja4 q13d*; allow accounts.google.com', { allow: 20, deny: 2 }],
    ['deny google.com; deny *.accounts.google.com', { allow: 22 }],
  ] as const) {
    const c = await police(world, library, rules);
    assert.deepEqual(await police(world, lua, rules), c, rules);
    const lines = c.log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const said: Record<string, number> = {};
    for (const { verdict } of lines) said[String(verdict)] = (said[String(verdict)] ?? 0) + 1;
    assert.deepEqual(said, verdicts, rules);
    assert.ok(lines.some(({ name, proto }) => name === 'accounts.google.com' && proto === 'quic'));
    assert.equal(c.frames.length < all.length, 'deny' in verdicts, rules);
    assert.ok(c.figures.endsWith('\t0'), c.figures);
  }
});

test('Session identify: a Filter behind it goes by application, without plugins', async (t) => {
  const world = useWorld(t);
  if (capturesMissing) return t.skip(capturesMissing);
  const counts: number[] = [];
  const protocols = { tls: 6, quic: 17, ssh: 6 };
  for (const [application, protocol] of Object.entries(protocols)) {
    const out = `${world.folder}/${application}.pcap`;
    const script = world.file(
      'identify.lua',
      `
      s = Brick.new("Session", { identify = true })
      f = Brick.new("Filter", { default = "drop" })
      f:add_rule{ application = "${application}", action = "pass" }
      s:connect_input("pcap:${input}")
      s:connect_output("e{0")
      f:connect_input("e}0")
      f:connect_output("pcap:${out}")
      s:link(f)
      pe = PktEngine.new("e")
      pe:link(s)
      pe:start()
      pe:wait(60)
      pe:stop()`,
    );
    const { code, stderr } = await world.run('bricks', ['-f', script]);
    assert.equal(code, 0, stderr);
    const { records } = readCapture(out);
    // Ethernet, IPv4: the protocol is the header's tenth byte.
    assert.ok(records.every(({ data }) => data[14 + 9] === protocol));
    counts.push(records.length);
  }
  const [tls = 0, quic = 0, ssh] = counts;
  assert.ok(tls > 100 && quic > 10, `tls ${tls}, quic ${quic}`);
  assert.equal(ssh, 0);
});
