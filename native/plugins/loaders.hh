// The languages of plugins that this build can load.
#pragma once

#include "plugins/loaded_plugin.hh"

namespace bricks {

// Null: none for that kind.
PluginLoader plugin_loader(PluginKind kind) noexcept;

}  // namespace bricks
