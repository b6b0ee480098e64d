import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comparePartition, describePartition } from '../../../src/capture/compare.ts';
import { flowOf } from '../../../src/capture/flow.ts';
import { parseCapture } from '../../../src/capture/read.ts';
import type { CaptureRecord } from '../../../src/capture/record.ts';
import { makeTraffic, pcapOf } from '../../../src/traffic/traffic.ts';

const input = parseCapture(pcapOf(makeTraffic({ seed: 3, flows: 60 })), 'made').records;

/** By flow over two outputs, as a load balancer does; packets without a flow to the first. */
function split(): [CaptureRecord[], CaptureRecord[]] {
  const outputs: [CaptureRecord[], CaptureRecord[]] = [[], []];
  const places = new Map<string, 0 | 1>();
  for (const record of input) {
    const flow = flowOf(record);
    const place = flow === undefined ? 0 : (places.get(flow) ?? (places.size % 2 ? 1 : 0));
    if (flow !== undefined) {
      places.set(flow, place);
    }
    outputs[place].push(record);
  }
  return outputs;
}

/** Index of the first packet of a flow with several packets in `records`. */
function inLongFlow(records: readonly CaptureRecord[]): [number, number] {
  const first = new Map<string, number>();
  for (const [index, record] of records.entries()) {
    const flow = flowOf(record);
    const start = flow === undefined ? undefined : first.get(flow);
    if (start !== undefined) {
      return [start, index];
    }
    if (flow !== undefined) {
      first.set(flow, index);
    }
  }
  throw new Error('the traffic has no flow of two packets');
}

test('a partition by flow is verified', () => {
  const [a, b] = split();
  assert.ok(a.length > 50 && b.length > 50);
  const report = comparePartition(input, [a, b]);
  assert.ok(report.ok, report.faults.join('\n'));
  assert.equal(report.outputs[0]?.packets, a.length);
  assert.equal(
    (report.outputs[0]?.flows ?? 0) + (report.outputs[1]?.flows ?? 0),
    report.input.flows,
  );
  assert.match(describePartition(report), /^verified: /);
});

test('a lost packet, a doubled one, a changed byte, time or length is found', () => {
  const change = (what: Partial<CaptureRecord>): [CaptureRecord[], CaptureRecord[]] => {
    const [a, b] = split();
    const [first] = a.splice(5, 1);
    assert.ok(first);
    a.splice(5, 0, { ...first, ...what });
    return [a, b];
  };
  const data = Buffer.from(split()[0][5]?.data ?? []);
  data.writeUInt8(data.readUInt8(data.length - 1) ^ 1, data.length - 1);
  for (const what of [{ data }, { timestampNs: 1n }, { wireLength: 7 }, { linkType: 113 }]) {
    const report = comparePartition(input, change(what));
    assert.deepEqual([report.ok, report.missing, report.foreign], [false, 1, 1]);
  }
  const [a, b] = split();
  const lost = comparePartition(input, [a.slice(1), b]);
  assert.deepEqual([lost.ok, lost.missing, lost.foreign], [false, 1, 0]);
  const doubled = comparePartition(input, [[...a, ...a.slice(0, 1)], b]);
  assert.deepEqual([doubled.ok, doubled.missing, doubled.foreign], [false, 0, 1]);
  assert.match(describePartition(doubled), /^NOT verified: /);
});

test('a flow in two outputs is found', () => {
  const [a, b] = split();
  const [start] = inLongFlow(a);
  const moved = a.splice(start, 1);
  const report = comparePartition(input, [a, [...b, ...moved]]);
  assert.deepEqual([report.ok, report.missing, report.foreign], [false, 0, 0]);
  assert.equal(report.splitFlows, 1);
});

test('a flow in another order is found; flows may overtake each other', () => {
  const [a, b] = split();
  const [start, next] = inLongFlow(a);
  const [x, y] = [a[start], a[next]];
  assert.ok(x && y);
  const swapped = a.with(start, y).with(next, x);
  const report = comparePartition(input, [swapped, b]);
  assert.deepEqual([report.ok, report.splitFlows, report.reorderedFlows], [false, 0, 1]);

  const byFlow = a.toSorted((p, q) => (flowOf(p) ?? '').localeCompare(flowOf(q) ?? ''));
  assert.ok(comparePartition(input, [byFlow, b]).ok);
});
