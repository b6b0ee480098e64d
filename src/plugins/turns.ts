/** A plugin's callbacks are called for what engines have posted, turn by turn. */
import { type AttachedPlugin, type ScriptBinding, turns } from '../native/scripts.ts';
import type { PluginDefinition, PluginEvent, PluginEvents } from './api.ts';
import { type Contexts, ContextsById, NumberedContexts } from './contexts.ts';
import { callbackNames } from './definition.ts';
import { EngineCalls } from './engine-calls.ts';
import { EventView } from './event-view.ts';
import { calls, closing } from './layout.ts';
import { RecordReader } from './records.ts';
import { Ring } from './ring.ts';

/** So many failures are told; then one in a thousand. */
const toldAtFirst = 10;

class Batch implements PluginEvents {
  length = 0;
  /** Of the turn: what is being dealt with; where this batch begins. */
  position = 0;
  #first = 0;
  readonly #view: EventView;

  constructor(view: EventView) {
    this.#view = view;
  }

  begin(first: number, length: number): void {
    this.#first = first;
    this.position = first;
    this.length = length;
  }

  at(index: number): PluginEvent {
    if (!(index >= 0 && index < this.length)) {
      throw new RangeError(`there is no event ${index}; there are ${this.length}`);
    }
    this.position = this.#first + index;
    this.#view.show(this.position);
    return this.#view;
  }
}

export class Turns {
  readonly #binding: ScriptBinding;
  readonly #plugin: AttachedPlugin;
  readonly #definition: PluginDefinition;
  readonly #callbacks: readonly (((event: PluginEvent) => void) | undefined)[];
  readonly #rings = new Map<number, Ring>();
  readonly #turn = new Uint32Array(4);
  readonly #freed = new Uint32Array(256);
  readonly #engine: EngineCalls;
  readonly #records: RecordReader;
  #contexts: Contexts | undefined;
  #view: EventView | undefined;
  #batch: Batch | undefined;
  #done = 0;
  #failed = false;
  #failures = 0;

  constructor(binding: ScriptBinding, plugin: AttachedPlugin, definition: PluginDefinition) {
    this.#binding = binding;
    this.#plugin = plugin;
    this.#definition = definition;
    this.#callbacks = callbackNames.map((name) => definition[name]?.bind(definition));
    this.#engine = new EngineCalls(binding, plugin);
    this.#records = new RecordReader(binding.pluginLayouts().records);
  }

  /** Tells how the last turn went, waits for the next and does it; returns which it was. */
  next(idleUs: number): number {
    const turn = this.#turn;
    const done = this.#done;
    const failed = this.#failed;
    this.#done = 0;
    this.#failed = false;
    const task = this.#binding.pluginTurn(this.#plugin, turn, done, failed, idleUs);
    const worker = turn[0] as number;
    if (task === turns.gone) this.#rings.delete(worker);
    if (task === turns.events) {
      this.#run(this.#ring(worker), turn[1] as number, turn[2] as number, turn[3] !== 0);
    }
    return task;
  }

  finish(): void {
    this.#binding.pluginFinish(this.#plugin, this.#done, this.#failed);
    this.#done = 0;
    this.#failed = false;
  }

  report(name: string, what: string, text: string): void {
    this.#failures += 1;
    if (this.#failures > toldAtFirst && this.#failures % 1000 !== 0) return;
    const often = this.#failures > toldAtFirst ? ` (${this.#failures} so far)` : '';
    console.error(`plugin ${name}: failed at ${what}${often}: ${text}`);
  }

  #ring(worker: number): Ring {
    let ring = this.#rings.get(worker);
    if (ring === undefined) {
      const { memory, records } = this.#binding.pluginRing(this.#plugin, worker);
      ring = new Ring(memory, records);
      this.#rings.set(worker, ring);
    }
    return ring;
  }

  #run(ring: Ring, first: number, count: number, waits: boolean): void {
    this.#contexts ??= waits ? new NumberedContexts() : new ContextsById();
    const contexts = this.#contexts;
    this.#view ??= new EventView(ring, contexts, this.#engine, this.#records, waits);
    const view = this.#view;
    if (contexts.size > 0) this.#free(contexts);
    view.begin(ring, first);
    for (let from = 0; from < count; ) {
      const failed =
        this.#definition.onBatch === undefined
          ? this.#each(view, contexts, ring, from, count)
          : this.#all(view, contexts, ring, from, count);
      this.#done = failed;
      if (failed === count) break;
      if (waits) {
        this.#failed = true;
        break;
      }
      // Nobody waits: its session hears of it with its next packet, the others go on.
      this.#binding.pluginErrors(this.#plugin, 1);
      this.#engine.call(calls.fail, failed, view.session.id);
      from = failed + 1;
      this.#done = from;
    }
    view.end();
  }

  /** Returns the number of the event that failed, or `count`. */
  #each(view: EventView, contexts: Contexts, ring: Ring, from: number, count: number): number {
    const callbacks = this.#callbacks;
    let index = from;
    try {
      for (; index < count; index += 1) {
        const type = view.show(index);
        callbacks[type]?.(view);
        if (type === closing) contexts.set(ring, view.session.base, undefined);
      }
    } catch (error) {
      this.#tell(view, error);
    }
    return index;
  }

  #all(view: EventView, contexts: Contexts, ring: Ring, from: number, count: number): number {
    this.#batch ??= new Batch(view);
    const batch = this.#batch;
    batch.begin(from, count - from);
    let end = count;
    try {
      this.#definition.onBatch?.(batch);
    } catch (error) {
      end = batch.position;
      view.show(end);
      this.#tell(view, error);
    }
    if (contexts.size > 0) {
      for (let index = from; index < end; index += 1) {
        if (view.show(index) === closing) contexts.set(ring, view.session.base, undefined);
      }
      if (end < count) view.show(end);
    }
    return end;
  }

  #tell(view: EventView, error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#binding.pluginFailed(this.#plugin, error instanceof Error ? error.message : text);
    this.report(this.#definition.name, `${view.type} of session ${view.session.id}`, text);
  }

  #free(contexts: Contexts): void {
    const freed = this.#freed;
    const count = this.#binding.pluginFreed(this.#plugin, freed);
    for (let index = 0; index < count; index += 1) contexts.free(freed[index] as number);
  }
}
