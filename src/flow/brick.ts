/**
 * A brick as a script describes it: a record, not a running thing. `resolve.ts` makes a graph of
 * it.
 */
import type { Options } from '../native/binding.ts';

export interface Brick {
  /** Unique for the life of the Lua state, e.g. `LoadBalancer-1`. */
  readonly id: string;
  readonly kind: string;
  options: Options;
  /** Names as the script gave them. */
  inputs: string[];
  outputs: string[];
  children: Brick[];
  /** The brick it was linked to with `parent:link(this)`. */
  parent: Brick | undefined;
  /** Name of the engine it is a root of. */
  engine: string | undefined;
}

/** Makes bricks with ids that count up per kind. */
export class BrickMaker {
  readonly #counts = new Map<string, number>();

  make(kind: string, options: Options): Brick {
    const number = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, number);
    return {
      id: `${kind}-${number}`,
      kind,
      options,
      inputs: [],
      outputs: [],
      children: [],
      parent: undefined,
      engine: undefined,
    };
  }
}

/** The brick at the top of the tree that `brick` hangs in. */
export function rootOf(brick: Brick): Brick {
  let top = brick;
  while (top.parent !== undefined) top = top.parent;
  return top;
}

/** `roots` and everything linked below them, parents first, in the order of linking. */
export function bricksOf(roots: readonly Brick[]): Brick[] {
  const found = new Set<Brick>();
  const visit = (brick: Brick): void => {
    if (found.has(brick)) return;
    found.add(brick);
    for (const child of brick.children) visit(child);
  };
  for (const root of roots) visit(root);
  return [...found];
}
