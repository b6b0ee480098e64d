/** Which outputs must together have every packet of an input: the graph's balanced groups. */

export interface ShapeEngine {
  readonly name: string;
  readonly inputs: readonly { readonly name: string; readonly brick: string }[];
  readonly bricks: readonly {
    readonly id: string;
    readonly kind: string;
    readonly ways: readonly { readonly link: string; readonly brick?: string }[];
  }[];
}

export interface Group {
  readonly engine: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Bricks on the way: what they drop is missing with reason. */
  readonly bricks: readonly string[];
  /** How often the group gets each packet. */
  readonly times: number;
}

interface Part {
  outputs: string[];
  bricks: string[];
}

/** Behind one brick: a set of outputs for each copy that is made of a packet. */
function partsOf(engine: ShapeEngine, id: string): Part[] {
  const brick = engine.bricks.find((each) => each.id === id);
  if (brick === undefined) return [];
  const behind = brick.ways.map(({ link, brick: next }) =>
    next === undefined ? [{ outputs: [link], bricks: [] }] : partsOf(engine, next),
  );
  const withThis = (part: Part): Part => ({ ...part, bricks: [id, ...part.bricks] });
  if (brick.kind === 'Duplicator') return behind.flat().map(withThis);
  // A Filter's further outputs get copies of what a rule says: nothing that must be there.
  const ways = brick.kind === 'Filter' ? behind.slice(0, 1) : behind;
  const copies = Math.max(0, ...ways.map((parts) => parts.length));
  return Array.from({ length: copies }, (_, copy) => {
    const chosen = ways.flatMap((parts) => parts[Math.min(copy, parts.length - 1)] ?? []);
    return withThis({
      outputs: [...new Set(chosen.flatMap(({ outputs }) => outputs))],
      bricks: [...new Set(chosen.flatMap(({ bricks }) => bricks))],
    });
  });
}

export function groupsOf(engine: ShapeEngine): Group[] {
  const groups = new Map<string, { part: Part; byInput: Map<string, number> }>();
  for (const { name, brick } of engine.inputs) {
    for (const part of partsOf(engine, brick)) {
      const key = JSON.stringify([...part.outputs].sort());
      const group = groups.get(key) ?? { part, byInput: new Map<string, number>() };
      group.byInput.set(name, (group.byInput.get(name) ?? 0) + 1);
      groups.set(key, group);
    }
  }
  return [...groups.values()].map(({ part, byInput }) => ({
    engine: engine.name,
    inputs: [...byInput.keys()],
    outputs: part.outputs,
    bricks: part.bricks,
    times: Math.max(...byInput.values()),
  }));
}
