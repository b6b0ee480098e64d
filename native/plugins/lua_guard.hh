// A budget for Lua that LuaJIT has compiled: its count hook does not fire in machine code, so a
// check is written into the source wherever it could run for ever: at the head of every loop, at
// every function's entry (tail calls are loops, too) and before every goto.
#pragma once

#include <string>
#include <string_view>

namespace bricks {

// `source` as a chunk that is called with the budget (lua_state.hh) and returns the function that
// `source` is. Lines keep their numbers. Whoever calls has seen that `source` compiles as it is.
std::string guard_loops(std::string_view source);

}  // namespace bricks
