/**
 * Holds what a group's outputs were seen to get against what was seen to come in. Knows nothing of
 * the engine: packets are matched by time and bytes, flows are those of src/capture.
 */
import { type Entry, entriesOf, type FlowRule } from './entry.ts';
import { Moves } from './move.ts';
import type { Seen, Sightings } from './stream.ts';

export type FaultKind = 'split' | 'lost' | 'twice' | 'reordered' | 'changed' | 'foreign';

export interface Fault {
  kind: FaultKind;
  /** undefined: the packet has none. */
  flow: string | undefined;
  outputs: string[];
  /** Of the packet, ISO 8601. */
  time: string;
}

export interface Verdict {
  /** Packets of the inputs that were found at an output. */
  matched: number;
  flows: number;
  /** Missing where the witness itself had missed something, or at the edge of what it saw. */
  unseen: number;
  /** Missing, and dropped as the ledger has it. */
  dropped: number;
  counts: Record<FaultKind, number>;
  /** The first of each kind, up to a few. */
  faults: Fault[];
}

const faultsPerKind = 5;

interface Place {
  readonly entry: Entry;
  /** Among its input's. */
  readonly index: number;
}

/** How far behind another packet of its output one is looked for: a batch. */
const overtakenMax = 256;

/** Per output and input: matched entries by their place among the input's, ascending. */
type Matches = { entry: number; at: number }[][][];

const isoTime = (ns: bigint): string => {
  const seconds = new Date(Number(ns / 1_000_000n)).toISOString().slice(0, -4);
  return `${seconds}${String(ns % 1_000_000_000n).padStart(9, '0')}Z`;
};

class Judge {
  readonly #inputs: readonly Sightings[];
  readonly #outputs: readonly { name: string; sightings: Sightings }[];
  readonly #times: number;
  readonly #moves: Moves;
  /** flow -> outputs that it was seen at */
  readonly #homes = new Map<string, Set<number>>();
  /** Per output: where the first and the last match is. */
  readonly #edges = new Map<number, readonly [number, number]>();
  readonly #entries: Entry[][];
  readonly #matches: Matches;
  readonly #strange: { seen: Seen; output: number; at: number }[] = [];
  readonly verdict: Verdict = {
    matched: 0,
    flows: 0,
    unseen: 0,
    dropped: 0,
    counts: { split: 0, lost: 0, twice: 0, reordered: 0, changed: 0, foreign: 0 },
    faults: [],
  };

