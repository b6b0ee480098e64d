/**
 * The ledger over all engines: where every packet ended. Keys are those of `bricks ledger --json`.
 */
import type { EngineSnapshot, LedgerCell } from '../native/binding.ts';

export type Drops = Record<string, number>;

export interface LedgerInput {
  name: string;
  engine: string;
  received: number;
  bytes: number;
  dropped: Drops;
}
export interface LedgerBrick {
  id: string;
  kind: string;
  engine: string;
  packets: number;
  copies: number;
  held: number;
  dropped: Drops;
}
export interface LedgerOutput {
  name: string;
  engine: string;
  brick: string;
  /** Process id of the attached consumer; 0: none. */
  consumer: number;
  /** Since the consumer's last heartbeat; null: it has none. */
  heartbeat_ms: number | null;
  delivered: number;
  bytes: number;
  held: number;
  dropped: Drops;
}
export interface Ledger {
  received: number;
  /** Packets, once per output each was meant for. */
  delivered: number;
  dropped: Drops;
  held: number;
  /** How many packets duplication added. */
  copies: number;
  /** received + copies - delivered - dropped - held: 0, or something is wrong. */
  difference: number;
  inputs: LedgerInput[];
  bricks: LedgerBrick[];
  outputs: LedgerOutput[];
}

export function sumOf(drops: Readonly<Drops>): number {
  return Object.values(drops).reduce((sum, count) => sum + count, 0);
}

function addDrops(total: Drops, drops: Readonly<Drops>): void {
  for (const [reason, count] of Object.entries(drops)) {
    total[reason] = (total[reason] ?? 0) + count;
  }
}

/** Every cell of an engine, those of ports and bricks that are gone included. */
export function cellsOf(
  engine: EngineSnapshot,
): Record<'inputs' | 'bricks' | 'outputs', LedgerCell[]> {
  return {
    inputs: [...engine.inputs.map((row) => row.cell), engine.retired.inputs],
    bricks: [...engine.bricks.map((row) => row.cell), engine.retired.bricks],
    outputs: [...engine.outputs.map((row) => row.cell), engine.retired.outputs],
  };
}

export function ledgerOf(snapshots: readonly EngineSnapshot[]): Ledger {
  const ledger: Ledger = {
    received: 0,
    delivered: 0,
    dropped: {},
    held: 0,
    copies: 0,
    difference: 0,
    inputs: [],
    bricks: [],
    outputs: [],
  };
  for (const engine of snapshots) addEngine(ledger, engine);
  ledger.difference =
    ledger.received + ledger.copies - ledger.delivered - sumOf(ledger.dropped) - ledger.held;
  return ledger;
}

function addEngine(ledger: Ledger, engine: EngineSnapshot): void {
  const cells = cellsOf(engine);
  for (const cell of cells.inputs) ledger.received += cell.packets;
  for (const cell of cells.bricks) ledger.copies += cell.copies;
  for (const cell of cells.outputs) ledger.delivered += cell.delivered;
  for (const cell of [...cells.inputs, ...cells.bricks, ...cells.outputs]) {
    ledger.held += cell.held;
    addDrops(ledger.dropped, cell.dropped);
  }
  for (const { name, cell } of engine.inputs) {
    const { packets: received, bytes, dropped } = cell;
    ledger.inputs.push({ name, engine: engine.name, received, bytes, dropped: { ...dropped } });
  }
  for (const { id, kind, cell } of engine.bricks) {
    const { packets, copies, held, dropped } = cell;
    const row = { id, kind, engine: engine.name, packets, copies, held, dropped: { ...dropped } };
    ledger.bricks.push(row);
  }
  for (const { name, brick, consumerPid, silentMs, cell } of engine.outputs) {
    ledger.outputs.push({
      name,
      engine: engine.name,
      brick,
      consumer: consumerPid,
      heartbeat_ms: silentMs ?? null,
      delivered: cell.delivered,
      bytes: cell.deliveredBytes,
      held: cell.held,
      dropped: { ...cell.dropped },
    });
  }
}
