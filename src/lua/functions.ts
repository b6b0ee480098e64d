/**
 * How TypeScript functions become Lua functions: reading arguments, raising errors, making tables.
 */
import type { LuaFunction, LuaState } from 'fengari';
import { lauxlib, lua, textOf, to_luastring } from './interpreter.ts';
import { pushText } from './values.ts';

export type Library = Readonly<Record<string, LuaFunction>>;

/** Raises a Lua error that begins with the line of the script that called. */
export function raise(L: LuaState, message: string): never {
  lauxlib.luaL_where(L, 1);
  const where = textOf(lua.lua_tolstring(L, -1) ?? new Uint8Array());
  pushText(L, where + message);
  return lua.lua_error(L);
}

export function argumentError(L: LuaState, index: number, name: string, what: string): never {
  return raise(L, `bad argument #${index} to '${name}' (${what})`);
}

/** Argument `index` as text; numbers count as text, as everywhere in Lua. */
export function textArgument(L: LuaState, index: number, name: string): string {
  const type = lua.lua_type(L, index);
  if (type !== lua.LUA_TSTRING && type !== lua.LUA_TNUMBER) {
    return argumentError(L, index, name, 'string expected');
  }
  lua.lua_pushvalue(L, index);
  const text = textOf(lua.lua_tolstring(L, -1) ?? new Uint8Array());
  lua.lua_pop(L, 1);
  return text;
}

/** Adds `library` to the table on top of the stack. */
export function addFunctions(L: LuaState, library: Library): void {
  for (const [name, call] of Object.entries(library)) {
    lua.lua_pushcfunction(L, call);
    lua.lua_setfield(L, -2, to_luastring(name));
  }
}

/** Adds `library` to a global table, which is made where it is missing; package.loaded knows it. */
export function extendGlobal(L: LuaState, name: string, library: Library): void {
  if (lua.lua_getglobal(L, to_luastring(name)) !== lua.LUA_TTABLE) {
    lua.lua_pop(L, 1);
    lua.lua_createtable(L, 0, 16);
    lua.lua_pushvalue(L, -1);
    lua.lua_setglobal(L, to_luastring(name));
  }
  addFunctions(L, library);
  setLoaded(L, name);
  lua.lua_pop(L, 1);
}

/** package.loaded[name] = the table on top of the stack, which stays there. */
export function setLoaded(L: LuaState, name: string): void {
  lua.lua_getglobal(L, to_luastring('package'));
  lua.lua_getfield(L, -1, to_luastring('loaded'));
  lua.lua_pushvalue(L, -3);
  lua.lua_setfield(L, -2, to_luastring(name));
  lua.lua_pop(L, 2);
}
