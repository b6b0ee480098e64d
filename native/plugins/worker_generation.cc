// A generation comes to a worker and leaves it.
#include "plugins/worker_generation.hh"

#include <algorithm>

#include "plugins/crash_report.hh"
#include "plugins/plugin_call.hh"

namespace bricks {

Status WorkerGeneration::reserve(std::shared_ptr<const PluginGeneration> generation,
                                 uint32_t entries) {
  of = std::move(generation);
  const uint64_t count = of->plugins.size();
  bool counts_errors = false;
  for (const auto& plugin : of->plugins) counts_errors |= plugin->spec().max_errors > 1;
  if (!contexts.reserve(entries * (std::max<uint64_t>(count, 1) - 1)) ||
      (counts_errors && !errors.reserve(entries * count))) {
    return system_error("memory for the contexts of plugins", errno);
  }
  for (const auto& plugin : of->plugins) {
    const uint64_t bit = uint64_t{1} << members.size();
    members.push_back({plugin.get(), &plugin->functions()});
    all |= bit;
    const uint32_t wanted_events = plugin->events();
    const uint32_t wanted_protocols = plugin->functions().protocols;
    for (uint32_t type = 0; type < kEventTypes; ++type) {
      if (wanted_events >> type & 1) by_event[type] |= bit;
    }
    for (uint32_t protocol = 0; protocol < 32; ++protocol) {
      if (wanted_protocols >> protocol & 1) by_protocol[protocol] |= bit;
    }
    events |= wanted_events;
    if (plugin->spec().kind == PluginKind::script) ++scripts;
    if (wanted_events & BRICKS_ON(BRICKS_EVENT_PROTOCOL)) protocols |= wanted_protocols;
  }
  return {};
}

void WorkerGeneration::start(uint32_t worker, PluginList& list) noexcept {
  give_signal_stack();
  running = true;
  for (Member& member : members) {
    LoadedPlugin& plugin = *member.plugin;
    int failed = 0;
    if (member.functions->worker_init) {
      const RunningPlugin now(plugin.name().c_str());
      try {
        failed = member.functions->worker_init(plugin.instance(), worker, &member.state);
      } catch (...) {
        failed = -1;
      }
    }
    member.started = failed == 0;
    if (!failed) continue;
    plugin.counts().add(PluginCount::errors);
    const std::string why = plugin.why(nullptr);
    list.warn(plugin.name() + ": worker_init failed (" +
              (why.empty() ? std::to_string(failed) : why) + "): worker " + std::to_string(worker) +
              " does not call it; its sessions go on by its on_error");
  }
  look_for_disabled();
}

WorkerGeneration::~WorkerGeneration() {
  for (auto member = members.rbegin(); member != members.rend(); ++member) {
    if (!member->started || !member->functions->worker_exit) continue;
    const RunningPlugin now(member->plugin->name().c_str());
    try {
      member->functions->worker_exit(member->state);
    } catch (...) {
      member->plugin->counts().add(PluginCount::errors);
    }
  }
}

void WorkerGeneration::look_for_disabled() noexcept {
  for (uint32_t place = 0; place < members.size(); ++place) {
    if (!members[place].started || members[place].plugin->disabled()) {
      disabled |= uint64_t{1} << place;
    }
  }
}

}  // namespace bricks
