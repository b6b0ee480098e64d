/** netmap lb's command line and statistics. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseArguments } from '../../../src/cli/command.ts';
import { lbCommand } from '../../../src/cli/lb.ts';
import { lbScript, parseGroups, parseInput, readLbOptions } from '../../../src/cli/lb-options.ts';
import { countsOf, lastLine, statisticsLines } from '../../../src/daemon/lb-report.ts';
import type { EngineSnapshot, LedgerCell } from '../../../src/native/binding.ts';
import { emptyCell } from '../support/fake-binding.ts';

const read = (...argv: string[]) => readLbOptions(parseArguments(lbCommand, argv));

test('the lines that Zeek’s and Suricata’s manuals print', () => {
  const both = read('-i', 'eth0', '-p', 'suricata:6', '-p', 'zeek:6');
  assert.deepEqual(both.inputs, [{ port: 'eth0', shown: 'netmap:eth0', queue: -1, base: 'eth0' }]);
  assert.deepEqual(
    both.groups.map((group) => [group.length, group[0], group[5]]),
    [
      [6, 'suricata{0', 'suricata{5'],
      [6, 'zeek{0', 'zeek{5'],
    ],
  );
  assert.deepEqual(read('-i', 'eth0').groups, [['eth0{0', 'eth0{1']]);
  const { groups, ...all } = read(
    ...['-i', 'netmap:eth0', '-p', '3', '-B', '100000', '-b', '512', '-w', '5', '-W'],
    ...['-s', '10', '-o', '1'],
  );
  assert.deepEqual(groups, [['eth0{0', 'eth0{1', 'eth0{2']]);
  assert.deepEqual(all, {
    inputs: [{ port: 'eth0', shown: 'netmap:eth0', queue: -1, base: 'eth0' }],
    extraBuffers: 100_000,
    batch: 256,
    waitSeconds: 5,
    busy: true,
    syslogSeconds: 10,
    stdoutSeconds: 1,
  });
});

test('groups: default size and name; one name again goes on counting', () => {
  assert.deepEqual(parseGroups([], 'eth0'), [['eth0{0', 'eth0{1']]);
  assert.deepEqual(parseGroups(['a:', '1'], 'e'), [['a{0', 'a{1'], ['e{0']]);
  assert.deepEqual(parseGroups(['a:2', 'b:1', 'a:1'], 'e'), [['a{0', 'a{1'], ['b{0'], ['a{2']]);
  for (const wrong of [':3', 'a:0', 'a:x', 'a:-1', 'a:4097', 'x']) {
    assert.throws(() => parseGroups([wrong], 'e'), { code: 'usage' }, wrong);
  }
  assert.throws(() => parseGroups(['2'], undefined), { code: 'usage', message: /-p zeek:2/ });
});

test('inputs: interfaces, netmap’s names, other ports', () => {
  assert.deepEqual(parseInput('netmap:veth-a-3'), {
    port: 'veth-a',
    shown: 'netmap:veth-a-3',
    queue: 3,
    base: 'veth-a',
  });
  assert.equal(parseInput('br-lan').base, 'br-lan');
  assert.equal(parseInput('packet:eth1').base, 'eth1');
  assert.equal(parseInput('pcap:in.pcap').base, undefined);
  assert.throws(() => parseInput('vale0:1'), { code: 'usage' });
});

test('what makes no sense is refused, and says what would', () => {
  assert.throws(() => read('-p', 'zeek:4'), { code: 'usage', message: /-i eth0 -p zeek:4/ });
  for (const argv of [['-B', 'many'], ['-w', '-1'], ['-b', '1.5'], ['-o', '99999999'], ['-x']]) {
    assert.throws(() => read('-i', 'eth0', ...argv), { code: 'usage' }, argv.join(' '));
  }
  const queues = ['-i', 'netmap:a-1', '-i', 'netmap:b-2'];
  assert.throws(() => read(...queues), { message: /same hardware queue/ });
});

test('the Lua quotes what is given', () => {
  const script = lbScript(read('-i', 'a"b\\c\nd', '-p', 'x:1'));
  assert.ok(script.includes('unpack({"a\\034b\\092c\\010d"})'), script);
  assert.ok(!script.includes('Duplicator'));
  assert.match(lbScript(read('-i', 'e', '-p', 'x:1', '-p', 'y:1')), /Duplicator/);
});

function engine(cells: readonly Partial<LedgerCell>[]): EngineSnapshot {
  const input = { ...emptyCell, packets: 1100, bytes: 100_000, notIp: 7, dropped: { kernel: 100 } };
  return {
    ...{ name: 'lb', running: true, linked: true, drained: false, cpu: -1, batch: 128, breaths: 1 },
    spillFree: 40,
    inputs: [{ name: 'e', description: '', finished: false, lossless: false, cell: input }],
    bricks: [],
    outputs: cells.map((cell, index) => ({
      ...{ name: `z{${index}`, brick: 'b', description: '', consumerPid: 0, slots: 1024 },
      cell: { ...emptyCell, ...cell },
    })),
    retired: { inputs: emptyCell, bricks: emptyCell, outputs: emptyCell },
    warnings: [],
  };
}

test('statistics: lb’s fields, in lb’s order', () => {
  const before = countsOf(engine([{ delivered: 100, deliveredBytes: 10_000 }, {}]), 1000);
  const now = countsOf(
    engine([
      { delivered: 400, deliveredBytes: 141_072, held: 50, spilled: 30 },
      { delivered: 200, dropped: { ring_full: 5, gave_way: 15 } },
    ]),
    1002,
  );
  const lines = statisticsLines('netmap:e', now, before);
  assert.deepEqual(lines, [
    '{"ts":1002.000000,"interface":"netmap:z{0","output_ring":0,"packets_forwarded":420,' +
      '"packets_dropped":0,"data_forward_rate_Mbps":0.5000,"data_drop_rate_Mbps":0.0000,' +
      '"packet_forward_rate_kpps":0.1600,"packet_drop_rate_kpps":0.0000,"overflow_queue_size":30}',
    '{"ts":1002.000000,"interface":"netmap:z{1","output_ring":1,"packets_forwarded":200,' +
      '"packets_dropped":20,"data_forward_rate_Mbps":0.0000,"data_drop_rate_Mbps":0.0076,' +
      '"packet_forward_rate_kpps":0.1000,"packet_drop_rate_kpps":0.0100,"overflow_queue_size":0}',
    '{"ts":1002.000000,"interface":"netmap:e","output_ring":null,"packets_received":1000,' +
      '"packets_forwarded":620,"packets_dropped":20,"non_ip_packets":7,' +
      '"data_forward_rate_Mbps":0.5000,"data_drop_rate_Mbps":0.0076,' +
      '"packet_forward_rate_kpps":0.2600,"packet_drop_rate_kpps":0.0100,"free_buffer_slots":40}',
  ]);
  for (const line of lines) JSON.parse(line);
  assert.equal(lastLine(now), '620 packets forwarded.  20 packets dropped. Total 640\n');
  assert.match(statisticsLines('e', now, undefined)[0] ?? '', /"packet_forward_rate_kpps":0\.0000/);
});
