#include "plugins/loaders.hh"

namespace bricks {

PluginLoader plugin_loader(PluginKind kind) noexcept {
  switch (kind) {
    case PluginKind::c:
      return load_c;
    case PluginKind::lua:
    case PluginKind::script:
      break;
  }
  return nullptr;
}

}  // namespace bricks
