// A generation of plugins in one worker: what worker_init made, who wants which events, and the
// contexts of its sessions.
#pragma once

#include "mem/sparse_array.hh"
#include "plugins/plugin_list.hh"
#include "plugins/session_extra.hh"
#include "sessions/session_flow.hh"

namespace bricks {

inline constexpr uint32_t kEventTypes = BRICKS_EVENT_CONFLICT + 1;

struct WorkerGeneration {
  struct Member {
    LoadedPlugin* plugin;
    const bricks_plugin* functions;
    void* state = nullptr;  // what worker_init made
    bool started = false;
    bool told = false;  // its first error
    uint32_t turn = 0;  // of the clock's sampling
  };

  // Calls no plugin. failed: no memory. Any thread.
  Status reserve(std::shared_ptr<const PluginGeneration> of, uint32_t entries);
  // worker_init. Where that fails the plugin is left out, by its policy, and `list` hears of it.
  // The worker's thread.
  void start(uint32_t worker, PluginList& list) noexcept;
  ~WorkerGeneration();  // worker_exit, the last first

  uint64_t wanted(const bricks_event& event) const noexcept {
    const uint64_t by_type = by_event[event.type];
    if (event.type != BRICKS_EVENT_PROTOCOL) return by_type;
    return event.protocol < 32 ? by_type & by_protocol[event.protocol] : 0;
  }
  void** context(const bricks_event& event, uint32_t place) const noexcept {
    return place ? other_context(event.entry_, place) : &event.session->context_;
  }
  void** context(bricks_session& session, uint32_t place) const noexcept {
    return place ? other_context(entry_of(session), place) : &session.context_;
  }
  // Of any but the first plugin.
  void** other_context(uint32_t entry, uint32_t place) const noexcept {
    return &contexts[uint64_t{entry} * (members.size() - 1) + place - 1];
  }
  uint8_t& errors_of(uint32_t entry, uint32_t place) const noexcept {
    return errors[uint64_t{entry} * members.size() + place];
  }
  void look_for_disabled() noexcept;

  std::shared_ptr<const PluginGeneration> of;
  std::vector<Member> members;
  bool running = false;   // start() has been
  uint64_t all = 0;       // a bit for each
  uint64_t disabled = 0;  // of all sessions
  uint64_t by_event[kEventTypes] = {};
  uint64_t by_protocol[32] = {};
  uint32_t events = 0, protocols = 0, scripts = 0;  // scripts: how many it waits for
  uint64_t sessions = 0;                            // live
  SparseArray<void*> contexts;                      // of all but the first
  SparseArray<uint8_t> errors;
};

}  // namespace bricks
