/** How far a replay is: a bar on a terminal, else a line a second, or JSON lines. */
import { sumOf } from '../engine/ledger.ts';
import type { EngineSnapshot } from '../native/binding.ts';
import { formatNumber } from './table.ts';

export interface ReplaySummary {
  seconds: number;
  packets: number;
  bytes: number;
  packets_per_second: number;
  bits_per_second: number;
  /** Per output, so with copies: packets once for each group. */
  delivered: number;
  dropped: Record<string, number>;
  held: number;
  complete: boolean;
  outputs: { name: string; delivered: number; bytes: number; dropped: Record<string, number> }[];
}

export function summaryOf(engine: EngineSnapshot, seconds: number): ReplaySummary {
  const packets = engine.inputs.reduce((sum, { cell }) => sum + cell.packets, 0);
  const bytes = engine.inputs.reduce((sum, { cell }) => sum + cell.bytes, 0);
  const dropped: Record<string, number> = {};
  const cells = [...engine.inputs, ...engine.bricks, ...engine.outputs].map(({ cell }) => cell);
  for (const cell of cells) {
    for (const [reason, count] of Object.entries(cell.dropped)) {
      dropped[reason] = (dropped[reason] ?? 0) + count;
    }
  }
  const outputs = engine.outputs.map(({ name, cell }) => ({
    name,
    delivered: cell.delivered,
    bytes: cell.deliveredBytes,
    dropped: { ...cell.dropped },
  }));
  const held = cells.reduce((sum, cell) => sum + cell.held, 0);
  return {
    seconds,
    packets,
    bytes,
    packets_per_second: seconds > 0 ? packets / seconds : 0,
    bits_per_second: seconds > 0 ? (bytes * 8) / seconds : 0,
    delivered: outputs.reduce((sum, output) => sum + output.delivered, 0),
    dropped,
    held,
    complete: engine.drained && sumOf(dropped) === 0,
    outputs,
  };
}

const recordHeaderBytes = 16;
const barWidth = 24;

export class Progress {
  readonly #totalBytes: number;
  readonly #json: boolean;
  #lastLine = 0;
  #shown = false;

  /** `totalBytes` of the files, all loops; 0: without end. */
  constructor(totalBytes: number, json: boolean) {
    this.#totalBytes = totalBytes;
    this.#json = json;
  }

  /** Called a few times a second. */
  show(summary: ReplaySummary, now: number): void {
    const isBar = process.stderr.isTTY === true && !this.#json;
    if (!isBar && now - this.#lastLine < 1000) return;
    this.#lastLine = now;
    // The file headers' few bytes, and pcapng's larger ones, make it end a little early or late.
    const read = summary.bytes + summary.packets * recordHeaderBytes;
    const share = this.#totalBytes > 0 ? Math.min(1, read / this.#totalBytes) : undefined;
    if (this.#json) {
      const { packets, bytes, packets_per_second, bits_per_second, dropped, seconds } = summary;
      const line = { seconds, share, packets, bytes, packets_per_second, bits_per_second, dropped };
      process.stderr.write(`${JSON.stringify(line)}\n`);
      return;
    }
    const words =
      `${formatNumber(summary.packets)} packets, ` +
      `${formatNumber(summary.packets_per_second / 1e6)} Mpps, ` +
      `${formatNumber(summary.bits_per_second / 1e9)} Gbit/s`;
    const percent = share === undefined ? '' : `${Math.floor(share * 100)} % `;
    if (!isBar) {
      process.stderr.write(`${percent}${words}\n`);
      return;
    }
    const done = Math.round((share ?? 0) * barWidth);
    const bar = share === undefined ? '' : `[${'#'.repeat(done)}${'.'.repeat(barWidth - done)}] `;
    process.stderr.write(`\r\x1b[K${bar}${percent}${words}`);
    this.#shown = true;
  }

  /** Makes room for other text. */
  clear(): void {
    if (this.#shown) process.stderr.write('\r\x1b[K');
    this.#shown = false;
  }
}

export function summaryText(summary: ReplaySummary): string {
  const { packets, seconds, outputs, dropped } = summary;
  const lost = sumOf(dropped);
  const rows = outputs.map(({ name, delivered }) => `  ${name} ${formatNumber(delivered)}\n`);
  const drops = Object.entries(dropped).map(
    ([reason, count]) => `${reason} ${formatNumber(count)}`,
  );
  return (
    `${formatNumber(packets)} packets in ${seconds.toFixed(2)} s, ` +
    `${formatNumber(summary.packets_per_second / 1e6)} Mpps; delivered:\n${rows.join('')}` +
    (lost === 0 ? 'nothing lost\n' : `lost: ${drops.join(', ')}\n`)
  );
}
