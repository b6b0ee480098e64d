/** string.format with the numbers of Lua 5.1: %d of 3.7 is 3, %u exists, and 2^40 is no error. */
import type { LuaState } from 'fengari';
import { addFunctions, argumentError } from './functions.ts';
import { lua, to_luastring } from './interpreter.ts';
import { pushText } from './values.ts';

const specifier = /%([-+ #0]*)(\d*)(?:\.(\d*))?([a-zA-Z%])/g;

const radix: Readonly<Record<string, number>> = { x: 16, X: 16, o: 8 };

function integerText(value: number, conversion: string, flags: string, precision: string): string {
  const whole = BigInt(Math.trunc(value));
  const base = radix[conversion] ?? 10;
  // C prints negative numbers as unsigned ones where there is no sign: 64 bits, as in Lua 5.3.
  const shown = base === 10 ? whole : BigInt.asUintN(64, whole);
  let digits = (shown < 0n ? -shown : shown).toString(base);
  if (conversion === 'X') digits = digits.toUpperCase();
  digits = digits.padStart(Number(precision || '1'), '0');
  if (flags.includes('#') && base === 16 && shown !== 0n) digits = `0${conversion}${digits}`;
  if (shown < 0n) return `-${digits}`;
  if (base !== 10) return digits;
  if (flags.includes('+')) return `+${digits}`;
  return flags.includes(' ') ? ` ${digits}` : digits;
}

function padded(text: string, flags: string, width: number, zeroes: boolean): string {
  if (flags.includes('-')) return text.padEnd(width);
  if (!zeroes) return text.padStart(width);
  const sign = /^[-+ ]?(0[xX])?/.exec(text)?.[0] ?? '';
  return sign + text.slice(sign.length).padStart(width - sign.length, '0');
}

/** Formats the integers, leaves the rest to the original function (upvalue of the closure). */
function formatWith(original: (L: LuaState) => void) {
  return (L: LuaState): number => {
    const last = lua.lua_gettop(L);
    if (last === 0 || lua.lua_type(L, 1) !== lua.LUA_TSTRING) {
      return argumentError(L, 1, 'format', 'string expected');
    }
    const format = Buffer.from(lua.lua_tolstring(L, 1) ?? []).toString('latin1');
    let argument = 1;
    const rest = format.replace(specifier, (all, flags, width, precision, conversion) => {
      if (conversion === '%') return all;
      argument += 1;
      if (!'diuxXo'.includes(conversion)) return all;
      if (argument > last) return all.replace('u', 'd');
      const value = numberAt(L, argument);
      const text = integerText(value, conversion, flags, precision ?? '');
      const zeroes = flags.includes('0') && precision === undefined;
      pushText(L, padded(text, flags, Number(width || '0'), zeroes));
      lua.lua_remove(L, argument);
      lua.lua_insert(L, argument);
      return '%s';
    });
    original(L);
    lua.lua_pushstring(L, new Uint8Array(Buffer.from(rest, 'latin1')));
    for (let i = 2; i <= last; i++) lua.lua_pushvalue(L, i);
    lua.lua_call(L, last, 1);
    return 1;
  };
}

function numberAt(L: LuaState, index: number): number {
  if (!lua.lua_isnumber(L, index)) {
    return argumentError(L, index, 'format', 'number expected');
  }
  const value = lua.lua_tonumber(L, index);
  if (!Number.isFinite(value)) {
    return argumentError(L, index, 'format', `${value} has no integer representation`);
  }
  return value;
}

const keptName = 'bricks.format';

export function openFormat(L: LuaState): void {
  lua.lua_getglobal(L, to_luastring('string'));
  lua.lua_getfield(L, -1, to_luastring('format'));
  lua.lua_setfield(L, lua.LUA_REGISTRYINDEX, to_luastring(keptName));
  addFunctions(L, {
    format: formatWith((S) => {
      lua.lua_getfield(S, lua.LUA_REGISTRYINDEX, to_luastring(keptName));
    }),
  });
  lua.lua_pop(L, 1);
}
