/**
 * Every capture of the shared collection through a LoadBalancer with four outputs, judged by
 * src/capture, which shares no code with the engine, and by what tshark says about the flows.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { comparePartition, type PartitionReport } from '../src/capture/compare.ts';
import { flowOf } from '../src/capture/flow.ts';
import { readCapture } from '../src/capture/read.ts';
import type { CaptureRecord } from '../src/capture/record.ts';
import { exitCodes } from '../src/errors.ts';
import { judged } from './support/judged.ts';
import {
  capturesMissing,
  fitsClassicPcap,
  type SharedCapture,
  sharedCaptures,
  tsharkFlows,
} from './support/shared-captures.ts';
import { root } from './support/source-tree.ts';

const folder = mkdtempSync(join(tmpdir(), 'bricks-captures-'));
after(() => rmSync(folder, { recursive: true }));
const bricks = join(root, 'bin/bricks');
const environment = { ...process.env, BRICKS_RUN_DIR: folder };
const outputs = [0, 1, 2, 3];
const minutes = 60_000;

/** What no reader can take for a capture: libpcap neither. */
const refused = /\.snoop$|\/(linktype-reserved-field-not-zero|pcap-invalid-version-1)\.pcap$/;
const isRefused = ({ file }: SharedCapture) => refused.test(file);

/** The judge does not know "modified" pcap, and reads on after a block with two lengths. */
const isJudged = (capture: SharedCapture) =>
  !isRefused(capture) &&
  !capture.format.includes('modified') &&
  !capture.file.endsWith('/shb-option-too-long.pcapng');

/**
 * In gtp9_unknown_or_too_short_payload one packet of this flow says it is 1,480 bytes long, in a
 * GTP payload of 172: the engine does not believe it and stays with the outer flow, the judge does.
 */
const liesInside = 'flow tcp 0a837726.55746 d9149c04.80 ';

/** The verdict by the innermost flows; ICMP errors belong to those that they quote. */
const judge = (
  input: readonly CaptureRecord[],
  outputs: readonly (readonly CaptureRecord[])[],
): PartitionReport => {
  const report = comparePartition(input, outputs, judged);
  return { ...report, faults: report.faults.filter((fault) => !fault.includes(liesInside)) };
};

const frameBytesMax = 65_535;
const fits = ({ data }: CaptureRecord) => data.length <= frameBytesMax;

function runScript(name: string, lua: string, timeout: number) {
  const script = join(folder, `${name}.lua`);
  writeFileSync(script, lua);
  return spawnSync(bricks, ['-f', script], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    timeout,
    maxBuffer: 64 * 1024 * 1024,
  });
}

const ledgerWords = `
local function words()
  local l = BRICKS.ledger()
  local text = string.format("received %d delivered %d copies %d held %d difference %d",
    l.received, l.delivered, l.copies, l.held, l.difference)
  local reasons = {}
  for reason, count in pairs(l.dropped) do
    if count > 0 then reasons[#reasons + 1] = string.format(" %s %d", reason, count) end
  end
  table.sort(reasons)
  return text .. table.concat(reasons)
end
`;

/** The words for so many packets that came through, and so many too long for any port. */
function balanced(delivered: number, oversize: number): string {
  const received = delivered + oversize;
  const words = `received ${received} delivered ${delivered} copies 0 held 0 difference 0`;
  return oversize === 0 ? words : `${words} oversize ${oversize}`;
}

/** One engine after the other in one process; a row of stdout each. */
const splitToFiles = (list: string, out: string) => `${ledgerWords}
for line in io.lines("${list}") do
  local index, suffix, path = line:match("^(%d+)\\t([^\\t]*)\\t(.*)$")
  local pe = PktEngine.new("split" .. index)
  local ok, why = pcall(function()
    local lb = Brick.new("LoadBalancer")
    lb:connect_input("pcap:" .. path)
    for i = 0, 3 do
      lb:connect_output("pcap:${out}/" .. index .. "." .. i .. suffix)
    end
    pe:link(lb)
    pe:start()
    assert(pe:wait(60), "not drained in 60 s")
    print("CAPTURE " .. index .. " " .. words())
    pe:stop()
  end)
  if not ok then print("REFUSED " .. index .. " " .. tostring(why)) end
  pe:delete()
end
`;

