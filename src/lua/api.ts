/**
 * The shape of the table of everything Lua sees. Help, argument checks, completion and the
 * reference page come from it.
 */
import type { Engines } from '../engine/engine.ts';
import type { EngineRegistry } from '../engine/registry.ts';
import type { Brick, BrickMaker } from '../flow/brick.ts';
import type { GraphRules } from '../flow/rules.ts';
import type { EngineSnapshot, NativeBinding } from '../native/binding.ts';
import type { Stream } from './output.ts';
import type { BrickHandle, EngineHandle, LuaValue, Result, TableValue } from './values.ts';

/** What API functions work on: one for each Lua state. */
export interface ApiContext {
  readonly binding: NativeBinding;
  readonly engines: Engines;
  readonly registry: EngineRegistry;
  readonly rules: GraphRules;
  readonly bricks: BrickMaker;
  write(stream: Stream, text: string): void;
  /** Blocks this thread; throws `interrupted` when asked to end. */
  sleep(seconds: number): void;
  /** Ends the program after the running call. */
  shutdown(): void;
  /** For rates: what the last stats call saw, and when (ms). */
  lastStats: { snapshots: EngineSnapshot[]; at: number } | undefined;
}

export type ClassName = 'BRICKS' | 'PktEngine' | 'Brick';

/** `any`: checked by the function itself. */
export type ArgumentType = 'text' | 'integer' | 'number' | 'brick' | 'options' | 'any';

export interface Argument {
  readonly name: string;
  readonly type: ArgumentType;
  readonly optional?: true;
  /** Takes all the arguments that follow as well. */
  readonly rest?: true;
  /** Where the range is not all there is. */
  readonly minimum?: number;
  readonly maximum?: number;
  readonly summary: string;
}

export interface Method {
  readonly name: string;
  /** Line of help(), as packet-bricks prints it; undefined: it did not list it. */
  readonly listed?: string;
  readonly arguments: readonly Argument[];
  readonly returns: string;
  readonly summary: string;
  readonly example: string;
}

/** Called with a dot: `PktEngine.new("e0")`. */
export interface StaticMethod extends Method {
  readonly call: (context: ApiContext, args: Arguments) => Result | undefined;
}

/** Called with a colon on a handle; `self`: returns that handle, so that calls chain. */
export interface HandleMethod<Self> extends Method {
  readonly call: (context: ApiContext, self: Self, args: Arguments) => Result | typeof chained;
}

export const chained = Symbol('self');

export interface ApiClass {
  readonly name: ClassName;
  readonly summary: string;
  /** First line of its help(). */
  readonly helpHeader: string;
  readonly helpFooter: readonly string[];
  readonly statics: readonly StaticMethod[];
  readonly methods: readonly (HandleMethod<EngineHandle> | HandleMethod<Brick>)[];
  readonly fields: Readonly<Record<string, string>>;
}

/** Checked arguments, by name. */
export class Arguments {
  readonly #values: ReadonlyMap<string, LuaValue | readonly LuaValue[]>;

  constructor(values: ReadonlyMap<string, LuaValue | readonly LuaValue[]>) {
    this.#values = values;
  }

  any(name: string): LuaValue {
    return this.#values.get(name) as LuaValue;
  }

  text(name: string): string {
    return this.#values.get(name) as string;
  }

  optionalText(name: string): string | undefined {
    return this.#values.get(name) as string | undefined;
  }

  optionalNumber(name: string): number | undefined {
    return this.#values.get(name) as number | undefined;
  }

  table(name: string): TableValue | undefined {
    return this.#values.get(name) as TableValue | undefined;
  }

  brick(name: string): Brick {
    return (this.#values.get(name) as BrickHandle).brick;
  }

  optionalBrick(name: string): Brick | undefined {
    return (this.#values.get(name) as BrickHandle | undefined)?.brick;
  }

  texts(name: string): readonly string[] {
    return this.#values.get(name) as readonly string[];
  }

  bricks(name: string): readonly Brick[] {
    return (this.#values.get(name) as readonly BrickHandle[]).map(({ brick }) => brick);
  }
}
