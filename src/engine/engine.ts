/** A thin typed face of the native engines: what Lua, daemon and tests call. */
import { BricksError } from '../errors.ts';
import type {
  EngineOptions,
  EngineSnapshot,
  NativeBinding,
  NativeGraph,
} from '../native/binding.ts';

const waitSliceMs = 50;

export const emptyGraph: NativeGraph = { inlets: [], bricks: [] };

export class Engines {
  readonly #binding: NativeBinding;
  readonly #interrupted: () => boolean;

  /** `interrupted`: asked between the slices of a wait. */
  constructor(binding: NativeBinding, interrupted: () => boolean = () => false) {
    this.#binding = binding;
    this.#interrupted = interrupted;
  }

  /** already_exists, limit_reached, invalid_argument */
  create(name: string, options: EngineOptions): void {
    this.#binding.createEngine(name, options);
  }

  /** Stops it if need be and closes every port. */
  delete(name: string): void {
    this.#binding.deleteEngine(name);
  }

  /** Replaces the graph, running or not, all or nothing. */
  apply(name: string, graph: NativeGraph): void {
    this.#binding.apply(name, graph);
  }

  start(name: string): void {
    this.#binding.start(name);
  }

  stop(name: string): void {
    this.#binding.stop(name);
  }

  /** 0 seconds: no longer. */
  record(name: string, link: string, seconds: number, bytes: number): void {
    if (seconds === 0) this.#binding.closeRecorder(name, link);
    else this.#binding.openRecorder(name, link, seconds, bytes);
  }

  /**
   * True when every finite input is read and every output has delivered; false when `seconds` are
   * over (undefined: no limit). Throws `interrupted` when asked to end.
   */
  wait(name: string, seconds: number | undefined): boolean {
    const end =
      seconds === undefined ? Number.POSITIVE_INFINITY : performance.now() + seconds * 1e3;
    for (;;) {
      const left = Math.max(0, Math.min(waitSliceMs, end - performance.now()));
      if (this.#binding.waitDrained(name, Math.ceil(left))) return true;
      if (this.#interrupted()) throw new BricksError('interrupted', 'interrupted');
      if (performance.now() >= end) return false;
    }
  }

  snapshot(): EngineSnapshot[] {
    return this.#binding.snapshot();
  }

  /** no_such_engine */
  snapshotOf(name: string): EngineSnapshot {
    const found = this.snapshot().find((entry) => entry.name === name);
    if (found === undefined) throw new BricksError('no_such_engine', noSuchEngine(name));
    return found;
  }
}

export function noSuchEngine(name: string): string {
  return `there is no engine "${name}"; make one with: pe = PktEngine.new("${name}")`;
}

/** Stops all engines that run, in the order of their making; used when the program ends. */
export function stopAll(binding: NativeBinding): void {
  for (const engine of binding.snapshot()) {
    if (engine.running) binding.stop(engine.name);
  }
}
