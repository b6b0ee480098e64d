/** The methods of an open file: `h:read("*all")`, `h:write(...)`, `h:lines()`, `h:close()`, ... */
import type { LuaState } from 'fengari';
import { LuaFile } from './file.ts';
import { argumentError, type Library, raise, textArgument } from './functions.ts';
import { lauxlib, lua, to_luastring } from './interpreter.ts';
import { pushFault } from './system-error.ts';
import { pushText } from './values.ts';

export const fileMetatable = 'bricks.file';

export function pushFile(L: LuaState, file: LuaFile): number {
  lua.lua_newuserdata(L, 0)['file'] = file;
  lua.lua_getfield(L, lua.LUA_REGISTRYINDEX, to_luastring(fileMetatable));
  lua.lua_setmetatable(L, -2);
  return 1;
}

/** The open file that is argument 1. */
export function fileAt(L: LuaState, method: string): LuaFile {
  const file = lauxlib.luaL_testudata(L, 1, to_luastring(fileMetatable))?.['file'];
  if (!(file instanceof LuaFile)) return argumentError(L, 1, method, 'FILE* expected');
  if (file.closed) return raise(L, 'attempt to use a closed file');
  return file;
}

function pushBytes(L: LuaState, bytes: Uint8Array | undefined): boolean {
  if (bytes === undefined) lua.lua_pushnil(L);
  else lua.lua_pushstring(L, new Uint8Array(bytes));
  return bytes !== undefined;
}

/** Reads one format and pushes the result; false at the end of the file. */
function readOne(L: LuaState, file: LuaFile, index: number): boolean {
  if (lua.lua_type(L, index) === lua.LUA_TNUMBER) {
    return pushBytes(L, file.readBytes(lua.lua_tonumber(L, index)));
  }
  const format = textArgument(L, index, 'read').replace(/^\*/, '').charAt(0);
  switch (format) {
    case 'l':
    case 'L':
      return pushBytes(L, file.readLine(format === 'L'));
    case 'a':
      return pushBytes(L, file.readAll());
    case 'n': {
      const number = file.readNumber();
      if (number === undefined) lua.lua_pushnil(L);
      else lua.lua_pushnumber(L, number);
      return number !== undefined;
    }
    default:
      return argumentError(L, index, 'read', 'invalid format; "*l", "*L", "*n", "*a" or a count');
  }
}

/** Reads by the formats from argument `first` on (none: a line); stops at the first that fails. */
export function readFormats(L: LuaState, file: LuaFile, first: number): number {
  if (file.closed) return raise(L, 'standard input file is closed');
  const last = lua.lua_gettop(L);
  let failed: unknown;
  let count = 0;
  try {
    if (last < first) {
      pushBytes(L, file.readLine(false));
      return 1;
    }
    for (let index = first; index <= last; index++) {
      count += 1;
      if (!readOne(L, file, index)) break;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException)?.errno === undefined) throw error;
    failed = error;
  }
  return failed === undefined ? count : pushFault(L, undefined, failed);
}

/** Writes arguments from `first` on; returns the file, so that calls chain. */
export function writeArguments(L: LuaState, file: LuaFile, first: number): number {
  if (file.closed) return raise(L, 'standard output file is closed');
  const last = lua.lua_gettop(L);
  for (let index = first; index <= last; index++) {
    const type = lua.lua_type(L, index);
    if (type !== lua.LUA_TSTRING && type !== lua.LUA_TNUMBER) {
      return argumentError(L, index - first + 1, 'write', 'string expected');
    }
    lua.lua_pushvalue(L, index);
    const data = lua.lua_tolstring(L, -1) ?? new Uint8Array();
    lua.lua_pop(L, 1);
    let failed: unknown;
    try {
      file.write(data);
    } catch (error) {
      failed = error;
    }
    if (failed !== undefined) return pushFault(L, undefined, failed);
  }
  return pushFile(L, file);
}

function file_close(L: LuaState): number {
  const file = fileAt(L, 'close');
  if (file.standard) {
    lua.lua_pushnil(L);
    pushText(L, 'cannot close standard file');
    return 2;
  }
  let extra: readonly (string | number)[];
  try {
    extra = file.close();
  } catch (error) {
    return pushFault(L, undefined, error);
  }
  lua.lua_pushboolean(L, true);
  for (const value of extra) {
    if (typeof value === 'string') pushText(L, value);
    else lua.lua_pushnumber(L, value);
  }
  return 1 + extra.length;
}

function file_lines(L: LuaState): number {
  const file = fileAt(L, 'lines');
  lua.lua_pushcfunction(L, (inner) => {
    if (file.closed) return raise(inner, 'file is already closed');
    pushBytes(inner, file.readLine(false));
    return 1;
  });
  return 1;
}

function file_seek(L: LuaState): number {
  const file = fileAt(L, 'seek');
  const whence = lua.lua_isnoneornil(L, 2) ? 'cur' : textArgument(L, 2, 'seek');
  if (whence !== 'set' && whence !== 'cur' && whence !== 'end') {
    return argumentError(L, 2, 'seek', 'invalid whence; "set", "cur" or "end"');
  }
  const offset = lua.lua_isnoneornil(L, 3) ? 0 : lua.lua_tonumber(L, 3);
  let position: number;
  try {
    position = file.seek(whence, offset);
  } catch (error) {
    return pushFault(L, undefined, error);
  }
  lua.lua_pushnumber(L, position);
  return 1;
}

function file_tostring(L: LuaState): number {
  const file = lauxlib.luaL_checkudata(L, 1, to_luastring(fileMetatable))['file'];
  pushText(L, file instanceof LuaFile && file.closed ? 'file (closed)' : 'file (open)');
  return 1;
}

export const fileMethods: Library = {
  read: (L) => readFormats(L, fileAt(L, 'read'), 2),
  write: (L) => writeArguments(L, fileAt(L, 'write'), 2),
  close: file_close,
  lines: file_lines,
  seek: file_seek,
  setvbuf: (L) => {
    fileAt(L, 'setvbuf');
    lua.lua_pushboolean(L, true);
    return 1;
  },
  flush: (L) => {
    const file = fileAt(L, 'flush');
    file.channel.flush?.();
    return pushFile(L, file);
  },
  __tostring: file_tostring,
};
