// The loader of plugins in Lua: a bricks_plugin whose functions run the file in LuaJIT.
#pragma once

#include "plugins/loaded_plugin.hh"

namespace bricks {

Status load_lua(const PluginSpec& spec, PluginCode* code);

}  // namespace bricks
