/** Counts and rates. Keys are those of `bricks stats --json` and of the tables that Lua sees. */
import type { EngineSnapshot, LedgerCell } from '../native/binding.ts';
import { cellsOf, sumOf } from './ledger.ts';

/** Rates are 0 where there is no earlier snapshot to compare with. */
export interface Traffic {
  packets: number;
  bytes: number;
  dropped: number;
  packets_per_second: number;
  bits_per_second: number;
  dropped_per_second: number;
}
export interface PortStats extends Traffic {
  name: string;
}
export interface EngineStats extends Traffic {
  name: string;
  running: boolean;
  inputs: PortStats[];
  outputs: PortStats[];
}
export interface Stats {
  engines: EngineStats[];
  total: Traffic;
}

interface Counts {
  packets: number;
  bytes: number;
  dropped: number;
}

const nothing: Counts = { packets: 0, bytes: 0, dropped: 0 };

/**
 * What a Filter was told to refuse, by a rule or by a rate, is no loss: it is in the ledger, not in
 * the drops of show_stats, which packet-bricks too counted at full outputs only.
 */
function lostOf(cell: LedgerCell): number {
  const { filtered = 0, rate_limited = 0, duplicate = 0 } = cell.dropped;
  return sumOf(cell.dropped) - filtered - rate_limited - duplicate;
}

function inputCounts(cell: LedgerCell): Counts {
  return { packets: cell.packets, bytes: cell.bytes, dropped: lostOf(cell) };
}

function outputCounts(cell: LedgerCell): Counts {
  return { packets: cell.delivered, bytes: cell.deliveredBytes, dropped: lostOf(cell) };
}

/** packets and bytes as taken from the inputs; dropped anywhere, once per output. */
function engineCounts(engine: EngineSnapshot): Counts {
  const cells = cellsOf(engine);
  const counts = { ...nothing };
  for (const cell of cells.inputs) {
    counts.packets += cell.packets;
    counts.bytes += cell.bytes;
  }
  for (const cell of Object.values(cells).flat()) counts.dropped += lostOf(cell);
  return counts;
}

function traffic(now: Counts, before: Counts | undefined, seconds: number): Traffic {
  const rate = (key: keyof Counts): number =>
    before === undefined || seconds <= 0 ? 0 : Math.max(0, now[key] - before[key]) / seconds;
  return {
    ...now,
    packets_per_second: rate('packets'),
    bits_per_second: rate('bytes') * 8,
    dropped_per_second: rate('dropped'),
  };
}

/** `seconds` lie between `previous` (undefined: none) and `current`. */
export function statsOf(
  previous: readonly EngineSnapshot[] | undefined,
  current: readonly EngineSnapshot[],
  seconds: number,
): Stats {
  const engines = current.map((engine) => {
    const before = previous?.find((entry) => entry.name === engine.name);
    const ports = (side: 'inputs' | 'outputs'): PortStats[] => {
      const counts = side === 'inputs' ? inputCounts : outputCounts;
      return engine[side].map(({ name, cell }) => {
        const old = before?.[side].find((row) => row.name === name);
        return { name, ...traffic(counts(cell), old && counts(old.cell), seconds) };
      });
    };
    return {
      name: engine.name,
      running: engine.running,
      ...traffic(engineCounts(engine), before && engineCounts(before), seconds),
      inputs: ports('inputs'),
      outputs: ports('outputs'),
    };
  });
  return { engines, total: totalOf(engines) };
}

function totalOf(engines: readonly EngineStats[]): Traffic {
  const total = traffic(nothing, undefined, 0);
  for (const engine of engines) {
    for (const key of Object.keys(total) as (keyof Traffic)[]) total[key] += engine[key];
  }
  return total;
}
