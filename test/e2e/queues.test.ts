/** Queue groups from Lua: a capture is shaped and policed, groups change, mistakes are named. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCapture } from '../../src/capture/read.ts';
import type { Status } from '../../src/engine/status.ts';
import { makeTraffic, pcapOf } from '../../src/traffic/traffic.ts';
import { useWorld } from './world.ts';

/** Of its IP packet, as the header says. */
function ipBytes(frame: Uint8Array): number {
  const view = Buffer.from(frame);
  let at = 12;
  while ([0x8100, 0x88a8].includes(view.readUInt16BE(at))) at += 4;
  const type = view.readUInt16BE(at);
  if (type === 0x0800) return view.readUInt16BE(at + 4);
  return type === 0x86dd ? view.readUInt16BE(at + 6) + 40 : view.length;
}

test('a capture through a shaper: each packet once, in order, at its time', async (t) => {
  const world = useWorld(t);
  const seed = 31;
  const traffic = makeTraffic({ seed, flows: 100, packets: 4000 });
  const all = traffic.length;
  const bytes = traffic.reduce((sum, { frame }) => sum + ipBytes(frame), 0);
  const first = traffic[0]?.timeUs ?? 0;
  const seconds = ((traffic.at(-1)?.timeUs ?? 0) - first) / 1e6;
  const cir = Math.round(bytes / seconds / 2);
  const input = world.file('in.pcap', pcapOf(traffic));
  const script = world.file(
    'shape.lua',
    `
    BRICKS.queue_group{ id = 7, cir = ${cir}, cbs = 20000, packets = 100000 }
    q = Brick.new("Queue", { groups = { 7 } })
    q:connect_input("pcap:${input}")
    q:connect_output("pcap:${world.folder}/out.pcap?ns=1")
    pe = PktEngine.new("e")
    pe:link(q)
    pe:start()
    print("over", pe:wait(30))
    print("counts", BRICKS.queue_groups()[1].counts.dequeued)`,
  );
  const shell = world.start('bricks', ['-f', script]);
  await shell.says(new RegExp(`counts\\t${all}`));
  const status = JSON.parse((await world.run('bricks', ['status', '--json'])).stdout) as Status;
  const text = (await world.run('bricks', ['status'])).stdout;
  const ledger = await world.ledger();
  shell.endInput();
  assert.equal((await shell.ended).code, 0);
  const out = readCapture(`${world.folder}/out.pcap`).records;
  assert.deepEqual(
    out.map(({ data }) => Buffer.from(data).toString('hex')),
    traffic.map(({ frame }) => frame.toString('hex')),
    `seed ${seed}`,
  );
  const times = out.map(
    ({ timestampNs }) => Number(timestampNs - (out[0]?.timestampNs ?? 0n)) / 1e9,
  );
  let sum = 0;
  for (const [i, { data }] of out.entries()) {
    sum += ipBytes(data);
    const since = (times[i] ?? 0) - (times[0] ?? 0);
    assert.ok(
      sum <= 20000 + cir * since + cir * 2e-6 + 1,
      `packet ${i} left too soon, seed ${seed}`,
    );
  }
  // From the first moment on there was more than the rate allows: it is used to the full.
  const took = (times.at(-1) ?? 0) - (times[0] ?? 0);
  assert.ok(Math.abs(took - (bytes - 20000) / cir) < 0.05 * took, `${took} s, seed ${seed}`);
  assert.equal(ledger.difference, 0);
  const group = status.queue_groups[0];
  assert.equal(group?.id, 7);
  assert.equal(group?.counts['enqueued'], all);
  assert.equal(group?.counts['dequeued_bytes'], bytes);
  assert.match(text, /QUEUE GROUP[\s\S]*7 +shaper/);
});

test('one policer for two engines, and what Lua refuses', async (t) => {
  const world = useWorld(t);
  const traffic = makeTraffic({ seed: 5, flows: 100, packets: 2000 });
  const input = world.file('in.pcap', pcapOf(traffic));
  const script = world.file(
    'police.lua',
    `
    BRICKS.queue_group{ id = 1, kind = "policer", cir = 1000, cbs = 9000 }
    for i = 1, 2 do
      local q = Brick.new("Queue", { groups = { 1 } })
      q:connect_input("pcap:${input}")
      q:connect_output("pcap:${world.folder}/out" .. i .. ".pcap")
      local pe = PktEngine.new("e" .. i)
      pe:link(q)
      pe:start()
    end
    for i = 1, 2 do print("over", i, PktEngine.retrieve("e" .. i):wait(30)) end
    local counts = BRICKS.queue_groups()[1].counts
    print("all", counts.enqueued, counts.enqueued - counts.dequeued - counts.policed)
    BRICKS.queue_group{ id = 1, kind = "policer", cir = 2000, cbs = 9000 }
    print("updates", BRICKS.queue_groups()[1].updates, BRICKS.queue_groups()[1].options.cir)
    local function fails(f, ...) print("fails", select(2, pcall(f, ...))) end
    fails(BRICKS.queue_group, { id = 2 })
    fails(BRICKS.queue_group, { id = 2, cir = 1000, cbs = 100 })
    fails(BRICKS.queue_group, { cir = 1000 })
    fails(BRICKS.queue_group, { id = 2, cir = 1000, colour = "blue" })
    fails(BRICKS.queue_group, 5)
    fails(BRICKS.delete_queue_group, 99)
    BRICKS.delete_queue_group(1)
    print("left", #BRICKS.queue_groups())`,
  );
  const shell = world.start('bricks', ['-f', script]);
  await shell.says(/left\t0/);
  shell.endInput();
  const { code, stdout } = await shell.ended;
  assert.equal(code, 0);
  assert.match(stdout, new RegExp(`all\\t${2 * traffic.length}\\t0`));
  assert.match(stdout, /updates\t1\t2000/);
  const refusals = stdout.split('\n').filter((line) => line.startsWith('fails'));
  for (const [i, wanted] of [
    /cir is 0 and must be 1 to/,
    /cbs is 100 and must be 1500/,
    /id must be a whole number/,
    /colour/,
    /must be a table, like \{ id = 1/,
    /there is no queue group 99/,
  ].entries()) {
    assert.match(refusals[i] ?? '', wanted);
  }
  const ledger = readCapture(`${world.folder}/out1.pcap`).records.length;
  assert.ok(ledger > 0);
});
