#include "plugins/script_loader.hh"

#include <unistd.h>

#include <cerrno>

#include "plugins/script_host.hh"

namespace bricks {

Status load_script(const PluginSpec& spec, PluginCode* code) {
  // Before a thread is started for it, and in the words of the other languages.
  if (access(spec.path.c_str(), R_OK) != 0) {
    return system_error(spec.name + ": " + spec.path, errno);
  }
  ScriptSettings settings;
  settings.name = spec.name;
  settings.path = spec.path;
  settings.waits = option_text(spec.keys, "mode") == "sync";
  settings.timeout_ms = static_cast<uint32_t>(option_integer(spec.keys, "timeout_ms"));
  settings.memory_mb = static_cast<uint32_t>(option_integer(spec.keys, "memory_mb"));
  settings.on_error = static_cast<uint32_t>(spec.on_error);
  std::shared_ptr<ScriptHost> host;
  const Status status = ScriptHost::open(std::move(settings), &host);
  if (!status.ok()) return status;
  host->on_init([](const bricks_start* start, void** plugin) {
    auto* own = static_cast<ScriptHost*>(plugin_keeper(start));
    *plugin = own;
    return own->init(start);
  });
  code->functions = &host->functions();
  code->collects = true;
  code->why = [](void* plugin, void*) { return static_cast<ScriptHost*>(plugin)->why(); };
  code->keeper = std::move(host);
  return {};
}

}  // namespace bricks
