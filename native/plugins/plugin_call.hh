// The call of a plugin that a thread is in: how the host's functions know who asks, and the report
// of a crash whose plugin it was.
#pragma once

#include <span>

#include "plugins/worker_generation.hh"

namespace bricks {

class PluginManager;

struct PluginCall {
  PluginManager* manager = nullptr;  // null: outside of any
  WorkerGeneration* generation = nullptr;
  uint32_t place = 0;                       // the plugin's
  std::span<bricks_event> events;           // those of the call
  uint32_t hint = 0;                        // where the last session was found
  const bricks_session* freeing = nullptr;  // whose metadata are being freed
};

// Static TLS: also a signal handler may look at them.
#define BRICKS_STATIC_TLS __attribute__((tls_model("initial-exec")))
extern thread_local PluginCall plugin_call BRICKS_STATIC_TLS;
extern thread_local const char* running_plugin BRICKS_STATIC_TLS;  // its name, or null

// While it lives, that plugin's code is running.
class RunningPlugin {
 public:
  explicit RunningPlugin(const char* name) noexcept : before_(running_plugin) {
    running_plugin = name;
  }
  ~RunningPlugin() { running_plugin = before_; }
  RunningPlugin(const RunningPlugin&) = delete;
  RunningPlugin& operator=(const RunningPlugin&) = delete;

 private:
  const char* before_;
};

// What plugins are given: bricks_start.host.
const bricks_host* plugin_host() noexcept;

}  // namespace bricks
