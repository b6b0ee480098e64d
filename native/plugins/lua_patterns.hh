// Lua's patterns with a bound: string.find, match, gmatch and gsub as LuaJIT has them, but each
// step of a match is taken from the budget of the event (LuaCall::left). Theirs cannot be stopped:
// a pattern with a few repetitions takes hours of C on a text of some thousand bytes.
#pragma once

struct lua_State;

namespace bricks {

struct LuaCall;

// Puts them into the table `string`.
void bound_lua_patterns(lua_State* lua, LuaCall* call);

}  // namespace bricks
