/** Completion: what the last word of a line can become. */
import type { LuaState } from 'fengari';
import type { ApiContext } from './api.ts';
import { fileCandidates } from './complete-files.ts';
import { apiClasses } from './install.ts';
import { lua, to_luastring } from './interpreter.ts';
import { BrickHandle, EngineHandle, readValue } from './values.ts';

const keywords = [
  ...[
    'and',
    'break',
    'do',
    'else',
    'elseif',
    'end',
    'false',
    'for',
    'function',
    'goto',
    'if',
    'in',
  ],
  ...['local', 'nil', 'not', 'or', 'repeat', 'return', 'then', 'true', 'until', 'while'],
];

/** Names of the string keys of the table at the top of the stack. */
function keysOf(L: LuaState): string[] {
  const keys: string[] = [];
  lua.lua_pushnil(L);
  while (lua.lua_next(L, -2) !== 0) {
    const key = lua.lua_type(L, -2) === lua.LUA_TSTRING ? String(readValue(L, -2)) : '';
    if (/^[A-Za-z_]\w*$/.test(key)) keys.push(key);
    lua.lua_pop(L, 1);
  }
  return keys;
}

/** Fields of what `path` (`a.b.c`) names, without calling anything of the script's. */
function fieldsOf(L: LuaState, path: readonly string[], colon: boolean): string[] {
  const top = lua.lua_gettop(L);
  lua.lua_pushglobaltable(L);
  for (const name of path) {
    if (lua.lua_type(L, -1) !== lua.LUA_TTABLE) break;
    lua.lua_pushvalue(L, -1);
    lua.lua_pushnil(L);
    lua.lua_pop(L, 1);
    lua.lua_pushstring(L, to_luastring(name));
    lua.lua_rawget(L, -2);
  }
  const fields = fieldsOfTop(L, colon);
  lua.lua_settop(L, top);
  return fields;
}

function fieldsOfTop(L: LuaState, colon: boolean): string[] {
  if (lua.lua_type(L, -1) === lua.LUA_TTABLE) return keysOf(L);
  const value = readValue(L, -1);
  const name =
    value instanceof EngineHandle
      ? 'PktEngine'
      : value instanceof BrickHandle
        ? 'Brick'
        : undefined;
  if (name !== undefined) {
    const methods = apiClasses.find((api) => api.name === name)?.methods.map((entry) => entry.name);
    return methods ?? [];
  }
  if (typeof value === 'string' && colon) {
    lua.lua_getglobal(L, to_luastring('string'));
    return keysOf(L);
  }
  return [];
}

/**
 * Text inside quotes: brick kinds after Brick.new( and help(, engines after retrieve(, files where
 * Lua opens one, else ports, captures among them.
 */
function wordsInQuotes(context: ApiContext, before: string, word: string): string[] {
  if (/Brick\.(new|help)\s*\(?\s*$/.test(before)) return [...context.rules.kinds.keys()];
  if (/PktEngine\.(new|retrieve)\s*\(?\s*$/.test(before)) return context.registry.names();
  if (/\b(dofile|loadfile|io\.(open|lines|input|output))\s*\(?\s*$/.test(before)) {
    return fileCandidates(word);
  }
  if (word.startsWith('pcap:')) {
    return fileCandidates(word.slice('pcap:'.length)).map((file) => `pcap:${file}`);
  }
  if (word.includes('/')) return fileCandidates(word);
  const ports = new Set([...context.rules.schemes].map((scheme) => `${scheme}:`));
  for (const engine of context.engines.snapshot()) {
    for (const { name } of engine.inputs) ports.add(name);
    for (const { name } of engine.outputs) {
      ports.add(name);
      ports.add(context.rules.flip(name));
    }
  }
  return [...ports];
}

/** Whole lines that `line` can become, sorted. */
export function candidates(L: LuaState, context: ApiContext, line: string): string[] {
  const quoted = /^(.*?)(["'])([^"']*)$/s.exec(stripStrings(line));
  const found = quoted === null ? nameCandidates(L, line) : quotedCandidates(context, line, quoted);
  return [...new Set(found)].sort();
}

/** The line with its closed strings blanked, so that an open quote is the only one left. */
function stripStrings(line: string): string {
  return line.replace(/(["'])(?:(?!\1).)*\1/g, (text) => '_'.repeat(text.length));
}

function quotedCandidates(context: ApiContext, line: string, match: RegExpExecArray): string[] {
  const start = (match[1] ?? '').length + 1;
  const word = line.slice(start);
  return wordsInQuotes(context, line.slice(0, start - 1), word)
    .filter((candidate) => candidate.startsWith(word))
    .map((candidate) => line.slice(0, start) + candidate);
}

function nameCandidates(L: LuaState, line: string): string[] {
  const match = /((?:[A-Za-z_]\w*\s*[.:]\s*)*)([A-Za-z_]\w*)?$/.exec(line);
  const path = (match?.[1] ?? '').split(/\s*[.:]\s*/).filter((name) => name !== '');
  const word = match?.[2] ?? '';
  const head = line.slice(0, line.length - word.length);
  if (path.length === 0 && /[.:]\s*$/.test(head)) return [];
  const colon = /:\s*$/.test(match?.[1] ?? '');
  const names = fieldsOf(L, path, colon).concat(path.length === 0 ? keywords : []);
  return names.filter((name) => name.startsWith(word)).map((name) => head + name);
}
