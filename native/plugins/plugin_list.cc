// Generations of a list; lists by number.
#include "plugins/plugin_list.hh"

#include <set>

namespace bricks {

namespace {

struct Lists {
  std::mutex mutex;
  std::map<uint64_t, std::shared_ptr<PluginList>> all;
  uint64_t last = 0;
};

Lists& lists() {
  static Lists made;
  return made;
}

}  // namespace

PluginList::PluginList() : current_(std::make_shared<PluginGeneration>()) {}

std::shared_ptr<PluginCounts> PluginList::counts_of(const std::string& name) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<PluginCounts>& counts = counts_[name];
  if (!counts) counts = std::make_shared<PluginCounts>();
  return counts;
}

Status PluginList::load(const std::vector<PluginSpec>& specs, PluginGeneration* made) {
  if (specs.size() > kPluginsMax) {
    return {Code::limit_reached, "a list has " + std::to_string(kPluginsMax) +
                                     " plugins at most (kPluginsMax), not " +
                                     std::to_string(specs.size())};
  }
  std::set<std::string> names;
  for (const PluginSpec& spec : specs) {
    if (names.insert(spec.name).second) continue;
    return {Code::already_exists, "two plugins of the list are called \"" + spec.name +
                                      "\"; give one of them another name: { path = \"" + spec.path +
                                      "\", name = \"...\" }"};
  }
  for (const PluginSpec& spec : specs) {
    std::shared_ptr<LoadedPlugin> plugin;
    Status status = LoadedPlugin::load(spec, counts_of(spec.name), &plugin);
    if (status.ok()) {
      made->plugins.push_back(std::move(plugin));
    } else if (spec.required) {
      // Those that were loaded before it go the other way round.
      while (!made->plugins.empty()) made->plugins.pop_back();
      return status;
    } else {
      warn(status.message + " (not required: the list is used without it)");
    }
  }
  return {};
}

Status PluginList::set(std::vector<PluginSpec> specs) {
  const std::lock_guard one(changing_);
  auto made = std::make_shared<PluginGeneration>();
  std::vector<std::string> said = take_warnings();
  if (Status status = load(specs, made.get()); !status.ok()) {
    for (std::string& text : said) warn(std::move(text));  // they still hold
    return status;
  }
  std::shared_ptr<const PluginGeneration> before;
  std::vector<std::shared_ptr<const PluginGeneration>> retired;
  {
    const std::lock_guard lock(mutex_);
    made->number = current_->number + 1;
    before = std::exchange(current_, std::move(made));
    specs_ = std::move(specs);
    retired.swap(retired_);
    version_.fetch_add(1, std::memory_order_release);
  }
  return {};  // what nobody uses any more goes here
}

Status PluginList::reload() { return set(specs()); }

std::vector<PluginSpec> PluginList::specs() const {
  const std::lock_guard lock(mutex_);
  return specs_;
}

std::shared_ptr<const PluginGeneration> PluginList::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void PluginList::retire(std::shared_ptr<const PluginGeneration> generation) {
  const std::lock_guard lock(mutex_);
  retired_.push_back(std::move(generation));
}

void PluginList::warn(std::string text) {
  const std::lock_guard lock(mutex_);
  if (warnings_.size() < kPluginWarningsMax) warnings_.push_back(std::move(text));
}

std::vector<std::string> PluginList::warnings() const {
  const std::lock_guard lock(mutex_);
  return warnings_;
}

std::vector<std::string> PluginList::take_warnings() {
  std::vector<std::shared_ptr<const PluginGeneration>> retired;  // goes after the lock
  const std::lock_guard lock(mutex_);
  retired.swap(retired_);
  return std::exchange(warnings_, {});
}

std::vector<PluginInfo> PluginList::list() {
  std::vector<std::shared_ptr<const PluginGeneration>> retired;
  std::shared_ptr<const PluginGeneration> now;
  {
    const std::lock_guard lock(mutex_);
    retired.swap(retired_);
    now = current_;
  }
  std::vector<PluginInfo> made;
  for (const auto& plugin : now->plugins) {
    const bricks_plugin& functions = plugin->functions();
    PluginInfo info{plugin->spec(),
                    functions.summary ? functions.summary : "",
                    now->number,
                    plugin->disabled(),
                    {}};
    const PluginCounts& counts = plugin->counts();
    for (uint32_t i = 0; i < kPluginCountsSize; ++i) {
      info.counts.emplace_back(kPluginCounts[i].name, counts.count[i].load());
    }
    for (uint32_t i = 0; functions.figures && functions.figures[i]; ++i) {
      info.counts.emplace_back(functions.figures[i], counts.figure[i].load());
    }
    made.push_back(std::move(info));
  }
  return made;
}

Status open_plugin_list(uint64_t* number) {
  Lists& every = lists();
  const std::lock_guard lock(every.mutex);
  if (every.all.size() >= kPluginListsMax) {
    return {Code::limit_reached, "there are " + std::to_string(kPluginListsMax) +
                                     " lists of plugins, which is the most (kPluginListsMax)"};
  }
  *number = ++every.last;
  every.all.emplace(*number, std::make_shared<PluginList>());
  return {};
}

std::shared_ptr<PluginList> find_plugin_list(uint64_t number) {
  Lists& every = lists();
  const std::lock_guard lock(every.mutex);
  const auto found = every.all.find(number);
  return found == every.all.end() ? nullptr : found->second;
}

void close_plugin_list(uint64_t number) {
  std::shared_ptr<PluginList> gone;  // goes after the lock
  Lists& every = lists();
  const std::lock_guard lock(every.mutex);
  const auto found = every.all.find(number);
  if (found == every.all.end()) return;
  gone = std::move(found->second);
  every.all.erase(found);
}

}  // namespace bricks
