/** Puts the table into a Lua state: global classes, handles with metatables, arguments checked. */
import type { LuaFunction, LuaState } from 'fengari';
import { BricksError } from '../errors.ts';
import {
  type ApiClass,
  type ApiContext,
  chained,
  type HandleMethod,
  type StaticMethod,
} from './api.ts';
import { brickClass } from './api-brick.ts';
import { bricksClass } from './api-bricks.ts';
import { engineClass } from './api-engine.ts';
import { checkArguments } from './arguments.ts';
import { raise, setLoaded } from './functions.ts';
import { handleName } from './help.ts';
import { lauxlib, lua, to_luastring } from './interpreter.ts';
import {
  BrickHandle,
  EngineHandle,
  type LuaValue,
  pushResult,
  pushText,
  readValue,
  typeName,
} from './values.ts';

/** In packet-bricks' order. */
export const apiClasses: readonly ApiClass[] = [bricksClass, engineClass, brickClass];

/** Told of each error raised, so that its code is known when the script ends with it. */
export type OnRaise = (error: BricksError) => void;

type Call = () => ReturnType<StaticMethod['call']> | typeof chained;

function readArguments(L: LuaState, from: number): LuaValue[] {
  const values: LuaValue[] = [];
  for (let index = from; index <= lua.lua_gettop(L); index++) values.push(readValue(L, index));
  return values;
}

/**
 * Runs TypeScript for Lua: results pushed, our errors raised; nothing is thrown across Lua frames.
 */
function answer(L: LuaState, onRaise: OnRaise, call: Call): number {
  let result: ReturnType<Call>;
  try {
    result = call();
  } catch (error) {
    if (!(error instanceof BricksError)) throw error;
    onRaise(error);
    return raise(L, error.message);
  }
  if (result === chained) lua.lua_pushvalue(L, 1);
  else if (result === undefined) return 0;
  else pushResult(L, result);
  return 1;
}

function classKey(api: ApiClass): Uint8Array {
  return to_luastring(`bricks.class.${api.name}`);
}

function staticFunction(
  context: ApiContext,
  onRaise: OnRaise,
  api: ApiClass,
  method: StaticMethod,
): LuaFunction {
  return (L) => {
    // BRICKS:help() passes the class itself first.
    lua.lua_getfield(L, lua.LUA_REGISTRYINDEX, classKey(api));
    const isClass = lua.lua_gettop(L) > 1 && Boolean(lua.lua_rawequal(L, 1, -1));
    lua.lua_pop(L, 1);
    const values = readArguments(L, isClass ? 2 : 1);
    return answer(L, onRaise, () =>
      method.call(context, checkArguments(`${api.name}.${method.name}`, method, values)),
    );
  };
}

function selfOf(api: ApiClass, name: string, value: LuaValue): EngineHandle | BrickHandle {
  const isOwn =
    api.name === 'PktEngine' ? value instanceof EngineHandle : value instanceof BrickHandle;
  if (isOwn) return value as EngineHandle | BrickHandle;
  const call = `${handleName[api.name]}:${name}`;
  const what = api.name === 'PktEngine' ? 'an engine' : 'a brick';
  throw new BricksError(
    'invalid_argument',
    `${call} must be called on ${what}, with a colon: ${call}(...); got ${typeName(value)}`,
  );
}

function handleMethod(
  context: ApiContext,
  onRaise: OnRaise,
  api: ApiClass,
  method: ApiClass['methods'][number],
): LuaFunction {
  return (L) => {
    const values = readArguments(L, 1);
    return answer(L, onRaise, () => {
      const self = selfOf(api, method.name, values[0]);
      const call = `${handleName[api.name]}:${method.name}`;
      const args = checkArguments(call, method, values.slice(1));
      if (self instanceof EngineHandle) {
        return (method as HandleMethod<EngineHandle>).call(context, self, args);
      }
      return (method as HandleMethod<typeof self.brick>).call(context, self.brick, args);
    });
  };
}

