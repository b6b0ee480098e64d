import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printLedger, printStats, printStatus } from '../../../src/cli/print.ts';
import { alignColumns, formatTable } from '../../../src/cli/table.ts';
import { ledgerOf } from '../../../src/engine/ledger.ts';
import { statsOf } from '../../../src/engine/stats.ts';
import { statusOf } from '../../../src/engine/status.ts';
import type { EngineSnapshot, LedgerCell } from '../../../src/native/binding.ts';

function cell(part: Partial<LedgerCell>): LedgerCell {
  return {
    packets: 0,
    bytes: 0,
    delivered: 0,
    deliveredBytes: 0,
    copies: 0,
    held: 0,
    dropped: {},
    ...part,
  };
}

const engine: EngineSnapshot = {
  name: 'e0',
  running: true,
  linked: true,
  drained: false,
  cpu: -1,
  batch: 128,
  breaths: 9,
  inputs: [
    {
      name: 'eth3',
      description: 'AF_PACKET',
      finished: false,
      lossless: false,
      cell: cell({ packets: 1_234_567, bytes: 74_074_020, dropped: { no_room: 3 } }),
    },
  ],
  bricks: [{ id: 'b0', kind: 'LoadBalancer', cell: cell({ packets: 1_234_564 }) }],
  outputs: [
    {
      name: 'eth3{0',
      brick: 'b0',
      description: 'pipe',
      consumerPid: 4711,
      slots: 1024,
      ready: false,
      silentMs: 7180,
      cell: cell({ packets: 1_234_564, delivered: 1_234_560, deliveredBytes: 5, held: 4 }),
    },
  ],
  retired: { inputs: cell({}), bricks: cell({}), outputs: cell({}) },
  warnings: ['eth3: offloads are on'],
};

test('columns stand under each other, numbers to the right', () => {
  assert.equal(
    alignColumns([
      ['NAME', 'N'],
      ['é', 12_345],
      ['long', 6],
    ]),
    ['NAME       N\n', 'é     12,345\n', 'long       6\n'].join(''),
  );
  assert.equal(formatTable(['A'], []), '');
});

test('status tells engines, ports, consumers and warnings', () => {
  const text = printStatus(statusOf([engine]));
  for (const part of [
    /e0 +running +yes +no +- +128/,
    /eth3\{0 +b0 +4711 +lost +7\.2 s ago +4 +pipe/,
    /offloads/,
  ]) {
    assert.match(text, part);
  }
  assert.match(printStatus(statusOf([])), /no engines/);
});

test('stats tell counts', () => {
  const text = printStats(statsOf(undefined, [engine], 0));
  assert.match(text, /e0 +input +eth3 +1,234,567 +74,074,020 +3/);
  assert.match(printStats(statsOf(undefined, [], 0)), /no engines/);
});

test('the ledger balances, and names the reasons', () => {
  const text = printLedger(ledgerOf([engine]));
  assert.match(text, /DIFFERENCE\n *1,234,567 +0 +1,234,560 +3 +4 +0\n/);
  assert.match(text, /eth3 +1,234,567 +74,074,020 +no_room 3/);
});
