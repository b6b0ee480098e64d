/** Values as the shell prints them: one to a line, tables with sorted keys and a limited depth. */
import type { LuaState } from 'fengari';
import { lua, textOf } from './interpreter.ts';
import { tostring } from './values.ts';

const depthMax = 6;
const widthMax = 80;
const entriesMax = 1000;

const escapes: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '"': '\\"',
};

function quote(text: string): string {
  const body = text.replace(/[\n\r\t"\\]/g, (char) => escapes[char] ?? `\\${char}`);
  return `"${body}"`;
}

function keyText(L: LuaState, index: number): string {
  if (lua.lua_type(L, index) !== lua.LUA_TSTRING) return `[${scalar(L, index)}]`;
  const text = textOf(lua.lua_tolstring(L, index) ?? new Uint8Array());
  return /^[A-Za-z_]\w*$/.test(text) ? text : `[${quote(text)}]`;
}

function scalar(L: LuaState, index: number): string {
  if (lua.lua_type(L, index) !== lua.LUA_TSTRING) return tostring(L, index).trimEnd();
  return quote(textOf(lua.lua_tolstring(L, index) ?? new Uint8Array()));
}

interface Field {
  readonly key: string;
  readonly order: number;
  readonly value: string;
}

function byKey(first: Field, second: Field): number {
  if (first.order !== second.order) return first.order - second.order;
  return first.key < second.key ? -1 : Number(first.key > second.key);
}

function tableText(L: LuaState, index: number, depth: number, above: readonly unknown[]): string {
  const position = lua.lua_absindex(L, index);
  const length = lua.lua_rawlen(L, position);
  const fields: Field[] = [];
  let left = 0;
  lua.lua_pushnil(L);
  while (lua.lua_next(L, position) !== 0) {
    if (fields.length >= entriesMax) {
      left += 1;
    } else {
      const isNumber = lua.lua_type(L, -2) === lua.LUA_TNUMBER;
      const order = isNumber ? lua.lua_tonumber(L, -2) : Number.MAX_VALUE;
      const inList = isNumber && Number.isInteger(order) && order >= 1 && order <= length;
      const key = inList ? '' : keyText(L, -2);
      fields.push({ key, order, value: valueText(L, -1, depth + 1, above) });
    }
    lua.lua_pop(L, 1);
  }
  const items = fields
    .sort(byKey)
    .map(({ key, value }) => (key === '' ? value : `${key} = ${value}`));
  if (left > 0) items.push(`... ${left} more`);
  return braces(items, depth);
}

function braces(items: readonly string[], depth: number): string {
  if (items.length === 0) return '{}';
  const line = `{ ${items.join(', ')} }`;
  const indent = '  '.repeat(depth);
  if (indent.length + line.length <= widthMax && !line.includes('\n')) return line;
  return `{\n${items.map((item) => `${indent}  ${item},\n`).join('')}${indent}}`;
}

function valueText(L: LuaState, index: number, depth: number, above: readonly unknown[]): string {
  if (lua.lua_type(L, index) !== lua.LUA_TTABLE) return scalar(L, index);
  if (lua.lua_getmetatable(L, index)) {
    lua.lua_pop(L, 1);
    return scalar(L, index);
  }
  const identity = tostring(L, index);
  if (above.includes(identity)) return '{ ...itself... }';
  if (depth >= depthMax) return '{...}';
  return tableText(L, index, depth, [...above, identity]);
}

/** The value at `index` as text: strings as they are, tables spelled out. */
export function pretty(L: LuaState, index: number): string {
  if (lua.lua_type(L, index) === lua.LUA_TTABLE) return valueText(L, index, 0, []);
  return tostring(L, index);
}
