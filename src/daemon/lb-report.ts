/** The statistics lines of netmap's lb: one JSON object for each pipe and one for all. */
import type { EngineSnapshot, LedgerCell } from '../native/binding.ts';

export interface PipeCounts {
  readonly name: string;
  readonly forwarded: number;
  readonly bytes: number;
  readonly dropped: number;
  /** The engine counts lost packets, not their bytes: these are as long as the average. */
  readonly droppedBytes: number;
  readonly queued: number;
}

export interface LbCounts {
  /** Since 1970. */
  readonly seconds: number;
  readonly received: number;
  readonly notIp: number;
  readonly freeBuffers: number;
  readonly pipes: readonly PipeCounts[];
}

function lost(cell: LedgerCell): number {
  return Object.values(cell.dropped).reduce((sum, count) => sum + count, 0);
}

const sum = <T>(rows: readonly T[], count: (row: T) => number): number =>
  rows.reduce((total, row) => total + count(row), 0);

/** What an engine whose outputs are `lb`'s pipes, in their order, has done so far. */
export function countsOf(engine: EngineSnapshot, seconds: number): LbCounts {
  const cells = engine.inputs.map(({ cell }) => cell);
  const received = sum(cells, (cell) => cell.packets - lost(cell));
  const average = received > 0 ? sum(cells, (cell) => cell.bytes) / received : 0;
  return {
    seconds,
    received,
    notIp: sum(cells, (cell) => cell.notIp ?? 0),
    freeBuffers: engine.spillFree ?? 0,
    pipes: engine.outputs.map(({ name, cell }) => {
      const queued = cell.spilled ?? 0;
      const dropped = lost(cell);
      return {
        name,
        forwarded: cell.delivered + cell.held - queued,
        bytes: cell.deliveredBytes,
        dropped,
        droppedBytes: Math.round(dropped * average),
        queued,
      };
    }),
  };
}

interface Moving {
  readonly forwarded: number;
  readonly bytes: number;
  readonly dropped: number;
  readonly droppedBytes: number;
}

/** The four rates, in lb's order and units: a megabit has 1024 * 1024 bits there. */
function rates(now: Moving, before: Moving | undefined, seconds: number): string[] {
  const perSecond = (count: (moving: Moving) => number): number =>
    before === undefined || seconds <= 0
      ? 0
      : Math.max(0, Math.round((count(now) - count(before)) / seconds));
  const megabits = (bytes: number): string => ((bytes * 8) / 1024 / 1024).toFixed(4);
  const thousands = (packets: number): string => (packets / 1000).toFixed(4);
  return [
    `"data_forward_rate_Mbps":${megabits(perSecond((moving) => moving.bytes))}`,
    `"data_drop_rate_Mbps":${megabits(perSecond((moving) => moving.droppedBytes))}`,
    `"packet_forward_rate_kpps":${thousands(perSecond((moving) => moving.forwarded))}`,
    `"packet_drop_rate_kpps":${thousands(perSecond((moving) => moving.dropped))}`,
  ];
}

function totalOf(pipes: readonly PipeCounts[]): Moving {
  return {
    forwarded: sum(pipes, (pipe) => pipe.forwarded),
    bytes: sum(pipes, (pipe) => pipe.bytes),
    dropped: sum(pipes, (pipe) => pipe.dropped),
    droppedBytes: sum(pipes, (pipe) => pipe.droppedBytes),
  };
}

/** lb's lines; `input` is the interface's name as lb shows it. */
export function statisticsLines(
  input: string,
  now: LbCounts,
  before: LbCounts | undefined,
): string[] {
  const seconds = before === undefined ? 0 : now.seconds - before.seconds;
  const ts = `"ts":${now.seconds.toFixed(6)}`;
  const lines = now.pipes.map((pipe, index) =>
    [
      ts,
      `"interface":${JSON.stringify(`netmap:${pipe.name}`)}`,
      `"output_ring":${index}`,
      `"packets_forwarded":${pipe.forwarded}`,
      `"packets_dropped":${pipe.dropped}`,
      ...rates(pipe, before?.pipes[index], seconds),
      `"overflow_queue_size":${pipe.queued}`,
    ].join(','),
  );
  const total = totalOf(now.pipes);
  lines.push(
    [
      ts,
      `"interface":${JSON.stringify(input)}`,
      '"output_ring":null',
      `"packets_received":${now.received}`,
      `"packets_forwarded":${total.forwarded}`,
      `"packets_dropped":${total.dropped}`,
      `"non_ip_packets":${now.notIp}`,
      ...rates(total, before && totalOf(before.pipes), seconds),
      `"free_buffer_slots":${now.freeBuffers}`,
    ].join(','),
  );
  return lines.map((line) => `{${line}}`);
}

/** lb's last words. */
export function lastLine(counts: LbCounts): string {
  const { forwarded, dropped } = totalOf(counts.pipes);
  const total = forwarded + dropped;
  return `${forwarded} packets forwarded.  ${dropped} packets dropped. Total ${total}\n`;
}
