/** Loading script files: dofile and loadfile, and where packet-bricks' scripts are found. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LuaState } from 'fengari';
import { packageRoot } from '../native/load.ts';
import { addFunctions, textArgument } from './functions.ts';
import { lauxlib, lua, to_luastring } from './interpreter.ts';
import { systemFault } from './system-error.ts';
import { pushText } from './values.ts';

const installed = 'bricks-scripts/';

/**
 * The file that `path` means. Scripts load `prefix .. "bricks-scripts/utils.lua"`: where no such
 * file is installed it is the one of ours.
 */
export function scriptFile(path: string): string {
  if (existsSync(path)) return path;
  const at = path.lastIndexOf(installed);
  if (at < 0) return path;
  const ours = join(packageRoot(), 'scripts', path.slice(at + installed.length));
  return existsSync(ours) ? ours : path;
}

/** A script's bytes with a first line of `#!...` blanked. Throws what the system says. */
export function readScript(path: string): Uint8Array {
  const code = new Uint8Array(readFileSync(scriptFile(path)));
  if (code[0] !== 0x23) return code;
  const end = code.indexOf(0x0a);
  return end < 0 ? new Uint8Array() : code.subarray(end);
}

/** Pushes the compiled file, or nothing; returns the fault's words in that case. */
function loadFile(L: LuaState, path: string): string | undefined {
  let code: Uint8Array;
  try {
    code = readScript(path);
  } catch (error) {
    return `cannot open ${path}: ${systemFault(error).text}`;
  }
  const status = lauxlib.luaL_loadbuffer(L, code, null, to_luastring(`@${path}`));
  if (status === lua.LUA_OK) return undefined;
  const message = lua.lua_tolstring(L, -1) ?? new Uint8Array();
  lua.lua_pop(L, 1);
  return Buffer.from(message).toString('utf8');
}

function loadfile(L: LuaState): number {
  const fault = loadFile(L, textArgument(L, 1, 'loadfile'));
  if (fault !== undefined) {
    lua.lua_pushnil(L);
    pushText(L, fault);
    return 2;
  }
  if (lua.lua_type(L, 3) === lua.LUA_TTABLE) setEnvironment(L, 3);
  return 1;
}

/** Gives the chunk on top of the stack the table at `index` as its globals. */
function setEnvironment(L: LuaState, index: number): void {
  lua.lua_getglobal(L, to_luastring('setfenv'));
  lua.lua_pushvalue(L, -2);
  lua.lua_pushvalue(L, index);
  lua.lua_call(L, 2, 0);
}

function dofile(L: LuaState): number {
  const before = lua.lua_gettop(L);
  const fault = loadFile(L, textArgument(L, 1, 'dofile'));
  if (fault !== undefined) {
    pushText(L, fault);
    return lua.lua_error(L);
  }
  lua.lua_call(L, 0, lua.LUA_MULTRET);
  return lua.lua_gettop(L) - before;
}

/** Adds dofile, loadfile, `prefix`, and our scripts to package.path. */
export function openScripts(L: LuaState): void {
  lua.lua_pushglobaltable(L);
  addFunctions(L, { dofile, loadfile });
  lua.lua_pop(L, 1);
  pushText(L, join(packageRoot(), '/'));
  lua.lua_setglobal(L, to_luastring('prefix'));
  lua.lua_getglobal(L, to_luastring('package'));
  lua.lua_getfield(L, -1, to_luastring('path'));
  const path = Buffer.from(lua.lua_tolstring(L, -1) ?? []).toString('utf8');
  lua.lua_pop(L, 1);
  pushText(L, `${path};${join(packageRoot(), 'scripts', '?.lua')}`);
  lua.lua_setfield(L, -2, to_luastring('path'));
  lua.lua_pop(L, 1);
}
