// A list of plugins, by number: what the option `plugins` of a Session is. Kept and changed by the
// control thread while engines use it: a change makes a new generation, which new sessions get;
// those that live keep theirs, code and contexts, until they end.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plugins/loaded_plugin.hh"

namespace bricks {

// The plugins of one loading, in the order of the list.
struct PluginGeneration {
  uint64_t number = 0;  // 1, 2, ... of its list; 0: the empty one of the beginning
  std::vector<std::shared_ptr<LoadedPlugin>> plugins;

  PluginGeneration() = default;
  ~PluginGeneration() {
    while (!plugins.empty()) plugins.pop_back();  // the last first
  }
};

struct PluginInfo {
  PluginSpec spec;
  std::string summary;
  uint64_t generation;  // the newest that has it
  bool disabled;
  std::vector<std::pair<std::string, int64_t>> counts;  // PluginCounts, then the plugin's figures
};

class PluginList {
 public:
  PluginList();

  // Control calls: thread-safe, all or nothing: on an error the generation stays that was.
  Status set(std::vector<PluginSpec> specs);  // what a loader says; already_exists: a name twice
  Status reload();                            // the same specs, from their files as they are now
  std::vector<PluginInfo> list();
  std::vector<PluginSpec> specs() const;
  // What has gone wrong without being an error since the last change: plugins left out, workers
  // that did not start, plugins that failed too often.
  std::vector<std::string> warnings() const;
  std::vector<std::string> take_warnings();  // each is said once
  void warn(std::string text);               // any thread; not on a packet's way

  // For workers that are done with a generation: the last one's plugins are unloaded by the next
  // control call.
  void retire(std::shared_ptr<const PluginGeneration> generation);
  // Any thread, without a lock: changes with every generation.
  uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }
  std::shared_ptr<const PluginGeneration> current() const;

 private:
  std::shared_ptr<PluginCounts> counts_of(const std::string& name);
  Status load(const std::vector<PluginSpec>& specs, PluginGeneration* made);

  mutable std::mutex changing_;  // one change at a time; plugins' init may be slow
  mutable std::mutex mutex_;
  std::vector<PluginSpec> specs_;
  std::shared_ptr<const PluginGeneration> current_;
  std::map<std::string, std::shared_ptr<PluginCounts>> counts_;
  std::vector<std::string> warnings_;
  std::vector<std::shared_ptr<const PluginGeneration>> retired_;
  std::atomic<uint64_t> version_{0};
};

// Lists by number, for those who cannot hold a pointer: an option of a brick, a script.
Status open_plugin_list(uint64_t* number);  // limit_reached
// Null where there is none of that number. Lives on while a Session uses it.
std::shared_ptr<PluginList> find_plugin_list(uint64_t number);
void close_plugin_list(uint64_t number);

}  // namespace bricks
