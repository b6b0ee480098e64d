/**
 * The engines that scripts made, with the bricks linked to each. Every change goes one way: change
 * the records, resolve the graph, apply it; when that fails the records are as they were.
 */
import { BricksError } from '../errors.ts';
import { type Brick, bricksOf, rootOf } from '../flow/brick.ts';
import { resolve } from '../flow/resolve.ts';
import type { GraphRules } from '../flow/rules.ts';
import type { EngineOptions, EngineSnapshot, NativeGraph } from '../native/binding.ts';
import { type Engines, noSuchEngine } from './engine.ts';

/** What `pe:link(brick, batch, qid)` may set besides linking. */
export type LinkSettings = Pick<EngineOptions, 'batch' | 'queue'>;

interface Entry {
  settings: EngineOptions;
  roots: Brick[];
}

interface Saved {
  readonly brick: Brick;
  readonly copy: Brick;
}

function save(bricks: readonly Brick[]): Saved[] {
  return bricks.map((brick) => ({
    brick,
    copy: {
      ...brick,
      inputs: [...brick.inputs],
      outputs: [...brick.outputs],
      children: [...brick.children],
    },
  }));
}

function restore(saved: readonly Saved[]): void {
  for (const { brick, copy } of saved) Object.assign(brick, copy);
}

export class EngineRegistry {
  readonly #engines: Engines;
  readonly #rules: GraphRules;
  readonly #entries = new Map<string, Entry>();

