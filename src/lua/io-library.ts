/** Lua's io library in full; fengari has but a part of it. */
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LuaState } from 'fengari';
import { CommandInput, CommandOutput, InputChannel, OutputChannel } from './channels.ts';
import { DescriptorChannel, LuaFile } from './file.ts';
import {
  fileAt,
  fileMetatable,
  fileMethods,
  pushFile,
  readFormats,
  writeArguments,
} from './file-methods.ts';
import { addFunctions, argumentError, raise, setLoaded, textArgument } from './functions.ts';
import { lauxlib, lua, to_luastring } from './interpreter.ts';
import type { Output } from './output.ts';
import { pushFault, systemFault } from './system-error.ts';
import { pushText } from './values.ts';

/** The default files of io.read and io.write. */
interface Defaults {
  input: LuaFile;
  output: LuaFile;
}

function openFile(path: string, mode: string): LuaFile {
  const flags = mode.replace('b', '');
  return new LuaFile(new DescriptorChannel(openSync(path, flags), flags.startsWith('a')));
}

function io_open(L: LuaState): number {
  const path = textArgument(L, 1, 'open');
  const mode = lua.lua_isnoneornil(L, 2) ? 'r' : textArgument(L, 2, 'open');
  if (!/^[rwa](\+?b?|b\+)$/.test(mode)) {
    return argumentError(
      L,
      2,
      'open',
      `invalid mode '${mode}'; r, w, a, r+, w+, a+, with b or not`,
    );
  }
  let file: LuaFile;
  try {
    file = openFile(path, mode);
  } catch (error) {
    return pushFault(L, path, error);
  }
  return pushFile(L, file);
}

/** A file that has no name any more, as C's tmpfile() makes. */
function io_tmpfile(L: LuaState): number {
  const folder = mkdtempSync(join(tmpdir(), 'lua-'));
  const file = openFile(join(folder, 'file'), 'w+');
  rmSync(folder, { recursive: true });
  return pushFile(L, file);
}

function io_type(L: LuaState): number {
  const file = lauxlib.luaL_testudata(L, 1, to_luastring(fileMetatable))?.['file'];
  if (file instanceof LuaFile) pushText(L, file.closed ? 'closed file' : 'file');
  else lua.lua_pushnil(L);
  return 1;
}

/** io.input and io.output: sets the default file by handle or name, returns it. */
function setDefault(L: LuaState, defaults: Defaults, which: keyof Defaults): number {
  const mode = which === 'input' ? 'r' : 'w';
  if (lua.lua_type(L, 1) === lua.LUA_TSTRING) {
    const path = textArgument(L, 1, which);
    let failed: unknown;
    try {
      defaults[which] = openFile(path, mode);
    } catch (error) {
      failed = error;
    }
    if (failed !== undefined) return raise(L, `${path}: ${systemFault(failed).text}`);
  } else if (!lua.lua_isnoneornil(L, 1)) {
    defaults[which] = fileAt(L, which);
  }
  return pushFile(L, defaults[which]);
}

/** io.lines(name): a file of its own, closed at its end. Without a name: the default input. */
function io_lines(L: LuaState, defaults: Defaults): number {
  let file = defaults.input;
  const named = !lua.lua_isnoneornil(L, 1);
  if (named) {
    const path = textArgument(L, 1, 'lines');
    let failed: unknown;
    try {
      file = openFile(path, 'r');
    } catch (error) {
      failed = error;
    }
    if (failed !== undefined) return raise(L, `${path}: ${systemFault(failed).text}`);
  }
  lua.lua_pushcfunction(L, (inner) => {
    if (file.closed) return raise(inner, 'file is already closed');
    const line = file.readLine(false);
    if (line === undefined) {
      if (named) file.close();
      lua.lua_pushnil(inner);
    } else {
      lua.lua_pushstring(inner, new Uint8Array(line));
    }
    return 1;
  });
  return 1;
}

function io_popen(L: LuaState, output: Output): number {
  const command = textArgument(L, 1, 'popen');
  const mode = lua.lua_isnoneornil(L, 2) ? 'r' : textArgument(L, 2, 'popen');
  if (mode === 'r') return pushFile(L, new LuaFile(new CommandOutput(command, output)));
  if (mode === 'w') return pushFile(L, new LuaFile(new CommandInput(command, output)));
  return argumentError(L, 2, 'popen', `invalid mode '${mode}'; "r" or "w"`);
}

/** Replaces the global `io`; `output` is where stdout and stderr go. */
export function openIo(L: LuaState, output: Output): void {
  const stdin = new LuaFile(new InputChannel(output), true);
  const stdout = new LuaFile(new OutputChannel(output, 'stdout'), true);
  const stderr = new LuaFile(new OutputChannel(output, 'stderr'), true);
  const defaults: Defaults = { input: stdin, output: stdout };
  lauxlib.luaL_newmetatable(L, to_luastring(fileMetatable));
  addFunctions(L, fileMethods);
  lua.lua_pushvalue(L, -1);
  lua.lua_setfield(L, -2, to_luastring('__index'));
  pushText(L, 'FILE*');
  lua.lua_setfield(L, -2, to_luastring('__name'));
  lua.lua_pop(L, 1);

  lua.lua_createtable(L, 0, 16);
  addFunctions(L, {
    open: io_open,
    tmpfile: io_tmpfile,
    type: io_type,
    popen: (S) => io_popen(S, output),
    lines: (S) => io_lines(S, defaults),
    input: (S) => setDefault(S, defaults, 'input'),
    output: (S) => setDefault(S, defaults, 'output'),
    read: (S) => readFormats(S, defaults.input, 1),
    write: (S) => writeArguments(S, defaults.output, 1),
    flush: (S) => {
      defaults.output.channel.flush?.();
      return pushFile(S, defaults.output);
    },
    close: (S) => {
      if (lua.lua_gettop(S) === 0) pushFile(S, defaults.output);
      const close = fileMethods['close'];
      return close === undefined ? 0 : close(S);
    },
  });
  for (const [name, file] of Object.entries({ stdin, stdout, stderr })) {
    pushFile(L, file);
    lua.lua_setfield(L, -2, to_luastring(name));
  }
  lua.lua_pushvalue(L, -1);
  lua.lua_setglobal(L, to_luastring('io'));
  setLoaded(L, 'io');
  lua.lua_pop(L, 1);
}
