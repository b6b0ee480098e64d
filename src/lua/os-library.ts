/**
 * The parts of Lua's os library where fengari is missing something or Lua 5.1 answers otherwise.
 */
import { renameSync, rmdirSync, statSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LuaState } from 'fengari';
import { runCommand } from './channels.ts';
import { argumentError, extendGlobal, textArgument } from './functions.ts';
import { lua } from './interpreter.ts';
import type { Output } from './output.ts';
import { pushFault } from './system-error.ts';
import { pushText } from './values.ts';

/** Ends the program with a status; does not return. */
export type Exit = (L: LuaState, status: number) => never;

function os_exit(L: LuaState, exit: Exit): number {
  const type = lua.lua_type(L, 1);
  if (lua.lua_isnoneornil(L, 1)) return exit(L, 0);
  if (type === lua.LUA_TBOOLEAN) return exit(L, lua.lua_toboolean(L, 1) ? 0 : 1);
  const status = Number(textArgument(L, 1, 'exit'));
  if (!Number.isFinite(status)) return argumentError(L, 1, 'exit', 'a number or boolean expected');
  // A status is one byte: -1 is 255.
  return exit(L, Math.trunc(status) & 0xff);
}

/** Lua 5.1's answer: the exit status alone, 0 for success. Without a command: a shell is there. */
function os_execute(L: LuaState, output: Output): number {
  if (lua.lua_isnoneornil(L, 1)) {
    lua.lua_pushnumber(L, 1);
    return 1;
  }
  const result = runCommand(textArgument(L, 1, 'execute'), output, undefined);
  output.write('stdout', result.stdout);
  lua.lua_pushnumber(L, result.status);
  return 1;
}

/** CPU seconds of the whole process, engine threads included. */
function os_clock(L: LuaState): number {
  const { user, system } = process.cpuUsage();
  lua.lua_pushnumber(L, (user + system) / 1e6);
  return 1;
}

function os_getenv(L: LuaState): number {
  const value = process.env[textArgument(L, 1, 'getenv')];
  if (value === undefined) lua.lua_pushnil(L);
  else pushText(L, value);
  return 1;
}

function attempt(L: LuaState, what: string, action: () => void): number {
  try {
    action();
  } catch (error) {
    return pushFault(L, what, error);
  }
  lua.lua_pushboolean(L, true);
  return 1;
}

function os_remove(L: LuaState): number {
  const path = textArgument(L, 1, 'remove');
  return attempt(L, path, () => {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) rmdirSync(path);
    else unlinkSync(path);
  });
}

function os_rename(L: LuaState): number {
  const from = textArgument(L, 1, 'rename');
  const to = textArgument(L, 2, 'rename');
  return attempt(L, from, () => renameSync(from, to));
}

let temporaryNames = 0;

function os_tmpname(L: LuaState): number {
  temporaryNames += 1;
  const name = `lua_${process.pid}_${Date.now().toString(36)}_${temporaryNames}`;
  pushText(L, join(tmpdir(), name));
  return 1;
}

/** Seconds that local time is behind UTC at a time; the prelude makes os.date("!...") of it. */
function os_utc_offset(L: LuaState): number {
  lua.lua_pushnumber(L, new Date(lua.lua_tonumber(L, 1) * 1000).getTimezoneOffset() * 60);
  return 1;
}

/** For the prelude's collectgarbage("count"): JavaScript's heap, where Lua's values are. */
function os_heap_kilobytes(L: LuaState): number {
  lua.lua_pushnumber(L, process.memoryUsage().heapUsed / 1024);
  return 1;
}

export function openOs(L: LuaState, output: Output, exit: Exit): void {
  extendGlobal(L, 'os', {
    clock: os_clock,
    execute: (S) => os_execute(S, output),
    exit: (S) => os_exit(S, exit),
    getenv: os_getenv,
    remove: os_remove,
    rename: os_rename,
    tmpname: os_tmpname,
    utc_offset: os_utc_offset,
    heap_kilobytes: os_heap_kilobytes,
  });
}
