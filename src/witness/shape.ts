/** Which outputs must together have every packet of an input: the graph's balanced groups. */
import type { FlowRule } from './entry.ts';
import type { MoveRule } from './move.ts';

export interface ShapeEngine {
  readonly name: string;
  readonly inputs: readonly { readonly name: string; readonly brick: string }[];
  readonly bricks: readonly {
    readonly id: string;
    readonly kind: string;
    readonly ways: readonly { readonly link: string; readonly brick?: string }[];
    readonly options: Readonly<Record<string, unknown>>;
  }[];
}

export interface Group {
  readonly engine: string;
  /** Inputs, or links behind bricks that drop. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Bricks on the way: what they drop is missing with reason. */
  readonly bricks: readonly string[];
  /** How often the group gets each packet. */
  readonly times: number;
  /** Its balancers' flows. */
  readonly rule: FlowRule;
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
  // Further outputs of these get what rules and plugins say: nothing that must be there.
  const first = brick.kind === 'Filter' || brick.kind === 'Session';
  const ways = first ? behind.slice(0, 1) : behind;
  const copies = Math.max(0, ...ways.map((parts) => parts.length));
  return Array.from({ length: copies }, (_, copy) => {
    const chosen = ways.flatMap((parts) => parts[Math.min(copy, parts.length - 1)] ?? []);
    return withThis({
      outputs: [...new Set(chosen.flatMap(({ outputs }) => outputs))],
      bricks: [...new Set(chosen.flatMap(({ bricks }) => bricks))],
    });
  });
}

/** Kinds that drop: among what they are to drop, a loss behind them would not be seen. */
const dropping = new Set(['Filter', 'Deduplicator', 'Session']);

function dropsIn({ bricks }: ShapeEngine, part: Part): boolean {
  return part.bricks.some((id) => bricks.some((one) => one.id === id && dropping.has(one.kind)));
}

/** What is behind each brick that drops, unless another one is: seen from the link between. */
function behindDroppers(engine: ShapeEngine): [name: string, part: Part][] {
  return engine.bricks
    .filter(({ kind }) => dropping.has(kind))
    .flatMap(({ ways: [first] }) =>
      first?.brick === undefined
        ? []
        : partsOf(engine, first.brick).map((part): [string, Part] => [first.link, part]),
    )
    .filter(([, part]) => !dropsIn(engine, part));
}

/** Of `applications = { "tls=v{1" }`: all outputs behind the one that is named. */
function movesOf(
  engine: ShapeEngine,
  { ways, options }: ShapeEngine['bricks'][number],
): MoveRule[] {
  const given = options['applications'];
  const texts = Array.isArray(given) ? given.map(String) : [];
  return texts.flatMap((text) => {
    const [application = '', ...rest] = text.split('=');
    const way = ways.find(({ link }) => link === rest.join('='));
    if (way === undefined) return [];
    const behind = way.brick === undefined ? [] : partsOf(engine, way.brick);
    const outputs = way.brick === undefined ? [way.link] : behind.flatMap((part) => part.outputs);
    return [{ application, outputs }];
  });
}

function ruleOf(engine: ShapeEngine, part: Part): FlowRule {
  const balancers = engine.bricks.filter(({ id, kind }) => {
    return kind === 'LoadBalancer' && part.bricks.includes(id);
  });
  const moves = balancers.flatMap((brick) => movesOf(engine, brick));
  return {
    ...(moves.length > 0 && { moves }),
    outer: balancers.some(({ options }) => options['key'] === 'outer'),
    tenant: balancers.some(({ options }) => options['tenant'] === true),
  };
}

export function groupsOf(engine: ShapeEngine): Group[] {
  const groups = new Map<string, { part: Part; byInput: Map<string, number> }>();
  const inputs = engine.inputs.flatMap(({ name, brick }) =>
    partsOf(engine, brick).map((part): [string, Part] => [name, part]),
  );
  // What comes to the same outputs by another way would be strange to a witness at a link.
  const whole = behindDroppers(engine).filter(([, { outputs }]) =>
    inputs.every(([, part]) => {
      return dropsIn(engine, part) || !part.outputs.some((name) => outputs.includes(name));
    }),
  );
  for (const [rank, some] of [inputs, whole].entries()) {
    for (const [name, part] of some) {
      const key = JSON.stringify([rank, ...[...part.outputs].sort()]);
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
    rule: ruleOf(engine, part),
  }));
}
