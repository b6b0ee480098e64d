/**
 * Loads fengari with the numbers of Lua 5.1: all are doubles, and whole ones print without ".0".
 * fengari's own integers have 32 bits and wrap silently: a byte count would not survive them.
 */
import { createRequire } from 'node:module';
import type { LuaState } from 'fengari';

type Fengari = typeof import('fengari');
type NumberValue = {
  ttisinteger(): boolean;
  setfltvalue(value: number): void;
};
/** The one place where fengari turns text into numbers, for its compiler and for tonumber alike. */
interface ObjectModule {
  luaO_str2num(text: Uint8Array, into: NumberValue): number;
}
/** What its libraries push their results with; they take it from here when they are loaded. */
interface ApiModule {
  lua_pushinteger(L: LuaState, value: number): void;
  lua_pushnumber(L: LuaState, value: number): void;
}

interface ConfigurationModule {
  lua_number2str(value: number): string;
}

/**
 * C's "%.14g", which is how Lua prints numbers; but whole ones with all their digits, so that no
 * count is ever rounded.
 */
export function numberText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  if (Number.isSafeInteger(value)) return Object.is(value, -0) ? '-0' : String(value);
  const [digits = '', power = '0'] = value.toExponential(13).split('e');
  const exponent = Number(power);
  const withoutZeros = (text: string): string =>
    text.includes('.') ? text.replace(/\.?0+$/, '') : text;
  if (exponent >= -4 && exponent < 14) return withoutZeros(value.toFixed(13 - exponent));
  const sign = exponent < 0 ? '-' : '+';
  return `${withoutZeros(digits)}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

function load(): Fengari {
  const require = createRequire(import.meta.url);
  const before = process.env['FENGARICONF'];
  process.env['FENGARICONF'] = JSON.stringify({ LUA_COMPAT_FLOATSTRING: true });
  // Before anything is loaded that takes it from there; defs.js has to come first.
  require('fengari/src/defs.js');
  const configuration = require('fengari/src/luaconf.js') as ConfigurationModule;
  configuration.lua_number2str = numberText;
  const api = require('fengari/src/lapi.js') as ApiModule;
  api.lua_pushinteger = api.lua_pushnumber;
  const fengari = require('fengari') as Fengari;
  if (before === undefined) delete process.env['FENGARICONF'];
  else process.env['FENGARICONF'] = before;
  const objects = require('fengari/src/lobject.js') as ObjectModule;
  const parse = objects.luaO_str2num;
  objects.luaO_str2num = (text, into) => {
    const used = parse(text, into);
    if (used !== 0 && into.ttisinteger()) into.setfltvalue(Number(digitsOf(text, used - 1)));
    return used;
  };
  return fengari;
}

/** An integer numeral as JavaScript spells it; `-0x10` needs its sign outside. */
function digitsOf(text: Uint8Array, length: number): number {
  const numeral = Buffer.from(text.subarray(0, length))
    .toString('latin1')
    .replace(/\0.*$/s, '')
    .trim();
  const negative = numeral.startsWith('-');
  const value = Number(numeral.replace(/^[-+]/, ''));
  return negative ? -value : value;
}

export const { lua, lauxlib, lualib, to_luastring } = load();

const decoder = new TextDecoder('utf-8');

/** Lua's bytes as text; what is not UTF-8 becomes U+FFFD. */
export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Bytes as they are in memory of their own: fengari's strings must never change. */
export function bytesOf(data: Uint8Array): Uint8Array {
  return new Uint8Array(data);
}
