// Who is called for which event of which session, in which order; what plugins may do to a session.
// It knows nothing of how events come about. One for each worker, whose thread it belongs to.
//
// Sessions are named by their entry number (SessionFlow, bricks_event.entry_). The lower half of
// bricks_session.owner_ but for kSessionOutput and kSessionApplication, and context_ are this
// manager's; context_ is what the first plugin of the list keeps.
#pragma once

#include <memory>
#include <span>

#include "plugins/child_sessions.hh"
#include "plugins/metadata.hh"
#include "plugins/plugin_list.hh"
#include "plugins/worker_generation.hh"
#include "sessions/session_sink.hh"
#include "wire/packet.hh"

namespace bricks {

struct PluginManagerCounts {
  uint64_t locks_expired = 0;     // held longer than kSessionLockMs
  uint64_t metadata_refused = 0;  // BRICKS_ENOMEM
  uint64_t free_errors = 0;       // exceptions of metadata's free and of free_context
  uint64_t children = 0;          // live now
  uint64_t generations = 0;       // live now
};

class PluginManager {
 public:
  // capacity: entry numbers are below it. worker: what worker_init is told. outputs: there are, for
  // set_output. failed: no memory.
  static Status create(std::shared_ptr<PluginList> list, uint32_t capacity, uint32_t worker,
                       uint32_t outputs, std::unique_ptr<PluginManager>* manager);
  // All sessions have ended before.
  ~PluginManager();

  // Once a breath: takes a new generation on, lets go of those whose last session is gone.
  void refresh() noexcept {
    if (list_->version() != version_ || retiring_) renew();
  }
  void set_outputs(uint32_t count) noexcept { outputs_ = count; }

  // What anybody alive has asked for: BRICKS_ON(...) | ..., 1 << bricks_protocol | ...
  uint32_t events() const noexcept { return events_; }
  uint32_t protocols() const noexcept { return protocols_; }
  bool scripts() const noexcept { return scripts_ != 0; }  // on threads of their own
  // A session begins: before its first event. Its `flow` is set.
  void begin_session(bricks_session& session) noexcept;
  // It is over, after CLOSING: metadata are freed, what is left in contexts leaks.
  void end_session(bricks_session& session) noexcept;

  // Each plugin in order gets those of the events that it is to see. A session comes up once in
  // `events`, CLOSING only once in its life. What came of it: packet.dropped, flow->output, the
  // SessionFate bits. Events of child sessions follow by themselves. `now`: for locks.
  void dispatch(std::span<bricks_event> events, Nanos now) noexcept;
  uint32_t packets_together() const noexcept;  // that it wants at a time
  void dispatch(const PlainWave& wave, Nanos now) noexcept;
  // How often a plugin has done something to a packet or a session that verdicts depend on.
  uint64_t interventions() const noexcept { return interventions_; }

  static bricks_close_reason kill_reason(const bricks_session& session) noexcept {
    return session.owner_ & kFatePoisoned ? BRICKS_CLOSE_POISONED : BRICKS_CLOSE_PLUGIN_KILL;
  }
  // With kFateGroups: numbers of the groups that packets of that direction belong to; returns how
  // many, kSessionGroupsMax at most.
  uint32_t groups(const bricks_session& session, uint8_t direction, uint32_t* to) const noexcept;

  const PluginManagerCounts& counts() const noexcept { return counts_; }
  PluginList& list() noexcept { return *list_; }

 private:
  friend class HostCalls;  // plugins/host_calls.hh: what bricks_host's functions do
  PluginManager() = default;
  SessionExtra& extra(const bricks_session& s) const noexcept { return extras_[entry_of(s)]; }
  SessionExtra& extra(const bricks_event& event) const noexcept { return extras_[event.entry_]; }
  WorkerGeneration& generation_of(const bricks_session& session) const noexcept {
    return *slots_[session.owner_ & kSlotMask];
  }
  void renew() noexcept;
  bool adopt() noexcept;
  void let_go() noexcept;
  bool dispatch_settled(std::span<bricks_event> events) noexcept;
  void call_in_turn(WorkerGeneration& generation, std::span<bricks_event> events) noexcept;
  void dispatch_some(std::span<bricks_event> events) noexcept;
  void run(WorkerGeneration& generation, std::span<bricks_event*> events, uint32_t from) noexcept;
  uint64_t candidates(WorkerGeneration& generation, bricks_event& event) noexcept;
  bool is_due(WorkerGeneration& generation, bricks_event& event, uint32_t place) noexcept;
  void call(WorkerGeneration& generation, uint32_t place, std::span<bricks_event> events) noexcept;
  void finish_detached(WorkerGeneration& generation, uint32_t place, bricks_event* events) noexcept;
  void fail(WorkerGeneration& generation, uint32_t place, bricks_event& event) noexcept;
  void leave_out(WorkerGeneration& generation, uint32_t place, bricks_event& event) noexcept;
  void apply_policy(OnError policy, bricks_event& event) noexcept;
  void release_lock(WorkerGeneration& generation, SessionExtra& session) noexcept;
  void free_context(WorkerGeneration& generation, uint32_t place, void** context) noexcept;
  void free_value(const bricks_session& session, const Metadata::Garbage& garbage) noexcept;
  void unsettle(bricks_session& session) noexcept { session.owner_ &= ~kSettled; }
  void tell_child(bricks_session& child, bricks_event_type type,
                  bricks_close_reason reason) noexcept;
  void end_children(bricks_session& parent) noexcept;
  void tell_children() noexcept;
  std::shared_ptr<PluginList> list_;
  uint32_t capacity_ = 0, worker_ = 0, outputs_ = 1;
  uint32_t events_ = 0, protocols_ = 0, scripts_ = 0;
  uint64_t version_ = 0;
  uint32_t current_ = 0;  // slot of new sessions' generation
  bool retiring_ = false, changed_ = false;
  Nanos now_ = 0;
  uint64_t interventions_ = 0;
  PluginManagerCounts counts_;
  SparseArray<SessionExtra> extras_;
  Metadata metadata_;
  std::unique_ptr<WorkerGeneration> slots_[kPluginGenerationsMax];
  bricks_event batch_[kBatchMax];
  uint16_t detached_[kBatchMax];  // in the call that is running: places in its events
  uint32_t detached_count_ = 0;
  ChildSessions children_;
};

}  // namespace bricks