  constructor(
    inputs: readonly Sightings[],
    outputs: readonly { name: string; sightings: Sightings }[],
    times: number,
    rule: FlowRule,
  ) {
    this.#inputs = inputs;
    this.#outputs = outputs;
    this.#times = times;
    this.#moves = new Moves(
      rule.moves ?? [],
      outputs.map(({ name }) => name),
      inputs.map(({ gaps }) => gaps),
    );
    this.#entries = inputs.map(({ seen }, input) => entriesOf(seen, input, rule));
    this.#matches = outputs.map(() => inputs.map(() => []));
  }

  #say(kind: FaultKind, seen: Seen, flow: string | undefined, outputs: readonly number[]): void {
    this.verdict.counts[kind] += 1;
    if (this.verdict.faults.filter((fault) => fault.kind === kind).length >= faultsPerKind) return;
    const names = outputs.map((output) => this.#outputs[output]?.name ?? '?');
    this.verdict.faults.push({ kind, flow, outputs: names, time: isoTime(seen.timeNs) });
  }

  match(): void {
    const open = new Map<string, Place[]>();
    for (const entries of this.#entries) {
      entries.forEach((entry, index) => {
        const list = open.get(entry.seen.id);
        if (list === undefined) open.set(entry.seen.id, [{ entry, index }]);
        else list.push({ entry, index });
      });
    }
    const repeated: { seen: Seen; output: number; at: number }[] = [];
    this.#outputs.forEach(({ sightings }, output) => {
      const reached: number[] = []; // per input: the place last matched at this output
      sightings.seen.forEach((seen, at) => {
        const places = open.get(seen.id) ?? [];
        const place = this.#nearest(places, reached);
        if (place === undefined) {
          (places.length === 0 ? this.#strange : repeated).push({ seen, output, at });
          return;
        }
        const { entry, index } = place;
        entry.found.push({ output, at });
        reached[entry.input] = Math.max(index, reached[entry.input] ?? -1);
        this.#matches[output]?.[entry.input]?.push({ entry: index, at });
        this.#edges.set(output, [this.#edges.get(output)?.[0] ?? at, at]);
        this.verdict.matched += 1;
      });
    });
    for (const perInput of this.#matches) {
      for (const list of perInput) list.sort((a, b) => a.entry - b.entry);
    }
    for (const { seen, output, at } of repeated) {
      if (this.#inputsSaw(output, at)) this.#say('twice', seen, undefined, [output]);
    }
  }

  /**
   * Of the places where such a packet came in (a capture that is replayed again brings the same
   * ones again), the free one that follows next on what this output has got; or that it has just
   * overtaken.
   */
  #nearest(places: readonly Place[], reached: readonly number[]): Place | undefined {
    let best: Place | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const place of places) {
      const { entry, index } = place;
      if (entry.found.length >= this.#times) continue;
      const ahead = index - (reached[entry.input] ?? -1);
      if (ahead < -overtakenMax || Math.abs(ahead) >= least) continue;
      best = place;
      least = Math.abs(ahead);
    }
    return best;
  }

  judgeFlows(): void {
    const homes = this.#homes;
    for (const entries of this.#entries) {
      for (const [index, entry] of entries.entries()) this.#moves.add(entry, index);
    }
    const moved = this.#moves.lawful();
    this.#entries.forEach((entries) => {
      const last = new Map<string, number[]>(); // per sequence and output: how far it was
      for (const { seen, found, flow, sequence } of entries) {
        if (flow === undefined) continue;
        const home = homes.get(flow) ?? new Set<number>();
        homes.set(flow, home);
        for (const { output, at } of found) {
          const isElsewhere = home.size > 0 && !home.has(output) && !moved.has(flow);
          if (isElsewhere) this.#say('split', seen, flow, [...home, output]);
          home.add(output);
          const reached = last.get(sequence) ?? [];
          last.set(sequence, reached);
          if (at < (reached[output] ?? -1)) this.#say('reordered', seen, flow, [output]);
          reached[output] = Math.max(at, reached[output] ?? -1);
        }
      }
    });
    this.verdict.flows = homes.size;
  }

  /** `known`: packets that the ledger says were dropped on the way. */
  judgeMissing(known: number): void {
    const lost: Entry[] = [];
    for (const entries of this.#entries) {
      entries.forEach((entry, index) => {
        if (entry.found.length >= this.#times) return;
        if (this.#couldSee(entry, index)) lost.push(entry);
        else this.verdict.unseen += 1;
      });
    }
    const byTime = new Map<string, Entry>();
    for (const entry of lost) byTime.set(`${entry.seen.timeNs} ${entry.seen.length}`, entry);
    const changed = new Set<Entry>();
    for (const { seen, output, at } of this.#strange) {
      const entry = byTime.get(`${seen.timeNs} ${seen.length}`);
      if (entry !== undefined && !changed.has(entry)) {
        changed.add(entry);
        this.#say('changed', entry.seen, entry.flow, [output]);
      } else if (this.#inputsSaw(output, at)) {
        this.#say('foreign', seen, undefined, [output]);
      }
    }
    const missing = lost.filter((entry) => !changed.has(entry));
    this.verdict.dropped = Math.min(known, missing.length);
    for (const { seen, flow } of missing.slice(this.verdict.dropped)) {
      this.#say(
        'lost',
        seen,
        flow,
        this.#outputs.map((_, output) => output),
      );
    }
  }

  /**
   * Whether what an output got there must have been seen to come in: it lies between packets that
   * were matched, not at an edge of the time in which everybody looked, and no input missed
   * anything between those: a capture that is replayed again brings the same packets again.
   */
  #inputsSaw(output: number, at: number): boolean {
    const edge = this.#edges.get(output) ?? [Number.POSITIVE_INFINITY, -1];
    if (edge[0] >= at || edge[1] <= at) return false;
    return this.#inputs.every(({ gaps }, input) => {
      if (gaps.length === 0) return true;
      const matches = this.#matches[output]?.[input] ?? [];
      const before = matches.findLast((match) => match.at < at)?.entry ?? -1;
      const after = matches.find((match) => match.at > at)?.entry ?? Number.POSITIVE_INFINITY;
      return !gaps.some((gap) => gap > before && gap <= after);
    });
  }

  /**
   * Whether the outputs where it should have come (its flow's, else all that get anything) had been
   * looked at before and after it, and no slot was missed between.
   */
  #couldSee({ input, flow }: Entry, index: number): boolean {
    const home = flow === undefined ? undefined : this.#homes.get(flow);
    const outputs = this.#outputs
      .map((_, output) => output)
      .filter((output) => (this.#matches[output]?.[input]?.length ?? 0) > 0)
      .filter((output) => home === undefined || home.size === 0 || home.has(output));
    return outputs.length > 0 && outputs.every((output) => this.#sawAround(output, input, index));
  }

  #sawAround(output: number, input: number, index: number): boolean {
    const list = this.#matches[output]?.[input] ?? [];
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((list[middle]?.entry ?? 0) < index) low = middle + 1;
      else high = middle;
    }
    const [before, after] = [list[low - 1], list[low]];
    if (before === undefined || after === undefined) return false;
    const gaps = this.#outputs[output]?.sightings.gaps ?? [];
    return !gaps.some((gap) => gap > before.at && gap <= after.at);
  }
}

/**
 * `known`: how many packets the ledger says were dropped on this group's way in that time.
 */
export function judge(
  inputs: readonly Sightings[],
  outputs: readonly { name: string; sightings: Sightings }[],
  times: number,
  known: number,
  rule: FlowRule = { outer: false, tenant: false },
): Verdict {
  const one = new Judge(inputs, outputs, times, rule);
  one.match();
  one.judgeFlows();
  one.judgeMissing(known);
  return one.verdict;
}
