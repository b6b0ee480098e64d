/** A script waits until an output has drained; the status says meanwhile how far it has come. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Status } from '../../src/engine/status.ts';
import { ethernet, type Host, ip, protocols, udp } from '../../src/traffic/frames.ts';
import { pcapOf } from '../../src/traffic/traffic.ts';
import { until, useWorld } from './world.ts';

const flows = 60;

function host(last: number, port: number): Host {
  return { mac: Buffer.from([2, 0, 0, 0, 0, last]), address: Buffer.from([10, 0, 0, last]), port };
}

function frame(from: Host, to: Host): Buffer {
  const packet = ip(from, to, protocols.udp, udp(from, to, Buffer.alloc(30)), {});
  return ethernet(from, to, 0x0800, [], packet);
}

/** Flows of one question and its answer, then a new flow every ten seconds for an hour. */
function capture(): Buffer {
  const server = host(1, 53);
  const talk = Array.from({ length: flows }, (_, n) => [
    { timeUs: n * 1000, frame: frame(host(2, 1000 + n), server) },
    { timeUs: n * 1000 + 500, frame: frame(server, host(2, 1000 + n)) },
  ]).flat();
  const clock = Array.from({ length: 360 }, (_, n) => ({
    timeUs: (n + 1) * 10_000_000,
    frame: frame(host(3, 1000 + n), server),
  }));
  return pcapOf([...talk, ...clock]);
}

test('drain waits until the last flow has ended, in the time of the packets', async (t) => {
  const world = useWorld(t);
  const file = world.file('in.pcap', capture());
  const script = world.file(
    's.lua',
    `lb = Brick.new("LoadBalancer") lb:connect_input("pcap:${file}?speed=50")
     lb:connect_output("null:a", "null:b")
     print(pcall(lb.wait_drained, lb))
     pe = PktEngine.new("e0") pe:link(lb)
     print("nothing drains", lb:wait_drained())
     pe:start()
     while pe:stats().packets < ${2 * flows} do BRICKS.sleep(0.01) end
     print("soon", lb:drain("null:a"):wait_drained(0.05))
     print("over", lb:wait_drained(50))
     lb:disconnect_output("null:a")
     pe:stop()
     lb:connect_output("null:c")`,
  );
  const program = world.start('bricks', ['-f', script]);
  await program.says(/soon\tfalse/);
  const look = async (): Promise<Status['engines'][number]['draining']> => {
    const { stdout } = await world.run('bricks', ['status', '--json']);
    return (JSON.parse(stdout) as Status).engines[0]?.draining ?? [];
  };
  const [first] = await look();
  assert.equal(first?.output, 'null:a');
  assert.ok((first?.sessions ?? 0) > 0 && (first?.sessions ?? 0) < flows, 'it has some');
  await program.says(/over\ttrue/);
  await until('it is gone', async () => (await look()).length === 0);
  assert.match(program.text, /false\tb:wait_drained: LoadBalancer-1 is not linked to an engine/);
  assert.match(program.text, /nothing drains\ttrue/);
  program.endInput();
  assert.equal((await program.ended).code, 0, program.text);
});
