// Who is called for which event of which session, in which order; what plugins may do to a session.
// It knows nothing of how events come about. One for each worker, whose thread it belongs to.
//
// Sessions are named by their entry number, which whoever makes them puts into
// bricks_session.owner_[0]; owner_[1] and owner2_[0] are this manager's, owner2_[1] and [2] are
// not.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "plugins/plugin_list.hh"
#include "wire/packet.hh"

namespace bricks {

// Of bricks_session.owner_[1], for the worker to see at a glance. The low byte is the manager's.
enum SessionFate : uint32_t {
  kFateGroups = 1u << 8,     // groups() has some
  kFateKill = 1u << 9,       // to be closed once this packet's events are through, with
                             // kill_reason()
  kFatePoisoned = 1u << 10,  // with kFateKill: not asked for, but a plugin has failed
  kFateDoomed = 1u << 11,    // a plugin has failed: this and all later packets are to be dropped
};

struct PluginManagerCounts {
  uint64_t locks_expired = 0;     // held longer than kSessionLockMs
  uint64_t metadata_refused = 0;  // BRICKS_ENOMEM
  uint64_t free_errors = 0;       // exceptions of metadata's free
  uint64_t children = 0;          // live now
  uint64_t generations = 0;       // live now
};

class PluginManager {
 public:
  // capacity: entry numbers are below it. worker: what worker_init is told. failed: no memory.
  static Status create(std::shared_ptr<PluginList> list, uint32_t capacity, uint32_t worker,
                       std::unique_ptr<PluginManager>* manager);
  // All sessions have ended before: what is still there is given to free_context and the metadata's
  // free, without CLOSING.
  ~PluginManager();

  // Once a breath, and before the first session: takes a new generation on, lets go of those whose
  // last session is gone. Control thread where no engine's runs.
  void refresh(Nanos now) noexcept;

  // What anybody alive has asked for: BRICKS_ON(...) | ..., 1 << bricks_protocol | ...
  uint32_t events() const noexcept { return events_; }
  uint32_t protocols() const noexcept { return protocols_; }

  // A session begins: before its first event. Its owner_[0] is set.
  void begin_session(bricks_session& session) noexcept;
  // It is over, after CLOSING: metadata are freed, what is left in contexts leaks.
  void end_session(bricks_session& session) noexcept;

  // Each plugin in order gets those of the events that it is to see. A session comes up once in
  // `events`, CLOSING only once in its life. What came of it: packet.dropped, session.output, the
  // SessionFate bits. Events of child sessions follow by themselves.
  void dispatch(std::span<bricks_event> events, Nanos now) noexcept;

  static bricks_close_reason kill_reason(const bricks_session& session) noexcept {
    return session.owner_[1] & kFatePoisoned ? BRICKS_CLOSE_POISONED : BRICKS_CLOSE_PLUGIN_KILL;
  }
  // With kFateGroups: numbers of the groups that packets of that direction belong to; four at most.
  uint32_t groups(const bricks_session& session, uint8_t direction, uint32_t* to) const noexcept;

  const PluginManagerCounts& counts() const noexcept { return counts_; }
  PluginList& list() noexcept { return *list_; }
  uint32_t capacity() const noexcept { return capacity_; }

 private:
  PluginManager() = default;
  friend class HostCalls;  // plugins/host_calls.cc: what bricks_host's functions do

  std::shared_ptr<PluginList> list_;
  uint32_t capacity_ = 0, worker_ = 0;
  uint32_t events_ = 0, protocols_ = 0;
  PluginManagerCounts counts_;
};

}  // namespace bricks
