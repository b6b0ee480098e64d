/**
 * From the bricks of an engine to its graph. Chaining goes by names: output `eth3{0` feeds the
 * brick whose input is `eth3}0`; names without braces match as they are. Everything wrong is said
 * at once.
 */
import { BricksError } from '../errors.ts';
import type { NativeGraph } from '../native/binding.ts';
import { type Brick, bricksOf } from './brick.ts';
import { type Complaint, checkBricks } from './check.ts';
import { inputNames, isDevice, outputNames, portKey } from './names.ts';
import type { GraphRules } from './rules.ts';

interface Outlet {
  name: string;
  owner: number;
  brick: number | undefined;
}

interface Draft {
  readonly bricks: readonly Brick[];
  readonly roots: ReadonlySet<Brick>;
  readonly outlets: Outlet[][];
  readonly byKey: Map<string, Outlet>;
  readonly inlets: { port: string; brick: number }[];
  readonly complaints: Complaint[];
  /** All names of outputs as the script gave them. */
  readonly given: ReadonlySet<string>;
  /** The last number that freeLabel gave out. */
  numbered: number;
}

const forgetting = 'null:';

/**
 * The graph of `roots`; throws invalid_graph (or invalid_port_name) with every fault in one
 * message.
 */
export function resolve(roots: readonly Brick[], rules: GraphRules): NativeGraph {
  const bricks = bricksOf(roots);
  const draft: Draft = {
    bricks,
    roots: new Set(roots),
    outlets: [],
    byKey: new Map(),
    inlets: [],
    complaints: checkBricks(bricks, rules),
    given: new Set(bricks.flatMap((brick) => brick.outputs)),
    numbered: 1,
  };
  bricks.forEach((_, index) => {
    addOutlets(draft, index, rules);
  });
  bricks.forEach((_, index) => {
    connectInputs(draft, index, rules);
  });
  checkPorts(draft, rules);
  const levels = levelsOf(draft);
  refuse(draft.complaints);
  return {
    inlets: draft.inlets,
    bricks: bricks.map((brick, index) => ({
      id: brick.id,
      kind: brick.kind,
      options: brick.options,
      level: levels[index] ?? 1,
      outlets: (draft.outlets[index] ?? []).map((outlet) =>
        outlet.brick === undefined
          ? { name: outlet.name }
          : { name: outlet.name, brick: outlet.brick },
      ),
    })),
  };
}

function complain(draft: Draft, text: string): void {
  draft.complaints.push({ code: 'invalid_graph', text });
}

function idOf(draft: Draft, index: number): string {
  return draft.bricks[index]?.id ?? '?';
}

/** `null:` may be there as often as one likes: `null:`, `null:2`, `null:3` tell them apart. */
function freeLabel(draft: Draft): string {
  if (!draft.byKey.has(forgetting)) return forgetting;
  do draft.numbered += 1;
  while (draft.given.has(`${forgetting}${draft.numbered}`));
  return `${forgetting}${draft.numbered}`;
}

function addOutlets(draft: Draft, index: number, rules: GraphRules): void {
  const brick = draft.bricks[index] as Brick;
  const own: Outlet[] = [];
  for (const given of outputNames(brick, rules)) {
    const name = given === forgetting ? freeLabel(draft) : given;
    const key = portKey(name, rules);
    const outlet: Outlet = { name, owner: index, brick: undefined };
    const earlier = draft.byKey.get(key);
    if (earlier !== undefined) {
      const where =
        earlier.owner === index ? `twice of ${brick.id}` : `of ${idOf(draft, earlier.owner)} too`;
      complain(draft, `${brick.id}: output ${name} is an output ${where}; give each its own name`);
      continue;
    }
    draft.byKey.set(key, outlet);
    own.push(outlet);
  }
  draft.outlets.push(own);
}

function connectInputs(draft: Draft, index: number, rules: GraphRules): void {
  const brick = draft.bricks[index] as Brick;
  const isRoot = draft.roots.has(brick);
  for (const name of inputNames(brick, rules)) {
    const outlet = draft.byKey.get(rules.flip(portKey(name, rules)));
    // Two roots may bridge eth0 and eth1 both ways: names without braces chain children only.
    if (outlet !== undefined && (!isRoot || rules.isPipe(name))) {
      if (outlet.brick !== undefined) {
        complain(
          draft,
          `${brick.id}: input ${name} already feeds ${idOf(draft, outlet.brick)}; ` +
            'put a Duplicator between them',
        );
      } else {
        outlet.brick = index;
        if (rules.isPipe(outlet.name) && outlet.name.includes('?')) {
          complain(draft, parametersOfALink(draft, outlet, brick));
        }
      }
    } else if (isRoot) {
      draft.inlets.push({ port: name, brick: index });
    } else {
      complain(draft, nobodysOutput(draft, brick, name));
    }
  }
}

