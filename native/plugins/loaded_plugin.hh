// A plugin that is in the process, whatever language it is written in: to everybody else it is a
// bricks_plugin. C is loaded by dlopen; the hosts of Lua and TypeScript fill in the same struct.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "abi/bricks_plugin.h"
#include "plugins/plugin_counts.hh"
#include "plugins/plugin_spec.hh"

namespace bricks {

class LineWriter;  // plugins/line_writer.hh

// What a loader makes.
struct PluginCode {
  const bricks_plugin* functions = nullptr;  // good as long as `keeper`
  std::shared_ptr<void> keeper;              // library, scripts; goes after `exit`
  bool collects = false;  // contexts are the host's to free: what is left in them is no leak
  // Why the newest call failed; state: null for worker_init. Null: the language does not say.
  std::string (*why)(void* plugin, void* state) = nullptr;
};

// no_such_file, unsupported, invalid_argument; messages begin with the plugin's name and say what
// to do. One for each kind; the table is in loaders.cc.
using PluginLoader = Status (*)(const PluginSpec& spec, PluginCode* code);
Status load_c(const PluginSpec& spec, PluginCode* code);
// For hosts: the loader's `keeper`, from the bricks_start that their functions' init is given.
void* plugin_keeper(const bricks_start* start) noexcept;

// What the file says of itself: it is loaded and its version is compared, but nothing is started.
Status load_code(const PluginSpec& spec, PluginCode* code);

class LoadedPlugin {
 public:
  // Loads, compares versions, checks options against what the plugin declares, calls init. Control
  // thread. `counts`: what is counted for a plugin of that name, over all its generations.
  static Status load(const PluginSpec& spec, std::shared_ptr<PluginCounts> counts,
                     std::shared_ptr<LoadedPlugin>* plugin);
  ~LoadedPlugin();  // calls exit

  const bricks_plugin& functions() const noexcept { return *code_.functions; }
  void* keeper() const noexcept { return code_.keeper.get(); }
  bool collects() const noexcept { return code_.collects; }
  std::string why(void* state) const { return code_.why ? code_.why(instance_, state) : ""; }
  void* instance() const noexcept { return instance_; }  // what init made
  const PluginSpec& spec() const noexcept { return spec_; }
  const std::string& name() const noexcept { return spec_.name; }
  uint32_t number() const noexcept { return number_; }  // of this process, never used again
  PluginCounts& counts() const noexcept { return *counts_; }
  // BRICKS_ON(...) | ...: what it asks for and may have.
  uint32_t events() const noexcept { return code_.functions->events & spec_.events; }
  // One more. True: that was the last (max_errors_total), it is disabled now.
  bool count_error() noexcept;
  // Too many errors: nobody calls it any more.
  bool disabled() const noexcept { return disabled_.load(std::memory_order_relaxed); }

  // Any thread. BRICKS_ENOENT: it has no `file`; BRICKS_ENOMEM: the writer does not keep up.
  int emit(const char* line, size_t length) noexcept;
  int add_figure(uint32_t figure, int64_t value) noexcept;

 private:
  LoadedPlugin() = default;
  Status read_options();
  Status start();

  PluginSpec spec_;
  PluginCode code_;
  std::shared_ptr<PluginCounts> counts_;
  std::shared_ptr<LineWriter> writer_;
  void* instance_ = nullptr;
  uint32_t number_ = 0;
  bool started_ = false;
  std::atomic<bool> disabled_{false};
  std::atomic<uint64_t> errors_{0};
  std::vector<std::string> texts_;  // values of the plugin's options, in its order
  std::string failure_;             // what init has said of itself

  friend struct PluginStart;
};

// The plugin of that number, or null. Any thread; takes a lock.
std::shared_ptr<LoadedPlugin> find_plugin(uint32_t number);

}  // namespace bricks
