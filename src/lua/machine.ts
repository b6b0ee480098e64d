/**
 * The Lua machine: one state that lives as long as the daemon. Everything here blocks its thread,
 * which is the worker's (worker.ts); tests use it directly.
 */
import type { LuaState } from 'fengari';
import { Engines } from '../engine/engine.ts';
import { EngineRegistry } from '../engine/registry.ts';
import { BricksError, type ErrorCode } from '../errors.ts';
import { BrickMaker } from '../flow/brick.ts';
import { graphRules } from '../flow/rules.ts';
import type { NativeBinding } from '../native/binding.ts';
import type { ApiContext } from './api.ts';
import { candidates } from './complete.ts';
import { openFormat } from './format.ts';
import { addFunctions } from './functions.ts';
import { installApi } from './install.ts';
import { lauxlib, lua, lualib, textOf, to_luastring } from './interpreter.ts';
import { openIo } from './io-library.ts';
import { openOs } from './os-library.ts';
import { Output, type Sink } from './output.ts';
import { prelude } from './prelude.ts';
import { pretty } from './pretty.ts';
import { openScripts, readScript } from './scripts.ts';
import type { Signals } from './signals.ts';
import { systemFault } from './system-error.ts';
import { pushText, tostring } from './values.ts';

export type Outcome =
  | { readonly ok: true; readonly incomplete?: boolean }
  | { readonly ok: false; readonly error: { readonly code: ErrorCode; readonly message: string } };

export interface MachineOptions {
  readonly binding: NativeBinding;
  readonly signals: Signals;
  /** Where what scripts print goes. */
  readonly sink: Sink;
  /** The script ended the program: os.exit(status), BRICKS.shutdown(). */
  readonly onExit: (status: number) => void;
}

const hookEvery = 1000;
const multiple = -1;

export class Machine {
  readonly #L: LuaState = lauxlib.luaL_newstate();
  readonly #options: MachineOptions;
  readonly #output: Output;
  readonly #context: ApiContext;
  /** Set once a script has ended the program: nothing runs any more. */
  #exiting = false;
  /** Of the errors raised by the API in this run: which code stands for which message. */
  #raised: BricksError[] = [];

