/**
 * Graphs of bricks at random, as Lua, and a model that knows what each of their captures must hold.
 */
import type { Random } from '../../src/traffic/random.ts';

/** What comes out of a brick, in the model. */
export type Model =
  | { readonly file: string }
  /** Each branch gets everything. */
  | { readonly copies: readonly Model[] }
  /** Each packet goes to one branch. */
  | { readonly shares: readonly Model[] }
  /** Everything, so many times over. */
  | { readonly times: number; readonly of: Model };

export interface RandomGraph {
  readonly lua: string;
  readonly model: Model;
  /** Bricks by kind. */
  readonly kinds: ReadonlySet<string>;
}

const inner = ['LoadBalancer', 'Duplicator', 'Filter', 'Dummy', 'Merge', 'PcapWriter'] as const;
type Inner = (typeof inner)[number];

export const rootKinds = ['LoadBalancer', 'Duplicator', 'Filter', 'Dummy', 'Merge'] as const;

class Builder {
  readonly #random: Random;
  readonly #folder: string;
  readonly lines: string[] = [];
  readonly kinds = new Set<string>();
  #bricks = 0;
  #pipes = 0;
  #files = 0;

  constructor(random: Random, folder: string) {
    this.#random = random;
    this.#folder = folder;
  }

  #brick(kind: string, inputs: readonly string[], parent: string | undefined): string {
    const name = `b${this.#bricks++}`;
    this.kinds.add(kind);
    const split = kind === 'LoadBalancer' && this.#random.oneIn(2) ? ', 2' : '';
    this.lines.push(`${name} = Brick.new("${kind}"${split})`);
    if (inputs.length > 0) {
      this.lines.push(`${name}:connect_input(${inputs.map((input) => `"${input}"`).join(', ')})`);
    }
    if (parent !== undefined) this.lines.push(`${parent}:link(${name})`);
    return name;
  }

  #file(): string {
    return `leaf-${this.#files++}.pcap`;
  }

  /** A pipe from `brick` to the brick behind it: returns the input's name. */
  #pipe(brick: string): string {
    const number = this.#pipes++;
    this.lines.push(`${brick}:connect_output("x{${number}")`);
    return `x}${number}`;
  }

  #leaf(brick: string): Model {
    const file = this.#file();
    this.lines.push(`${brick}:connect_output("pcap:${this.#folder}/${file}")`);
    return { file };
  }

  /** One branch behind an output of `brick`. */
  #branch(brick: string, depth: number): Model {
    if (depth === 0 || this.#random.oneIn(4)) return this.#leaf(brick);
    const kind = inner[this.#random.between(0, inner.length - 1)] as Inner;
    const child = this.#brick(kind, [this.#pipe(brick)], brick);
    return this.outputsOf(kind, child, depth - 1);
  }

  outputsOf(kind: string, brick: string, depth: number): Model {
    if (kind === 'PcapWriter') {
      const file = this.#file();
      this.lines.push(`${brick}:connect_output("${this.#folder}/${file}")`);
      return { file };
    }
    if (kind !== 'LoadBalancer' && kind !== 'Duplicator') return this.#branch(brick, depth);
    const count = this.#random.between(2, 4);
    if (depth > 0 && this.#random.oneIn(3)) return this.#merged(kind, brick, count, depth);
    const branches = Array.from({ length: count }, () => this.#branch(brick, depth));
    return kind === 'Duplicator' ? { copies: branches } : { shares: branches };
  }

  /** All branches meet again in a Merge. */
  #merged(kind: string, brick: string, count: number, depth: number): Model {
    const inputs = Array.from({ length: count }, () => this.#pipe(brick));
    const merge = this.#brick('Merge', inputs, brick);
    const of = this.#branch(merge, depth - 1);
    return kind === 'Duplicator' ? { times: count, of } : of;
  }

  root(kind: string, inputs: readonly string[], depth: number): Model {
    const name = this.#brick(kind, inputs, undefined);
    return this.outputsOf(kind, name, depth);
  }
}

/** A tree with a root of `kind`, up to `depth` bricks deep below it. The root is `b0`. */
export function randomGraph(
  random: Random,
  kind: string,
  inputs: readonly string[],
  folder: string,
  depth: number,
): RandomGraph {
  const builder = new Builder(random, folder);
  const model = builder.root(kind, inputs, depth);
  return { lua: builder.lines.join('\n'), model, kinds: builder.kinds };
}
