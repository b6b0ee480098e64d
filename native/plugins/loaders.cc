#include "plugins/loaders.hh"

#include "plugins/lua_plugin.hh"
#include "plugins/script_loader.hh"

namespace bricks {

PluginLoader plugin_loader(PluginKind kind) noexcept {
  switch (kind) {
    case PluginKind::c:
      return load_c;
    case PluginKind::lua:
      return load_lua;
    case PluginKind::script:
      return load_script;
  }
  return nullptr;
}

}  // namespace bricks
