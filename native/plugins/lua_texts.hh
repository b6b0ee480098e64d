// Texts that are compiled in: the host's own Lua, and C's declarations for ffi.cdef.
#pragma once

#include <string>
#include <string_view>

namespace bricks {

std::string_view lua_host_text() noexcept;
std::string_view lua_driver_text() noexcept;
// Errors, sessions, plugins and protocols as in abi/, without preprocessor.
std::string lua_declarations();

}  // namespace bricks
