/** What there is: engines, ports, bricks, consumers. Keys are those of `bricks status --json`. */
import type { EngineSnapshot, Options, QueueGroupRow } from '../native/binding.ts';

export interface StatusInput {
  name: string;
  description: string;
  finished: boolean;
  lossless: boolean;
  /** id of the brick that gets its packets */
  brick: string;
  /** Of those decoded: packets without an IP header, and headers that were not believed. */
  not_ip: number;
  header_faults: Record<string, number>;
}
export interface StatusBrick {
  id: string;
  kind: string;
  ways: { link: string; brick?: string }[];
  /** As they are, defaults and all. */
  options: Options;
  /** Packets that it holds. */
  held: number;
  /** Counts of its own beside the ledger; docs/bricks.md says what each is. */
  figures: Record<string, number>;
}
/** The table of live flows (docs/flows.md). */
export interface StatusSessions {
  capacity: number;
  live: number;
  begun: number;
  ended: number;
  gave_way: number;
  refused: number;
}
/** Copies of what passes links; their counts are no part of the ledger's sum. */
export interface StatusTap {
  name: string;
  link: string;
  expression: string;
  sample: number;
  consumer: number;
  passed: number;
  /** A recorder (pe:record): how far back it goes at most; 0: a tap. */
  seconds: number;
  /** Of a recorder's packets, those that made room for later ones. */
  overwritten: number;
  packets: number;
  delivered: number;
  dropped: Record<string, number>;
}
export interface StatusOutput {
  name: string;
  description: string;
  /** id of the brick that feeds it */
  brick: string;
  /** Process id of the attached consumer; 0: none. */
  consumer: number;
  /** Slots of the ring; 0: it has none. */
  slots: number;
  /** A pipe: where its memory can be read by who may (bricks verify), and where in it. */
  memory?: { path: string; offset: number };
  /** What it gets reaches somebody: a consumer is there, alive, and keeps up. */
  ready: boolean;
  /** Since the consumer's last heartbeat; null: it has none. */
  heartbeat_ms: number | null;
  /** Packets that its consumer has yet to read: how far it lags behind. */
  held: number;
}
export interface EngineStatus {
  name: string;
  state: 'running' | 'stopped';
  linked: boolean;
  drained: boolean;
  /** -1: not pinned */
  cpu: number;
  batch: number;
  breaths: number;
  inputs: StatusInput[];
  bricks: StatusBrick[];
  outputs: StatusOutput[];
  /** Outputs that get no new flows; `since` in seconds since 1970. */
  draining: { brick: string; output: string; since: number; sessions: number }[];
  /** Null: not known. */
  sessions: StatusSessions | null;
  /** What became of fragments, by name (docs/flows.md). */
  fragments: Record<string, number>;
  /** What `bricks cat --tap` can read: inputs, links between bricks, outputs. */
  links: string[];
  taps: StatusTap[];
  warnings: string[];
}
export interface Status {
  /** True when any engine runs. */
  online: boolean;
  engines: EngineStatus[];
  /** Queue groups of the daemon, with all their counts (docs/queues.md). */
  queue_groups: QueueGroupRow[];
}

function linksOf({ inputs, bricks }: EngineSnapshot): string[] {
  const between = bricks.flatMap(({ ways = [] }) => ways.map(({ link }) => link));
  return [...inputs.map(({ name }) => name), ...between];
}

function sessionsOf({ sessions }: EngineSnapshot): StatusSessions | null {
  if (sessions === undefined) return null;
  const { capacity, live, begun, ended, gaveWay, refused } = sessions;
  return { capacity, live, begun, ended, gave_way: gaveWay, refused };
}

export function statusOf(
  snapshots: readonly EngineSnapshot[],
  queueGroups: readonly QueueGroupRow[] = [],
): Status {
  return {
    queue_groups: [...queueGroups],
    online: snapshots.some((engine) => engine.running),
    engines: snapshots.map((engine) => ({
      name: engine.name,
      state: engine.running ? 'running' : 'stopped',
      linked: engine.linked,
      drained: engine.drained,
      cpu: engine.cpu,
      batch: engine.batch,
      breaths: engine.breaths,
      inputs: engine.inputs.map(({ name, description, finished, lossless, brick = '', cell }) => ({
        name,
        description,
        finished,
        lossless,
        brick,
        not_ip: cell.notIp ?? 0,
        header_faults: { ...cell.headerFaults },
      })),
      bricks: engine.bricks.map(({ id, kind, ways = [], cell, options, figures }) => ({
        id,
        kind,
        ways: [...ways],
        options: { ...options },
        held: cell.held,
        figures: { ...figures },
      })),
      sessions: sessionsOf(engine),
      fragments: { ...engine.fragments },
      outputs: engine.outputs.map((row) => ({
        name: row.name,
        description: row.description,
        brick: row.brick,
        consumer: row.consumerPid,
        slots: row.slots,
        ...(row.memory !== undefined && {
          memory: { path: `/proc/${process.pid}/fd/${row.memory[0]}`, offset: row.memory[1] },
        }),
        ready: row.ready ?? true,
        heartbeat_ms: row.silentMs ?? null,
        held: row.cell.held,
      })),
      links: linksOf(engine),
      taps: (engine.taps ?? []).map(({ name, link, expression, sample, passed, cell, ...row }) => ({
        name,
        link,
        expression,
        sample,
        consumer: row.consumerPid,
        passed,
        seconds: row.seconds ?? 0,
        overwritten: row.overwritten ?? 0,
        packets: cell.packets,
        delivered: cell.delivered,
        dropped: { ...cell.dropped },
      })),
      draining: (engine.draining ?? []).map((row) => ({ ...row })),
      warnings: [...engine.warnings],
    })),
  };
}
