/** errno as C programs word it: "No such file or directory". */
import { getSystemErrorMap } from 'node:util';
import type { LuaState } from 'fengari';
import { lua } from './interpreter.ts';
import { pushText } from './values.ts';

export interface SystemFault {
  readonly text: string;
  readonly errno: number;
}

export function systemFault(error: unknown): SystemFault {
  const errno = (error as NodeJS.ErrnoException).errno ?? 0;
  const words = getSystemErrorMap().get(errno)?.[1];
  const text = words ?? (error instanceof Error ? error.message : String(error));
  return { text: text.charAt(0).toUpperCase() + text.slice(1), errno: Math.abs(errno) };
}

/** Pushes nil, "what: words", errno: how Lua's libraries report what the system refused. */
export function pushFault(L: LuaState, what: string | undefined, error: unknown): number {
  const { text, errno } = systemFault(error);
  lua.lua_pushnil(L);
  pushText(L, what === undefined ? text : `${what}: ${text}`);
  lua.lua_pushnumber(L, errno);
  return 3;
}