  constructor(engines: Engines, rules: GraphRules) {
    this.#engines = engines;
    this.#rules = rules;
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  names(): string[] {
    return [...this.#entries.keys()];
  }

  /** Makes the engine; false when one of that name was there, which stays as it is. */
  create(name: string, settings: EngineOptions): boolean {
    if (this.#entries.has(name)) return false;
    this.#engines.create(name, settings);
    this.#entries.set(name, { settings, roots: [] });
    return true;
  }

  settings(name: string): EngineOptions {
    return this.#entry(name).settings;
  }

  roots(name: string): readonly Brick[] {
    return this.#entry(name).roots;
  }

  /** The graph as it stands. */
  graph(name: string): NativeGraph {
    return resolve(this.#entry(name).roots, this.#rules);
  }

  snapshot(name: string): EngineSnapshot {
    this.#entry(name);
    return this.#engines.snapshotOf(name);
  }

  /** Adds `brick` and what hangs below it to the engine's graph. */
  link(name: string, brick: Brick, wanted: LinkSettings): void {
    const entry = this.#entry(name);
    refuseLinked(brick);
    const settings = { ...entry.settings, ...wanted };
    const changes = (Object.keys(wanted) as (keyof LinkSettings)[]).some(
      (key) => wanted[key] !== entry.settings[key],
    );
    if (changes && this.#engines.snapshotOf(name).running) {
      throw new BricksError(
        'already_running',
        `engine "${name}" is running: its batch and queue cannot change; stop it first: pe:stop()`,
      );
    }
    this.#apply(name, { settings, roots: [...entry.roots, brick] }, changes);
    brick.engine = name;
  }

  /** Takes `brick` (undefined: the whole graph) off the engine, running or not. */
  unlink(name: string, brick: Brick | undefined): void {
    const entry = this.#entry(name);
    if (entry.roots.length === 0) {
      throw new BricksError(
        'not_linked',
        `engine "${name}" has no brick linked: nothing to unlink`,
      );
    }
    if (brick === undefined) {
      this.#apply(name, { ...entry, roots: [] }, false);
      for (const root of entry.roots) root.engine = undefined;
    } else if (rootOf(brick).engine !== name) {
      throw new BricksError('not_linked', `${brick.id} is not linked to engine "${name}"`);
    } else if (brick.parent !== undefined) {
      const { parent } = brick;
      this.change(parent, () => {
        parent.children = parent.children.filter((child) => child !== brick);
      });
      brick.parent = undefined;
    } else {
      this.#apply(name, { ...entry, roots: entry.roots.filter((root) => root !== brick) }, false);
      brick.engine = undefined;
    }
  }

  /** Hangs `children` below `parent`: all of them, or none. */
  chain(parent: Brick, children: readonly Brick[]): void {
    children.forEach((child, i) => {
      if (child === rootOf(parent)) {
        const what = child === parent ? 'itself' : `${child.id}, which it hangs below`;
        throw new BricksError('invalid_graph', `${parent.id} cannot be linked to ${what}`);
      }
      if (children.indexOf(child) !== i) {
        throw new BricksError('already_exists', `${child.id} is named twice; once is enough`);
      }
      refuseLinked(child);
    });
    const mutate = (): void => {
      parent.children.push(...children);
      for (const child of children) child.parent = parent;
    };
    this.change(parent, mutate, children);
  }

  /**
   * Carries out `mutate` on a brick's record; if it is linked, the engine follows or nothing
   * changes.
   */
  change(brick: Brick, mutate: () => void, others: readonly Brick[] = []): void {
    const saved = save([brick, ...others]);
    mutate();
    const name = rootOf(brick).engine;
    const entry = name === undefined ? undefined : this.#entries.get(name);
    if (name === undefined || entry === undefined) return;
    try {
      this.#apply(name, entry, false);
    } catch (error) {
      restore(saved);
      throw error;
    }
  }

  start(name: string): void {
    if (this.#entry(name).roots.length === 0) {
      throw new BricksError(
        'not_linked',
        `engine "${name}" has no brick linked; link one first: pe:link(brick)`,
      );
    }
    if (this.#engines.snapshotOf(name).running) {
      throw new BricksError('already_running', `engine "${name}" is already running`);
    }
    this.#engines.start(name);
  }

  stop(name: string): void {
    this.#entry(name);
    this.#refuseStopped(name, 'there is nothing to stop');
    this.#engines.stop(name);
  }

  /** See Engines.wait; a stopped engine that still has something to do is refused. */
  wait(name: string, seconds: number | undefined): boolean {
    this.#entry(name);
    if (this.#engines.wait(name, 0)) return true;
    this.#refuseStopped(name, 'waiting would never end; start it first: pe:start()');
    return this.#engines.wait(name, seconds);
  }

  record(name: string, link: string, seconds: number, bytes: number): void {
    this.#entry(name);
    this.#engines.record(name, link, seconds, bytes);
  }

  /** Its bricks are free again afterwards. */
  delete(name: string): void {
    const entry = this.#entry(name);
    if (this.#engines.snapshotOf(name).running) {
      throw new BricksError(
        'already_running',
        `engine "${name}" is running: stop it before deleting it: pe:stop()`,
      );
    }
    this.#engines.delete(name);
    this.#entries.delete(name);
    for (const root of entry.roots) root.engine = undefined;
  }

  #refuseStopped(name: string, why: string): void {
    if (this.#engines.snapshotOf(name).running) return;
    throw new BricksError('not_running', `engine "${name}" is not running: ${why}`);
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw new BricksError('no_such_engine', noSuchEngine(name));
    return entry;
  }

  #apply(name: string, wanted: Entry, remake: boolean): void {
    const graph = resolve(wanted.roots, this.#rules);
    if (remake) this.#remake(name, wanted, graph);
    else this.#engines.apply(name, graph);
    this.#entries.set(name, wanted);
  }

  /** Batch and queue are fixed when an engine is made: a stopped one is made anew with them. */
  #remake(name: string, wanted: Entry, graph: NativeGraph): void {
    const before = this.#entry(name);
    this.#engines.delete(name);
    try {
      this.#engines.create(name, wanted.settings);
      this.#engines.apply(name, graph);
    } catch (error) {
      const made = this.#engines.snapshot().some((engine) => engine.name === name);
      if (made) this.#engines.delete(name);
      this.#engines.create(name, before.settings);
      if (before.roots.length > 0) this.#engines.apply(name, resolve(before.roots, this.#rules));
      throw error;
    }
  }
}

function refuseLinked(brick: Brick): void {
  if (brick.parent !== undefined) {
    throw new BricksError(
      'already_exists',
      `${brick.id} is already linked to ${brick.parent.id}; make another brick for a second place`,
    );
  }
  if (brick.engine !== undefined) {
    throw new BricksError(
      'already_exists',
      `${brick.id} is already linked to engine "${brick.engine}"; ` +
        'take it off first: pe:unlink(brick)',
    );
  }
}

/** Every brick of an engine, parents first. */
export function bricksOfEngine(registry: EngineRegistry, name: string): Brick[] {
  return bricksOf(registry.roots(name));
}
