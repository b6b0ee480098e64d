import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ledgerOf } from '../../../src/engine/ledger.ts';
import { statsOf } from '../../../src/engine/stats.ts';
import { statusOf } from '../../../src/engine/status.ts';
import type { EngineSnapshot, LedgerCell } from '../../../src/native/binding.ts';
import { emptyCell } from '../support/fake-binding.ts';

function cell(counts: Partial<LedgerCell>): LedgerCell {
  return { ...emptyCell, ...counts };
}

/**
 * 100 packets in, doubled; 150 delivered, 30 dropped, 5 held, 5 filtered; 10 dropped by the kernel.
 */
function snapshot(name: string): EngineSnapshot {
  return {
    name,
    running: true,
    linked: true,
    drained: false,
    cpu: 2,
    batch: 128,
    breaths: 7,
    inputs: [
      {
        name: 'eth3',
        description: 'AF_PACKET',
        finished: false,
        lossless: false,
        cell: cell({ packets: 100, bytes: 6000, dropped: { kernel: 10 } }),
      },
    ],
    bricks: [
      { id: 'Duplicator-1', kind: 'Duplicator', cell: cell({ packets: 90, copies: 90 }) },
      { id: 'Filter-1', kind: 'Filter', cell: cell({ packets: 90, dropped: { filtered: 5 } }) },
    ],
    outputs: [
      {
        name: 'eth3{0',
        brick: 'Duplicator-1',
        description: 'pipe',
        consumerPid: 42,
        slots: 1024,
        cell: cell({ delivered: 140, deliveredBytes: 8400, held: 5, dropped: { ring_full: 25 } }),
      },
    ],
    retired: {
      inputs: cell({ packets: 20, bytes: 1200 }),
      bricks: emptyCell,
      outputs: cell({ delivered: 15, dropped: { ring_full: 10 } }),
    },
    warnings: ['careful'],
  };
}

test('the ledger sums engines and what is gone, and balances', () => {
  const ledger = ledgerOf([snapshot('e0'), snapshot('e1')]);
  assert.equal(ledger.received, 240);
  assert.equal(ledger.copies, 180);
  assert.equal(ledger.delivered, 310);
  assert.deepEqual(ledger.dropped, { kernel: 20, filtered: 10, ring_full: 70 });
  assert.equal(ledger.held, 10);
  assert.equal(ledger.difference, 0);
  assert.deepEqual(ledger.outputs[0], {
    name: 'eth3{0',
    engine: 'e0',
    brick: 'Duplicator-1',
    consumer: 42,
    heartbeat_ms: null,
    delivered: 140,
    bytes: 8400,
    held: 5,
    dropped: { ring_full: 25 },
  });
});

test('a packet that went nowhere shows as a difference', () => {
  const lost = snapshot('e0');
  const [input] = lost.inputs;
  assert.ok(input);
  const more = { ...input, cell: { ...input.cell, packets: 103 } };
  assert.equal(ledgerOf([{ ...lost, inputs: [more] }]).difference, 3);
});

test('the report does not share its objects with the snapshot', () => {
  const engine = snapshot('e0');
  const ledger = ledgerOf([engine]);
  ledger.outputs[0] = { ...(ledger.outputs[0] as (typeof ledger.outputs)[0]), dropped: {} };
  assert.deepEqual(engine.outputs[0]?.cell.dropped, { ring_full: 25 });
});

test('stats: counts, and rates between two snapshots', () => {
  const before = snapshot('e0');
  const [input] = before.inputs;
  assert.ok(input);
  const later = { ...input, cell: { ...input.cell, packets: 300, bytes: 18000 } };
  const stats = statsOf([before], [{ ...before, inputs: [later] }], 2);
  const [engine] = stats.engines;
  assert.equal(engine?.packets, 320);
  assert.equal(engine?.packets_per_second, 100);
  assert.equal(engine?.bits_per_second, 48_000);
  assert.equal(engine?.dropped, 45, 'what a Filter refused is not lost');
  assert.equal(engine?.inputs[0]?.packets_per_second, 100);
  assert.equal(stats.total.packets, 320);
  assert.equal(statsOf(undefined, [before], 0).total.packets_per_second, 0);
});

test('status: ports, bricks and consumers by name', () => {
  const status = statusOf([snapshot('e0'), { ...snapshot('e1'), running: false }]);
  assert.equal(status.online, true);
  assert.deepEqual(
    status.engines.map((engine) => engine.state),
    ['running', 'stopped'],
  );
  assert.equal(status.engines[0]?.outputs[0]?.consumer, 42);
  assert.equal(statusOf([]).online, false);
});

test('what a Filter was told to refuse, by rule or by rate, is in the ledger and no loss', () => {
  const before = snapshot('e0');
  const refused = cell({ packets: 90, dropped: { filtered: 3, rate_limited: 4, oversize: 2 } });
  const filter = { id: 'Filter-1', kind: 'Filter', cell: refused };
  const engine = { ...before, bricks: [filter] };
  assert.equal(statsOf(undefined, [engine], 0).total.dropped, 10 + 25 + 10 + 2);
  const { dropped } = ledgerOf([engine]);
  assert.deepEqual(dropped, {
    kernel: 10,
    filtered: 3,
    rate_limited: 4,
    oversize: 2,
    ring_full: 35,
  });
});
