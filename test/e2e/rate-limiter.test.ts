/** The rate limiter among the ready plugins: C and Lua do the very same to a capture. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { readCapture } from '../../src/capture/read.ts';
import type { Status } from '../../src/engine/status.ts';
import { makeTraffic, pcapOf } from '../../src/traffic/traffic.ts';
import { root } from '../support/source-tree.ts';
import { useWorld, type World } from './world.ts';

interface Run {
  readonly out: [time: bigint, frame: string][];
  readonly groups: Status['queue_groups'];
  readonly figures: string;
}

const built = `${root}/native/build/release`;
const library = `${built}/plugins/rate_limiter.so`;

function recordsOf(path: string): Run['out'] {
  return readCapture(path).records.map(({ timestampNs, data }) => [
    timestampNs,
    data.toString('hex'),
  ]);
}

function isFragment(frame: Buffer): boolean {
  let at = 12;
  while ([0x8100, 0x88a8].includes(frame.readUInt16BE(at))) at += 4;
  const type = frame.readUInt16BE(at);
  if (type === 0x0800) return (frame.readUInt16BE(at + 8) & 0x3fff) !== 0;
  return type === 0x86dd && frame.readUInt8(at + 8) === 44;
}

async function limit(world: World, plugin: string, options: string, input: string): Promise<Run> {
  const out = `${world.folder}/${plugin.replace(/\W/g, '_')}.pcap`;
  const script = world.file(
    'limit.lua',
    `
    s = Brick.new("Session", { plugins = { { path = "${plugin}", options = ${options} } } })
    s:connect_input("pcap:${input}")
    s:connect_output("pcap:${out}?ns=1")
    pe = PktEngine.new("e")
    pe:link(s)
    pe:start()
    print("over", pe:wait(60))
    local counts = s:plugins()[1].counts
    print("figures", counts.limited, counts.free, counts.errors)`,
  );
  const shell = world.start('bricks', ['-f', script]);
  await shell.says(/figures.*\n/);
  const status = JSON.parse((await world.run('bricks', ['status', '--json'])).stdout) as Status;
  const ledger = await world.ledger();
  shell.endInput();
  const { code, stdout } = await shell.ended;
  assert.equal(code, 0);
  assert.equal(ledger.difference, 0);
  return {
    out: recordsOf(out),
    groups: status.queue_groups.map((group) => ({ ...group, workers: 0 })),
    figures: /figures\t(.*)/.exec(stdout)?.[1] ?? '',
  };
}

test('rate limiter: C and Lua, all together and by source', async (t) => {
  const world = useWorld(t);
  if (!existsSync(library)) return t.skip('plugins are not built: make -C native core_test');
  const seed = 17;
  const traffic = makeTraffic({ seed, flows: 60, packets: 1500 });
  const bytes = traffic.reduce((sum, { frame }) => sum + frame.length, 0);
  const seconds = ((traffic.at(-1)?.timeUs ?? 0) - (traffic[0]?.timeUs ?? 0)) / 1e6;
  const rate = Math.round(bytes / seconds / 3);
  const input = world.file('in.pcap', pcapOf(traffic));
  for (const per of ['all', 'source']) {
    const options = `{ rate = ${per === 'all' ? rate : Math.round(rate / 20)}, per = "${per}" }`;
    const c = await limit(world, library, options, input);
    const lua = await limit(world, `${root}/examples/plugins/rate_limiter.lua`, options, input);
    assert.deepEqual(lua, c, `seed ${seed}, per ${per}`);
    assert.match(c.figures, /^[1-9]\d*\t0\t0$/);
    const counts = c.groups.map((group) => group.counts);
    const sum = (name: string) => counts.reduce((all, each) => all + (each[name] ?? 0), 0);
    assert.equal(c.groups.length > 1, per === 'source');
    assert.ok(sum('enqueued') > 1000, `${sum('enqueued')} packets were limited`);
    assert.equal(sum('enqueued'), sum('dequeued') + sum('queue_full') + sum('moved'));
    assert.ok(sum('delay_us') > 0, 'nothing had to wait');
    assert.equal(c.out.length, traffic.length - sum('queue_full'));
  }
});

test("Stellar's work loop in C does what a Session brick does, whatever its batch", async (t) => {
  const world = useWorld(t);
  const program = `${built}/stellar-worker`;
  if (!existsSync(library) || !existsSync(program)) {
    return t.skip('not built: make -C native all core_test');
  }
  const seed = 23;
  // Fragments are put together with their flow by an engine only.
  const traffic = makeTraffic({ seed, flows: 80, packets: 2000 }).filter(
    ({ frame }) => !isFragment(frame),
  );
  const input = world.file('in.pcap', pcapOf(traffic));
  const brick = await limit(world, library, '{ rate = 60000, per = "all" }', input);
  assert.ok(brick.out.length < traffic.length, 'nothing was dropped: too little for a test');
  for (const plugin of [library, `${root}/examples/plugins/rate_limiter.lua`]) {
    const out = `${world.folder}/worker.pcap`;
    const said = execFileSync(
      program,
      ['pcap-file', input, `${out}?ns=1`, plugin, 'rate=60000;per=all'],
      { encoding: 'utf8', timeout: 60_000 },
    );
    assert.equal(said, `received ${traffic.length}, sent ${brick.out.length}\n`);
    assert.deepEqual(recordsOf(out), brick.out, `seed ${seed}`);
  }
});