test('split four ways to files, byte for byte, no flow split', { skip: capturesMissing }, (t) => {
  const captures = sharedCaptures();
  const out = join(folder, 'split');
  mkdirSync(out);
  const inputs = captures.map((capture) =>
    isJudged(capture) ? readCapture(capture.path).records : [],
  );
  const list = join(folder, 'list');
  const rows = captures.map(({ path }, index) => {
    const suffix = fitsClassicPcap(inputs[index] ?? []) ? '' : '?ng=1';
    return `${index}\t${suffix}\t${path}\n`;
  });
  writeFileSync(list, rows.join(''));
  const run = runScript('split', splitToFiles(list, out), 8 * minutes);
  assert.equal(run.status, 0, run.stderr.slice(-2000));

  const said = new Map(
    [...run.stdout.matchAll(/^(CAPTURE|REFUSED) (\d+) (.*)$/gm)].map(
      ([, kind = '', index = '', text = '']) => [Number(index), `${kind} ${text}`],
    ),
  );
  const counted = tsharkFlows();
  const faults: string[] = [];
  let flowsSeen = 0;
  captures.forEach((capture, index) => {
    const say = (fault: string) => faults.push(`${capture.file}: ${fault}`);
    const words = said.get(index) ?? 'nothing was said about it';
    if (isRefused(capture)) {
      if (!/^REFUSED .* is not a pcap or pcapng/.test(words) || !words.includes(capture.path))
        say(words);
      return;
    }
    const whole = (inputs[index] ?? []).filter(fits);
    const oversize = (inputs[index]?.length ?? 0) - whole.length;
    const should = isJudged(capture)
      ? balanced(whole.length, oversize)
      : balanced(capture.packets, 0);
    // Where a record's length is nonsense, what follows may be counted as malformed, or not at all.
    const certain = (text: string) =>
      capture.damage === '-' ? text : text.replace(/ received \d+| malformed \d+/g, '');
    if (certain(words) !== certain(`CAPTURE ${should}`)) say(`${words}; should be: ${should}`);
    if (!isJudged(capture) || !words.startsWith('CAPTURE')) return;

    const got = outputs.map((i) => readCapture(join(out, `${index}.${i}`)));
    for (const { damage } of got) if (damage) say(`an output is damaged: ${damage}`);
    const report = judge(
      whole,
      got.map(({ records }) => records),
    );
    for (const fault of report.faults) say(fault);
    const holders = got.map(({ records }) => new Set(records.map((record) => flowOf(record))));
    for (const flow of counted.get(capture.file) ?? []) {
      const holding = holders.filter((flows) => flows.has(flow)).length;
      if (holding > 1) say(`tshark's flow ${flow} is in ${holding} outputs`);
      flowsSeen += holding;
    }
  });
  t.diagnostic(`${captures.length} captures, ${flowsSeen} of tshark's flows`);
  assert.equal(faults.slice(0, 50).join('\n'), '');
  // The others are fragments, or behind headers that the judge does not read.
  assert.ok(flowsSeen > 15_000, `only ${flowsSeen} of tshark's flows were found`);
});

function startConsumer(index: number): {
  child: ChildProcess;
  file: string;
  ended: Promise<number>;
} {
  const file = join(folder, `consumer${index}.pcapng`);
  const child = spawn(
    bricks,
    ['cat', `all}${index}`, '--ng', '-w', file, '-q', '--timeout', '120'],
    {
      env: environment,
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  return { child, file, ended: once(child, 'close').then(([code]) => Number(code)) };
}

test('all captures in a row to four consumer processes', { skip: capturesMissing }, async () => {
  const captures = sharedCaptures().filter((c) => isJudged(c) && c.damage === '-');
  const row = join(folder, 'row');
  mkdirSync(row);
  captures.forEach(({ path }, index) => {
    symlinkSync(path, join(row, `${String(index).padStart(5, '0')}.pcap`));
  });
  const input = captures.flatMap(({ path }) => [...readCapture(path).records]);
  // A packet "longer than on the wire" comes out of a pipe as long as it is.
  const whole = input
    .filter(fits)
    .map((r) => ({ ...r, wireLength: Math.max(r.wireLength, r.data.length) }));
  const consumers = outputs.map(startConsumer);
  try {
    const script = `${ledgerWords}
local pe = PktEngine.new("row")
local lb = Brick.new("LoadBalancer")
-- What one capture announces is no news of another, made elsewhere in another year.
lb:set({ related = false })
lb:connect_input("pcap:${row}")
lb:connect_outputs("all", 4)
pe:link(lb)
pe:start()
assert(pe:wait(120), "not drained in 120 s")
print(words())
pe:stop()
pe:delete()
`;
    const run = runScript('row', script, 4 * minutes);
    assert.equal(run.status, 0, run.stderr.slice(-2000));
    assert.equal(run.stdout.trim(), balanced(whole.length, input.length - whole.length));
    const codes = await Promise.all(consumers.map(({ ended }) => ended));
    assert.deepEqual(codes, [0, 0, 0, 0]);
  } finally {
    for (const { child } of consumers) child.kill();
  }
  const got = consumers.map(({ file }) => readCapture(file).records);
  const report = judge(whole, got);
  assert.deepEqual(report.faults, []);
  assert.ok(got.every((records) => records.length > 0));
});

function replay(path: string) {
  return runScript(
    'replay',
    `local pe = PktEngine.new("replay")
local dummy = Brick.new("Dummy")
dummy:connect_input("pcap:${path}")
dummy:connect_output("null:")
pe:link(dummy)
pe:start()
pe:wait(30)
`,
    minutes,
  );
}

test('what is no capture is refused with its name', { skip: capturesMissing }, () => {
  const [snoop] = sharedCaptures().filter(({ format }) => format === 'snoop');
  assert.ok(snoop);
  const run = replay(snoop.path);
  assert.equal(run.status, exitCodes.configuration, run.stderr);
  assert.match(run.stderr, /not a pcap or pcapng capture/);
  assert.ok(run.stderr.includes(snoop.path), run.stderr);
});

test('a damaged capture gives what is whole, and a warning', { skip: capturesMissing }, () => {
  const damaged = sharedCaptures().filter(({ damage }) => damage !== '-');
  assert.ok(damaged.length > 0);
  for (const { path } of damaged) {
    const run = replay(path);
    assert.equal(run.status, 0, run.stderr);
    assert.ok(run.stderr.includes(path), `no warning about ${path}: ${run.stderr}`);
  }
});
