/** Values between Lua and TypeScript: what the API takes and returns. */
import type { LuaState } from 'fengari';
import type { Brick } from '../flow/brick.ts';
import { lauxlib, lua, textOf, to_luastring } from './interpreter.ts';

/** What a script holds of an engine: its name; the engine may come and go. */
export class EngineHandle {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

export class BrickHandle {
  readonly brick: Brick;

  constructor(brick: Brick) {
    this.brick = brick;
  }
}

/** A table as an argument: its list part and its named fields. */
export class TableValue {
  readonly list: LuaValue[] = [];
  readonly fields = new Map<string, LuaValue>();
}

/** Something that the API has no use for: a function, a coroutine, another library's userdata. */
export class ForeignValue {
  readonly type: string;

  constructor(type: string) {
    this.type = type;
  }
}

export type LuaValue =
  | undefined
  | boolean
  | number
  | string
  | EngineHandle
  | BrickHandle
  | TableValue
  | ForeignValue;

/** What API functions return; arrays and objects become new tables. */
export type Result =
  | undefined
  | null
  | boolean
  | number
  | string
  | EngineHandle
  | BrickHandle
  | readonly Result[]
  | { readonly [key: string]: Result };

export const metatableOf = { engine: 'PktEngine', brick: 'Brick' } as const;

/** Brick.new{ plugins = { { options = { rules = { ... } } } } } is five tables deep. */
const depthMax = 5;
const entriesMax = 1048576;

/** How Lua would name its type. */
export function typeName(value: LuaValue): string {
  if (value === undefined) return 'nothing';
  if (value instanceof EngineHandle) return 'an engine';
  if (value instanceof BrickHandle) return 'a brick';
  if (value instanceof TableValue) return 'a table';
  if (value instanceof ForeignValue) return `a ${value.type}`;
  return typeof value === 'string' ? `the text "${value}"` : String(value);
}

function handleAt(L: LuaState, index: number): EngineHandle | BrickHandle | undefined {
  const data = lua.lua_touserdata(L, index) as { handle?: unknown } | null;
  const handle = data?.handle;
  return handle instanceof EngineHandle || handle instanceof BrickHandle ? handle : undefined;
}

/** Reads the value at `index` without changing the stack. */
export function readValue(L: LuaState, index: number, depth = 0): LuaValue {
  const type = lua.lua_type(L, index);
  switch (type) {
    case lua.LUA_TNONE:
    case lua.LUA_TNIL:
      return undefined;
    case lua.LUA_TBOOLEAN:
      return lua.lua_toboolean(L, index);
    case lua.LUA_TNUMBER:
      return lua.lua_tonumber(L, index);
    case lua.LUA_TSTRING:
      return textOf(lua.lua_tolstring(L, index) ?? new Uint8Array());
    case lua.LUA_TTABLE:
      return depth < depthMax ? readTable(L, index, depth) : new ForeignValue('table in a table');
    case lua.LUA_TFUNCTION:
      return new ForeignValue('function');
    default:
      return handleAt(L, index) ?? new ForeignValue('userdata');
  }
}

function readTable(L: LuaState, index: number, depth: number): TableValue {
  const table = new TableValue();
  const position = lua.lua_absindex(L, index);
  const count = Math.min(lua.lua_rawlen(L, position), entriesMax);
  for (let i = 1; i <= count; i++) {
    lua.lua_rawgeti(L, position, i);
    table.list.push(readValue(L, -1, depth + 1));
    lua.lua_pop(L, 1);
  }
  lua.lua_pushnil(L);
  while (lua.lua_next(L, position) !== 0) {
    if (lua.lua_type(L, -2) === lua.LUA_TSTRING && table.fields.size < entriesMax) {
      table.fields.set(String(readValue(L, -2)), readValue(L, -1, depth + 1));
    }
    lua.lua_pop(L, 1);
  }
  return table;
}

export function pushText(L: LuaState, text: string): void {
  lua.lua_pushstring(L, to_luastring(text));
}

/** Pushes a value of ours; a handle becomes new userdata with its class's metatable. */
export function pushResult(L: LuaState, value: Result): void {
  if (value === undefined || value === null) lua.lua_pushnil(L);
  else if (typeof value === 'boolean') lua.lua_pushboolean(L, value);
  else if (typeof value === 'number') lua.lua_pushnumber(L, value);
  else if (typeof value === 'string') pushText(L, value);
  else if (value instanceof EngineHandle) pushHandle(L, value, metatableOf.engine);
  else if (value instanceof BrickHandle) pushHandle(L, value, metatableOf.brick);
  else if (Array.isArray(value)) {
    lua.lua_createtable(L, value.length, 0);
    value.forEach((entry: Result, i) => {
      pushResult(L, entry);
      lua.lua_rawseti(L, -2, i + 1);
    });
  } else {
    lua.lua_createtable(L, 0, 8);
    for (const [key, entry] of Object.entries(value)) {
      pushText(L, key);
      pushResult(L, entry);
      lua.lua_rawset(L, -3);
    }
  }
}

function pushHandle(L: LuaState, handle: EngineHandle | BrickHandle, metatable: string): void {
  lua.lua_newuserdata(L, 0)['handle'] = handle;
  lua.lua_getfield(L, lua.LUA_REGISTRYINDEX, to_luastring(metatable));
  lua.lua_setmetatable(L, -2);
}

/** tostring() of the value at `index`, __tostring included. */
export function tostring(L: LuaState, index: number): string {
  const text = textOf(lauxlib.luaL_tolstring(L, index));
  lua.lua_pop(L, 1);
  return text;
}
