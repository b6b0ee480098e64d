/**
 * The part of fengari's C-like interface that we use. Strings are bytes; stack slots count from 1.
 */
declare module 'fengari' {
  export type LuaString = Uint8Array;
  export interface LuaState {
    readonly __luaState: never;
  }
  export type LuaFunction = (L: LuaState) => number;
  export interface LuaDebug {
    event: number;
  }
  export interface Userdata {
    [field: string]: unknown;
  }

  export function to_luastring(text: string): LuaString;

  export const lua: {
    readonly LUA_OK: number;
    readonly LUA_YIELD: number;
    readonly LUA_ERRSYNTAX: number;
    readonly LUA_MULTRET: number;
    readonly LUA_REGISTRYINDEX: number;
    readonly LUA_MASKCOUNT: number;
    readonly LUA_TNONE: number;
    readonly LUA_TNIL: number;
    readonly LUA_TBOOLEAN: number;
    readonly LUA_TNUMBER: number;
    readonly LUA_TSTRING: number;
    readonly LUA_TTABLE: number;
    readonly LUA_TFUNCTION: number;
    readonly LUA_TUSERDATA: number;
    lua_absindex(L: LuaState, index: number): number;
    lua_atnativeerror(L: LuaState, handler: LuaFunction): void;
    lua_call(L: LuaState, args: number, results: number): void;
    lua_createtable(L: LuaState, array: number, fields: number): void;
    lua_error(L: LuaState): never;
    lua_getfield(L: LuaState, index: number, key: LuaString): number;
    lua_getglobal(L: LuaState, name: LuaString): number;
    lua_getmetatable(L: LuaState, index: number): boolean;
    lua_gettop(L: LuaState): number;
    lua_insert(L: LuaState, index: number): void;
    /** Numbers, and text that is a numeral. */
    lua_isnumber(L: LuaState, index: number): boolean | number;
    lua_isnoneornil(L: LuaState, index: number): boolean;
    lua_next(L: LuaState, index: number): number;
    lua_pcall(L: LuaState, args: number, results: number, handler: number): number;
    lua_pop(L: LuaState, count: number): void;
    lua_pushboolean(L: LuaState, value: boolean): void;
    lua_pushcfunction(L: LuaState, call: LuaFunction): void;
    lua_pushglobaltable(L: LuaState): void;
    lua_pushinteger(L: LuaState, value: number): void;
    lua_pushnil(L: LuaState): void;
    lua_pushnumber(L: LuaState, value: number): void;
    lua_pushstring(L: LuaState, value: LuaString): void;
    lua_pushvalue(L: LuaState, index: number): void;
    lua_rawequal(L: LuaState, first: number, second: number): number | boolean;
    lua_rawget(L: LuaState, index: number): number;
    lua_rawgeti(L: LuaState, index: number, key: number): number;
    lua_rawlen(L: LuaState, index: number): number;
    lua_rawset(L: LuaState, index: number): void;
    lua_rawseti(L: LuaState, index: number, key: number): void;
    lua_remove(L: LuaState, index: number): void;
    lua_setfield(L: LuaState, index: number, key: LuaString): void;
    lua_setglobal(L: LuaState, name: LuaString): void;
    lua_sethook(
      L: LuaState,
      hook: ((L: LuaState, event: LuaDebug) => void) | null,
      mask: number,
      count: number,
    ): void;
    lua_setmetatable(L: LuaState, index: number): void;
    lua_settop(L: LuaState, index: number): void;
    lua_toboolean(L: LuaState, index: number): boolean;
    lua_tonumber(L: LuaState, index: number): number;
    lua_tolstring(L: LuaState, index: number): LuaString | null;
    lua_touserdata(L: LuaState, index: number): unknown;
    lua_type(L: LuaState, index: number): number;
    lua_upvalueindex(index: number): number;
    lua_newuserdata(L: LuaState, size: number): Userdata;
  };

  export const lauxlib: {
    luaL_checkudata(L: LuaState, index: number, type: LuaString): Userdata;
    luaL_loadbuffer(L: LuaState, code: LuaString, size: number | null, name: LuaString): number;
    luaL_newmetatable(L: LuaState, name: LuaString): number | boolean;
    luaL_newstate(): LuaState;
    luaL_ref(L: LuaState, table: number): number;
    luaL_testudata(L: LuaState, index: number, type: LuaString): Userdata | null;
    luaL_tolstring(L: LuaState, index: number): LuaString;
    luaL_traceback(L: LuaState, from: LuaState, message: LuaString | null, level: number): void;
    luaL_where(L: LuaState, level: number): void;
  };

  export const lualib: {
    luaL_openlibs(L: LuaState): void;
  };
}