  constructor(options: MachineOptions) {
    this.#options = options;
    const { binding, signals } = options;
    this.#output = new Output(options.sink);
    const rules = graphRules(binding);
    const engines = new Engines(binding, () => {
      this.#output.flush();
      return signals.interrupted();
    });
    this.#context = {
      binding,
      engines,
      rules,
      registry: new EngineRegistry(engines, rules),
      bricks: new BrickMaker(),
      lastStats: undefined,
      write: (stream, text) => this.#output.write(stream, text),
      sleep: (seconds) => this.#sleep(seconds),
      shutdown: () => {
        this.#end(0);
        throw new BricksError('interrupted', 'the program ends');
      },
    };
    this.#open();
  }

  #open(): void {
    const L = this.#L;
    lualib.luaL_openlibs(L);
    lua.lua_atnativeerror(L, (S) => {
      const error = lua.lua_touserdata(S, 1);
      pushText(S, error instanceof Error ? error.message : String(error));
      return 1;
    });
    openIo(L, this.#output);
    openOs(L, this.#output, (S, status) => {
      this.#end(status);
      pushText(S, 'exit');
      return lua.lua_error(S);
    });
    openFormat(L);
    openScripts(L);
    lua.lua_pushglobaltable(L);
    addFunctions(L, { print: (S) => this.#print(S) });
    lua.lua_pop(L, 1);
    installApi(L, this.#context, (error) => this.#raised.push(error));
    if (lauxlib.luaL_loadbuffer(L, to_luastring(prelude), null, to_luastring('=prelude'))) {
      throw new Error(tostring(L, -1));
    }
    lua.lua_call(L, 0, 0);
    lua.lua_pushnil(L);
    lua.lua_setglobal(L, to_luastring('fengari'));
  }

  /** Runs a chunk. `interactive`: see #load; values of an expression are printed. */
  execute(code: string, name: string, interactive: boolean): Outcome {
    const chunk = `=${name}`;
    if (!interactive) {
      const script = code.startsWith('#') ? code.replace(/^[^\n]*/, '') : code;
      return this.#run(() => this.#compile(to_luastring(script), chunk), false);
    }
    return this.#run(() => this.#compileInteractive(code, chunk), true);
  }

  runFile(path: string): Outcome {
    let code: Uint8Array;
    try {
      code = readScript(path);
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      const denied = (error as NodeJS.ErrnoException).code === 'EACCES';
      const message = `cannot open ${path}: ${systemFault(error).text}`;
      const code = missing ? 'no_such_file' : denied ? 'permission_denied' : 'failed';
      return { ok: false, error: { code, message } };
    }
    return this.#run(() => this.#compile(code, `@${path}`), false);
  }

  /** What `line` can go on with: whole candidates for its last word. */
  complete(line: string): string[] {
    return candidates(this.#L, this.#context, line);
  }

  #run(compile: () => Outcome | 'call' | 'values', interactive: boolean): Outcome {
    const L = this.#L;
    this.#raised = [];
    this.#setHook(L, hookEvery);
    lua.lua_settop(L, 0);
    lua.lua_pushcfunction(L, (S) => this.#onError(S, interactive));
    const compiled = compile();
    if (typeof compiled !== 'string') return this.#finish(compiled);
    if (lua.lua_pcall(L, 0, multiple, 1) !== lua.LUA_OK) return this.#finish(this.#failure());
    return this.#finish(interactive ? this.#printValues(compiled === 'call') : { ok: true });
  }

  #finish(outcome: Outcome): Outcome {
    lua.lua_settop(this.#L, 0);
    this.#output.flush();
    return this.#exiting ? { ok: true } : outcome;
  }

  /** Leaves the compiled chunk on the stack. */
  #compile(code: Uint8Array, chunk: string): Outcome | 'call' {
    const status = lauxlib.luaL_loadbuffer(this.#L, code, null, to_luastring(chunk));
    if (status === lua.LUA_OK) return 'call';
    return { ok: false, error: { code: 'syntax_error', message: tostring(this.#L, -1) } };
  }

  /**
   * An expression first, so that its values can be printed; `= expression` too. What also makes
   * sense as a statement is a call: then the handles that chaining returns are not worth printing.
   */
  #compileInteractive(code: string, chunk: string): Outcome | 'call' | 'values' {
    const equals = /^\s*=/.exec(code);
    const expression = equals === null ? code : code.slice(equals[0].length);
    const asValue = this.#compile(to_luastring(`return ${expression}`), chunk);
    if (asValue === 'call') {
      if (equals !== null) return 'values';
      const asStatement = this.#compile(to_luastring(code), chunk);
      lua.lua_pop(this.#L, 1);
      return asStatement === 'call' ? 'call' : 'values';
    }
    lua.lua_pop(this.#L, 1);
    const compiled = equals === null ? this.#compile(to_luastring(code), chunk) : asValue;
    if (typeof compiled === 'string' || compiled.ok) return compiled;
    if (compiled.error.message.endsWith('<eof>')) return { ok: true, incomplete: true };
    return compiled;
  }

  /**
   * Prints what is above the message handler. This calls __tostring, which may fail as any Lua may.
   */
  #printValues(isCall: boolean): Outcome {
    const L = this.#L;
    lua.lua_pushcfunction(L, (S) => {
      const last = lua.lua_gettop(S);
      for (let index = 1; index <= last; index++) {
        if (isCall && lua.lua_type(S, index) === lua.LUA_TUSERDATA) continue;
        this.#output.write('stdout', `${pretty(S, index)}\n`);
      }
      return 0;
    });
    lua.lua_insert(L, 2);
    const count = lua.lua_gettop(L) - 2;
    return lua.lua_pcall(L, count, 0, 1) === lua.LUA_OK ? { ok: true } : this.#failure();
  }

  #failure(): Outcome {
    const message = tostring(this.#L, -1);
    const known = this.#raised.findLast((error) => message.includes(error.message));
    if (this.#options.signals.interrupted()) {
      return { ok: false, error: { code: 'interrupted', message: 'interrupted' } };
    }
    return { ok: false, error: { code: known?.code ?? 'script_failed', message } };
  }

  /** Message handler: adds the traceback, where there is more to it than the line itself. */
  #onError(L: LuaState, interactive: boolean): number {
    const message = tostring(L, 1);
    lauxlib.luaL_traceback(L, L, null, 1);
    const frames = textOf(lua.lua_tolstring(L, -1) ?? new Uint8Array())
      .split('\n')
      .slice(1)
      .filter((line) => !/^\s*\[(C|JS)\]: in \?$/.test(line));
    const told = frames.filter((line) => !/^\s*\[(C|JS)\]:/.test(line));
    const worth = told.length > 1 && !interactive;
    pushText(L, worth ? [message, 'stack traceback:', ...frames].join('\n') : message);
    return 1;
  }

  /** Calls #onHook every `count` instructions; coroutines made later inherit it. */
  #setHook(L: LuaState, count: number): void {
    lua.lua_sethook(L, (S) => this.#onHook(S), lua.LUA_MASKCOUNT, count);
  }

  #onHook(L: LuaState): void {
    this.#output.flushIfDue();
    if (!this.#exiting && !this.#options.signals.interrupted()) return;
    // At each instruction from now on: a script's pcall must not keep it alive.
    this.#setHook(this.#L, 1);
    this.#setHook(L, 1);
    pushText(L, 'interrupted');
    lua.lua_error(L);
  }

  #print(L: LuaState): number {
    const count = lua.lua_gettop(L);
    for (let index = 1; index <= count; index++) {
      if (index > 1) this.#output.write('stdout', '\t');
      this.#output.write('stdout', new Uint8Array(lauxlib.luaL_tolstring(L, index)));
      lua.lua_pop(L, 1);
    }
    this.#output.write('stdout', '\n');
    return 0;
  }

  #sleep(seconds: number): void {
    this.#output.flush();
    if (!this.#options.signals.sleep(seconds * 1e3)) {
      throw new BricksError('interrupted', 'interrupted');
    }
  }

  #end(status: number): void {
    if (this.#exiting) return;
    this.#exiting = true;
    this.#setHook(this.#L, 1);
    this.#output.flush();
    this.#options.onExit(status);
  }
}
