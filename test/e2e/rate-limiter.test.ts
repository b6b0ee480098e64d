/** The rate limiter among the ready plugins: C and Lua do the very same to a capture. */
import assert from 'node:assert/strict';
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
    out: readCapture(out).records.map(({ timestampNs, data }) => [
      timestampNs,
      data.toString('hex'),
    ]),
    groups: status.queue_groups.map((group) => ({ ...group, workers: 0 })),
    figures: /figures\t(.*)/.exec(stdout)?.[1] ?? '',
  };
}

test('rate limiter: C and Lua, all together and by source', async (t) => {
  const world = useWorld(t);
  const library = `${root}/native/build/release/plugins/rate_limiter.so`;
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
