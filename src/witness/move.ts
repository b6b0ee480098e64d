/**
 * Flows that a balancer may move: with `applications`, to the output named for what a flow speaks,
 * once, and not before a packet has shown it. Whether a move was such a one is decided from packets
 * and the stated rule alone.
 */
import type { Entry } from './entry.ts';
import { Pieces, type Speech } from './speech.ts';

/** Flows that speak this go to one of these outputs, whatever they were at before. */
export interface MoveRule {
  readonly application: string;
  readonly outputs: readonly string[];
}

/** A packet of a flow, where it came in and where it was found. */
interface Step {
  readonly timeNs: bigint;
  readonly input: number;
  /** Among its input's packets. */
  readonly index: number;
  readonly outputs: readonly number[];
  readonly speech: Speech | undefined;
}

/** Packets of two inputs less apart than this may have been dealt with in either order. */
const togetherNs = 50_000_000n;
/** Whoever was silent for so long may have been forgotten: it is a new flow then. */
const forgottenNs = 30_000_000_000n;

export class Moves {
  readonly #rules: readonly MoveRule[];
  readonly #names: readonly string[];
  readonly #gaps: readonly (readonly number[])[];
  readonly #flows = new Map<string, Step[]>();

  /** `names`: of outputs; `gaps`: of each input, places before which packets were missed. */
  constructor(
    rules: readonly MoveRule[],
    names: readonly string[],
    gaps: readonly (readonly number[])[],
  ) {
    this.#rules = rules;
    this.#names = names;
    this.#gaps = gaps;
  }

  add({ flow, seen, input, found }: Entry, index: number): void {
    if (this.#rules.length === 0 || flow === undefined) return;
    const outputs = found.map(({ output }) => output);
    const step = { timeNs: seen.timeNs, input, index, outputs, speech: seen.speech };
    const steps = this.#flows.get(flow);
    if (steps === undefined) this.#flows.set(flow, [step]);
    else steps.push(step);
  }

  /** Flows at several outputs of which each move was as the rules have it. */
  lawful(): Set<string> {
    const lawful = new Set<string>();
    for (const [flow, steps] of this.#flows) {
      if (new Set(steps.flatMap(({ outputs }) => outputs)).size < 2) continue;
      steps.sort((a, b) => Number(a.timeNs - b.timeNs));
      if (connectionsOf(steps).every((one) => this.#isLawful(one))) lawful.add(flow);
    }
    return lawful;
  }

  #isLawful(steps: readonly Step[]): boolean {
    const outputs = [...new Set(steps.flatMap((step) => step.outputs))];
    if (outputs.length < 2) return true;
    if (outputs.length > 2) return false;
    return outputs.some((to, place) => this.#isMove(steps, outputs[1 - place] as number, to));
  }

  #isMove(steps: readonly Step[], from: number, to: number): boolean {
    const after = steps.filter((step) => step.outputs.includes(to));
    const before = steps.filter((step) => step.outputs.includes(from));
    const first = after[0] as Step;
    const inputs = [...this.#gaps.keys()];
    const last = inputs.map((input) => before.findLast((step) => step.input === input));
    const next = inputs.map((input) => after.find((step) => step.input === input));
    const isBack = last.some((left) => next.some((come) => left && come && !isBefore(left, come)));
    if (isBack) return false;
    const rules = this.#rules.filter((rule) => rule.outputs.includes(this.#names[to] ?? ''));
    if (rules.length === 0) return false;
    const said = new Set<string>();
    const pieces = new Map<string, Pieces>();
    for (const step of steps) {
      if (step.speech === undefined || !(step === first || isBefore(step, first))) continue;
      const known = pieces.get(step.speech.by) ?? new Pieces();
      pieces.set(step.speech.by, known);
      for (const sign of known.add(step.speech)) said.add(sign);
    }
    return rules.some(({ application }) => said.has(application)) || this.#missed(before, first);
  }

  /** Whether what showed it may have come in unseen. */
  #missed(before: readonly Step[], first: Step): boolean {
    return this.#gaps.some((gaps, input) => {
      const last = before.findLast((step) => step.input === input)?.index ?? -1;
      const end = first.input === input ? first.index : Number.POSITIVE_INFINITY;
      return gaps.some((gap) => gap > last && gap <= end);
    });
  }
}

/** Whether the first of two packets may have been dealt with before the other. */
function isBefore(a: Step, b: Step): boolean {
  if (a.input === b.input) return a.index < b.index;
  return a.timeNs <= b.timeNs + togetherNs;
}

/** A flow's packets, cut where another conversation between the same ends begins. */
function connectionsOf(steps: readonly Step[]): Step[][] {
  const made: Step[][] = [[]];
  steps.forEach((step, place) => {
    const silent = step.timeNs - (steps[place - 1]?.timeNs ?? step.timeNs);
    const current = made.at(-1) as Step[];
    const isRetry = current.every(({ speech }) => speech === undefined || speech.opens);
    if (silent >= forgottenNs || (step.speech?.opens && !isRetry)) made.push([step]);
    else current.push(step);
  });
  return made;
}
