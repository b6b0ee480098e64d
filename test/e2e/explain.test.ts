import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCapture } from '../../src/capture/read.ts';
import type { Explanation } from '../../src/engine/explanation.ts';
import type { FlowQuestion } from '../../src/native/binding.ts';
import { loadBinding } from '../../src/native/load.ts';
import { Random } from '../../src/traffic/random.ts';
import { pcapOf } from '../../src/traffic/traffic.ts';
import { useWorld } from './world.ts';

const seed = Number(process.env['BRICKS_TEST_SEED'] ?? 7);

/** A random flow and one packet of it. */
function randomFlow(random: Random): { question: FlowQuestion; frame: Buffer } {
  const octets = (): number[] => Array.from({ length: 4 }, () => random.between(1, 254));
  const [source, target] = [octets(), octets()];
  const [sourcePort, targetPort] = [random.between(1, 65_535), random.between(1, 65_535)];
  const isTcp = random.between(0, 1) === 1;
  const vlan = random.between(0, 1) === 1 ? random.between(1, 4094) : undefined;
  const tag = vlan === undefined ? [] : [0x81, 0, vlan >> 8, vlan & 255];
  const length = 20 + (isTcp ? 20 : 8);
  const frame = Buffer.from([
    ...[2, 9, 9, 9, 9, 1, 2, 9, 9, 9, 9, 2, ...tag, 8, 0],
    ...[0x45, 0, 0, length, 0, 0, 0, 0, 64, isTcp ? 6 : 17, 0, 0, ...source, ...target],
    ...[sourcePort >> 8, sourcePort & 255, targetPort >> 8, targetPort & 255],
    ...(isTcp ? [0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0, 0, 0, 0, 0] : [0, 8, 0, 0]),
  ]);
  const question = {
    protocol: isTcp ? 'tcp' : 'udp',
    source: source.join('.'),
    target: target.join('.'),
    sourcePort,
    targetPort,
    ...(vlan !== undefined && { vlan }),
  };
  return { question, frame };
}

test('explain agrees with where packets go, over random flows', async (t) => {
  console.log(`seed ${seed}`);
  const world = useWorld(t);
  const binding = loadBinding();
  const random = new Random(seed);
  const flows = Array.from({ length: 400 }, () => randomFlow(random));
  const frames = flows.map(({ frame }, index) => ({ timeUs: index, frame }));
  const input = world.file('in.pcap', pcapOf(frames));
  const files = ['a', 'b', 'c', 'd', 'tcp'].map((name) => `${world.folder}/${name}.pcap`);
  const outputs = files.map((file) => `pcap:${file}`);
  const engine = `explain-${process.pid}`;
  binding.createEngine(engine, {});
  t.after(() => binding.deleteEngine(engine));
  const node = (id: string, kind: string, level: number, options = {}) => ({
    id,
    kind,
    level,
    options,
  });
  binding.apply(engine, {
    inlets: [{ port: `pcap:${input}`, brick: 0 }],
    bricks: [
      {
        ...node('D', 'Duplicator', 1),
        outlets: [
          { name: 'x{0', brick: 1 },
          { name: 'x{1', brick: 2 },
        ],
      },
      {
        ...node('LB', 'LoadBalancer', 2),
        outlets: outputs.slice(0, 4).map((name) => ({ name })),
      },
      {
        ...node('F', 'Filter', 2, { expression: 'tcp or (vlan and tcp)' }),
        outlets: outputs.slice(4).map((name) => ({ name })),
      },
    ],
  });
  binding.start(engine);
  assert.ok(binding.waitDrained(engine, 30_000));
  const before = binding.snapshot().find(({ name }) => name === engine);
  const answers = flows.map(({ question }) => {
    const found = binding.explain(question).find((answer) => answer.engine === engine);
    assert.ok(found);
    return found;
  });
  const after = binding.snapshot().find(({ name }) => name === engine);
  assert.deepEqual(
    after?.bricks.map(({ cell }) => cell),
    before?.bricks.map(({ cell }) => cell),
    'asking counts nothing',
  );
  binding.stop(engine);
  binding.apply(engine, { inlets: [], bricks: [] }); // the files are complete
  const got = files.map((file) =>
    readCapture(file).records.map(({ data }) => data.toString('hex')),
  );
  for (const [index, { frame, question }] of flows.entries()) {
    const really = outputs.filter((_, i) => got[i]?.includes(frame.toString('hex')));
    assert.deepEqual([...(answers[index]?.outputs ?? [])].sort(), really.sort(), `${question}`);
  }
  const balanced = answers[0]?.steps.find(({ brick }) => brick === 'LB');
  assert.equal(balanced?.ways.length, 1);
});

test('bricks explain: in words, as JSON, and what it refuses', async (t) => {
  const world = useWorld(t);
  const script = world.file(
    'start.lua',
    `f = Brick.new("Filter") f:connect_input("gen:60?count=1") f:connect_output("zeek{0")
     f:set{ expression = "tcp port 443" }
     pe = PktEngine.new("e0") pe:link(f)`,
  );
  assert.equal((await world.run('bricks-server', ['-f', script])).code, 0);
  const ask = (...words: string[]) => world.run('bricks', ['explain', ...words]);
  const yes = await ask('tcp', '10.0.0.1:40000', '1.2.3.4:443');
  assert.match(yes.stdout, /Filter-1 -> zeek\{0\n {4}it matches 'tcp port 443'\n {2}outputs: zeek/);
  const no = await ask('udp', '[2001:db8::1]:53', '[2001:db8::2]:53', '--json');
  const [answer] = JSON.parse(no.stdout) as Explanation[];
  assert.deepEqual([answer?.outputs, answer?.steps[0]?.ways], [[], []]);
  assert.match(answer?.steps[0]?.why ?? '', /does not match/);
  for (const [words, pattern] of [
    [['tcp', '10.0.0.1', '1.2.3.4:443'], /needs a port/],
    [['icmp', '10.0.0.1:1', '1.2.3.4'], /no ports/],
    [['gre', '10.0.0.1', '1.2.3.4'], /there are tcp/],
    [['tcp', '10.0.0.1:1', '[::1]:2'], /same IP version/],
    [['tcp', '10.0.0.1:99999', '1.2.3.4:443'], /65535/],
    [['tcp', '10.0.0.1:1', '1.2.3.4:443', '--vlan', '5000'], /4094/],
  ] as const) {
    const { code, stderr } = await ask(...words);
    assert.equal(code, 2, stderr);
    assert.match(stderr, pattern);
  }
});
