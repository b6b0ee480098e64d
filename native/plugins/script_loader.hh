// The loader of plugins in TypeScript and JavaScript.
#pragma once

#include "plugins/loaded_plugin.hh"

namespace bricks {

Status load_script(const PluginSpec& spec, PluginCode* code);

}  // namespace bricks