function installClass(L: LuaState, context: ApiContext, onRaise: OnRaise, api: ApiClass): void {
  lua.lua_createtable(L, 0, 16);
  for (const method of api.statics) {
    lua.lua_pushcfunction(L, staticFunction(context, onRaise, api, method));
    lua.lua_setfield(L, -2, to_luastring(method.name));
  }
  for (const method of api.methods) {
    lua.lua_pushcfunction(L, handleMethod(context, onRaise, api, method));
    lua.lua_setfield(L, -2, to_luastring(method.name));
  }
  for (const [name, value] of Object.entries(api.fields)) {
    pushText(L, value);
    lua.lua_setfield(L, -2, to_luastring(name));
  }
  lua.lua_pushvalue(L, -1);
  lua.lua_setglobal(L, to_luastring(api.name));
  // Scripts may do to the globals what they like; handles keep their class.
  lua.lua_pushvalue(L, -1);
  lua.lua_setfield(L, lua.LUA_REGISTRYINDEX, classKey(api));
  setLoaded(L, api.name);
  if (api.methods.length > 0) makeMetatable(L, context, api);
  lua.lua_pop(L, 1);
}

/**
 * The class is on top of the stack. getmetatable(handle) is the class, as it was in packet-bricks.
 */
function makeMetatable(L: LuaState, context: ApiContext, api: ApiClass): void {
  lauxlib.luaL_newmetatable(L, to_luastring(api.name));
  lua.lua_pushcfunction(L, indexFunction(api));
  lua.lua_setfield(L, -2, to_luastring('__index'));
  lua.lua_pushvalue(L, -2);
  lua.lua_setfield(L, -2, to_luastring('__metatable'));
  lua.lua_pushcfunction(L, (S) => {
    pushText(S, describe(context, readValue(S, 1)));
    return 1;
  });
  lua.lua_setfield(L, -2, to_luastring('__tostring'));
  lua.lua_pushcfunction(L, (S) => {
    lua.lua_pushboolean(S, sameThing(readValue(S, 1), readValue(S, 2)));
    return 1;
  });
  lua.lua_setfield(L, -2, to_luastring('__eq'));
  lua.lua_pop(L, 1);
}

/** Methods come from the class; `pe.show_stats()`, with a dot, is bound to its engine. */
function indexFunction(api: ApiClass): LuaFunction {
  return (L) => {
    lua.lua_getfield(L, lua.LUA_REGISTRYINDEX, classKey(api));
    lua.lua_pushvalue(L, 2);
    lua.lua_rawget(L, -2);
    if (readValue(L, 2) !== 'show_stats' || lua.lua_type(L, -1) !== lua.LUA_TFUNCTION) return 1;
    const self = readValue(L, 1);
    if (!(self instanceof EngineHandle)) return 1;
    lua.lua_pushcfunction(L, (S) => {
      const passed = readValue(S, 1);
      lua.lua_settop(S, 0);
      lua.lua_getfield(S, lua.LUA_REGISTRYINDEX, classKey(api));
      lua.lua_getfield(S, -1, to_luastring('show_stats'));
      pushResult(S, passed instanceof EngineHandle ? passed : self);
      lua.lua_call(S, 1, 1);
      return 1;
    });
    return 1;
  };
}

/** tostring(handle), in packet-bricks' words. */
function describe(context: ApiContext, value: LuaValue): string {
  if (value instanceof EngineHandle) {
    const { registry } = context;
    const batch = registry.has(value.name) ? registry.snapshot(value.name).batch : 0;
    return `PktEngine:\n\tName: ${value.name}\n\tType: netmap\n\tBatch: ${batch}\n`;
  }
  if (value instanceof BrickHandle) {
    return `${value.brick.kind}:\n\tSource: ${value.brick.inputs[0] ?? ''}\n`;
  }
  return typeName(value);
}

function sameThing(first: LuaValue, second: LuaValue): boolean {
  if (first instanceof EngineHandle && second instanceof EngineHandle) {
    return first.name === second.name;
  }
  return (
    first instanceof BrickHandle && second instanceof BrickHandle && first.brick === second.brick
  );
}

export function installApi(L: LuaState, context: ApiContext, onRaise: OnRaise): void {
  for (const api of apiClasses) installClass(L, context, onRaise, api);
}