function parametersOfALink(draft: Draft, outlet: Outlet, brick: Brick): string {
  const [name, parameters] = outlet.name.split('?');
  return (
    `${idOf(draft, outlet.owner)}: output ${name} leads to ${brick.id}, not to a program: ` +
    `"?${parameters}" has no effect there; leave it away, or give the link another name`
  );
}

function nobodysOutput(draft: Draft, brick: Brick, name: string): string {
  const names = [...draft.byKey.values()]
    .filter((outlet) => draft.bricks[outlet.owner] !== brick)
    .map((outlet) => outlet.name);
  const shown = names.length > 8 ? [...names.slice(0, 8), '...'] : names;
  return (
    `${brick.id}: input ${name} is nobody's output; outputs there are: ` +
    `${shown.join(', ') || 'none'} (a brick that reads a port of its own is linked to the engine ` +
    `with pe:link, not to another brick)`
  );
}

function checkPorts(draft: Draft, rules: GraphRules): void {
  const readers = new Map<string, number>();
  for (const inlet of draft.inlets) {
    const key = portKey(inlet.port, rules);
    const id = idOf(draft, inlet.brick);
    const earlier = readers.get(key);
    if (earlier !== undefined) {
      const other = earlier === inlet.brick ? 'twice' : `by ${idOf(draft, earlier)} too`;
      complain(draft, `${id}: input ${inlet.port} is read ${other}; put a Duplicator behind one`);
    }
    readers.set(key, inlet.brick);
    const writer = draft.byKey.get(key);
    if (writer !== undefined && (writer.owner === inlet.brick || !isDevice(inlet.port, rules))) {
      complain(
        draft,
        `${id}: input ${inlet.port} is an output of ${idOf(draft, writer.owner)}; ` +
          'packets would go round for ever',
      );
    }
    const fault = rules.portFault(inlet.port, 'input');
    if (fault !== undefined) {
      draft.complaints.push({ code: 'invalid_port_name', text: `${id}: ${fault}` });
    }
  }
  if (draft.inlets.length > rules.inletsMax) {
    complain(draft, `${draft.inlets.length} inputs; at most ${rules.inletsMax} (kInletsMax)`);
  }
  for (const outlet of draft.outlets.flat()) {
    if (outlet.brick !== undefined) continue;
    const fault = rules.portFault(outlet.name, 'output');
    if (fault === undefined) continue;
    const text = `${idOf(draft, outlet.owner)}: ${fault}`;
    draft.complaints.push({ code: 'invalid_port_name', text });
  }
}

/** Nesting depth: 1 for what nothing feeds, else one more than its deepest feeder. */
function levelsOf(draft: Draft): number[] {
  const levels = draft.bricks.map(() => 1);
  const feeders = draft.bricks.map(() => 0);
  for (const { brick } of draft.outlets.flat()) {
    if (brick !== undefined) feeders[brick] = (feeders[brick] ?? 0) + 1;
  }
  const ready = feeders.flatMap((count, index) => (count === 0 ? [index] : []));
  const done = new Set<number>();
  for (let index = ready.pop(); index !== undefined; index = ready.pop()) {
    done.add(index);
    for (const { brick } of draft.outlets[index] ?? []) {
      if (brick === undefined) continue;
      levels[brick] = Math.max(levels[brick] ?? 1, (levels[index] ?? 1) + 1);
      feeders[brick] = (feeders[brick] ?? 1) - 1;
      if (feeders[brick] === 0) ready.push(brick);
    }
  }
  const circle = draft.bricks.filter((_, index) => !done.has(index)).map((brick) => brick.id);
  if (circle.length > 0) {
    complain(draft, `these bricks feed each other in a circle: ${circle.join(', ')}`);
  }
  return levels;
}

function refuse(complaints: readonly Complaint[]): void {
  const [first] = complaints;
  if (first === undefined) return;
  const code = complaints.every((entry) => entry.code === first.code)
    ? first.code
    : 'invalid_graph';
  if (complaints.length === 1) throw new BricksError(code, first.text);
  const list = complaints.map((entry) => `\n  - ${entry.text}`).join('');
  throw new BricksError(code, `the graph has ${complaints.length} faults:${list}`);
}
