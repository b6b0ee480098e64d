/** Fragments of one datagram by two live inputs, in any order: all at their flow's output. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { readCapture } from '../../src/capture/read.ts';
import type { Status } from '../../src/engine/status.ts';
import { ethernet, type Host, ip, protocols, udp } from '../../src/traffic/frames.ts';
import { Random } from '../../src/traffic/random.ts';
import { pcapOf } from '../../src/traffic/traffic.ts';
import { root } from '../support/source-tree.ts';
import { noNetwork, useNetwork } from '../support/veth-network.ts';
import { until, useWorld } from './world.ts';

const flows = 64;
const pieceBytes = 512;

function host(address: number[], port: number): Host {
  return {
    mac: Buffer.from([2, 0, 0, 0, 0, address.at(-1) ?? 0]),
    address: Buffer.from(address),
    port,
  };
}

/** Both ends of a flow, of IPv4 and IPv6 in turns. */
function endsOf(flow: number): [Host, Host] {
  if (flow % 2 === 0) return [host([10, 0, flow, 1], 4000 + flow), host([10, 9, 9, 9], 53)];
  const prefix = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  return [host([...prefix, flow, 1], 4000 + flow), host([...prefix, 9, 9], 53)];
}

/** A datagram in three fragments, a request's or an answer's. */
function datagram([from, to]: [Host, Host], id: number): Buffer[] {
  const whole = udp(from, to, Buffer.alloc(2 * pieceBytes + 100, id));
  const type = from.address.length === 4 ? 0x0800 : 0x86dd;
  return [0, pieceBytes, 2 * pieceBytes].map((fragmentOffset) => {
    const moreFragments = fragmentOffset + pieceBytes < whole.length;
    const data = whole.subarray(fragmentOffset, fragmentOffset + pieceBytes);
    const packet = ip(from, to, protocols.udp, data, { id, fragmentOffset, moreFragments });
    return ethernet(from, to, type, [], packet);
  });
}

interface Mixed {
  /** What is sent, by input. */
  readonly ways: readonly (readonly { timeUs: number; frame: Buffer }[])[];
  /** By the frame's bytes. */
  readonly flowOf: ReadonlyMap<string, number>;
}

/** Blocks of a few datagrams whose pieces come mixed, by either way. */
function mixedPieces(random: Random): Mixed {
  const flowOf = new Map<string, number>();
  const ways: { timeUs: number; frame: Buffer }[][] = [[], []];
  let timeUs = 0;
  for (let block = 0; block < 48; block++) {
    const pieces: Buffer[] = [];
    for (let n = 0; n < 8; n++) {
      const flow = random.between(0, flows - 1);
      const [a, b] = endsOf(flow);
      const frames = datagram(random.between(0, 1) === 0 ? [a, b] : [b, a], block * 8 + n + 1);
      for (const frame of frames) flowOf.set(frame.toString('hex'), flow);
      pieces.push(...frames);
    }
    while (pieces.length > 0) {
      const [frame] = pieces.splice(random.between(0, pieces.length - 1), 1);
      timeUs += 1;
      if (frame !== undefined) ways[random.between(0, 1)]?.push({ timeUs, frame });
    }
  }
  return { ways, flowOf };
}

test('fragments by two live inputs, out of order, go with their flow', {
  skip: noNetwork,
}, async (t) => {
  const network = useNetwork(t, [{ name: 'm0' }, { name: 'm1' }]);
  const world = useWorld(t);
  const seed = 401;
  const { ways, flowOf } = mixedPieces(new Random(seed));
  ways.forEach((way, index) => {
    world.file(`way${index}.pcap`, pcapOf(way));
  });
  const outputs = [0, 1, 2, 3].map((index) => join(world.folder, `out${index}.pcap`));
  const script = world.file(
    'fragments.lua',
    `
    merge = Brick.new("Merge")
    merge:connect_input("m0", "m1")
    merge:connect_output("all{0")
    lb = Brick.new("LoadBalancer")
    lb:connect_input("all}0")
    lb:connect_output(${outputs.map((path) => `"pcap:${path}"`).join(', ')})
    pe = PktEngine.new("e")
    merge:link(lb)
    pe:link(merge)
    pe:start()
    sender = PktEngine.new("sender")
    for way = 0, 1 do
      local d = Brick.new("Dummy")
      d:connect_input("pcap:${world.folder}/way" .. way .. ".pcap")
      d:connect_output("far-m" .. way)
      sender:link(d)
    end
    sender:start()
    print("sent", sender:wait(30))`,
  );
  const [command, args] = network.command(join(root, 'bin/bricks'), ['-f', script]);
  const shell = world.startProgram(command, args);
  await shell.says(/sent\ttrue/);
  const received = async (): Promise<number> =>
    (await world.ledger()).inputs
      .filter(({ engine }) => engine === 'e')
      .reduce((sum, row) => sum + row.received, 0);
  await until('all is in', async () => (await received()) === flowOf.size);
  const status = JSON.parse((await world.run('bricks', ['status', '--json'])).stdout) as Status;
  const ledger = await world.ledger();
  shell.endInput();
  assert.equal((await shell.ended).code, 0);
  const figures = status.engines.find(({ name }) => name === 'e')?.fragments ?? {};
  assert.equal(ledger.difference, 0);
  assert.equal(figures['datagrams_incomplete'], 0, JSON.stringify(figures));
  assert.ok((figures['fragments_waited'] ?? 0) > flows, JSON.stringify(figures));
  const homes = new Map<number, number>();
  let seen = 0;
  outputs.forEach((path, output) => {
    for (const { data } of readCapture(path).records) {
      const flow = flowOf.get(Buffer.from(data).toString('hex'));
      assert.notEqual(flow, undefined, `a packet that nobody sent (seed ${seed})`);
      seen += 1;
      const home = homes.get(flow ?? -1) ?? output;
      homes.set(flow ?? -1, home);
      assert.equal(home, output, `flow ${flow} is split (seed ${seed})`);
    }
  });
  assert.equal(seen, flowOf.size);
  assert.equal(homes.size, flows, 'every flow was there');
  assert.equal(new Set(homes.values()).size, 4, 'and every output had some');
});
