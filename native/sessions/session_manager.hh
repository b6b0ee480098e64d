// Stellar's session manager: which session each packet of a batch belongs to, what state that makes
// of it, and which events come of it. Calls no plugin: events go to a SessionSink.
//
// Packets go in waves with one of a session at most in each, so that events can be given in arrays
// while a session's keep their order: CLOSING of an old one of the same tuple, OPENING, ACTIVE,
// PACKET, CLOSING. Every session that was opened is closed once, whatever happens, and nothing
// depends on how packets are cut into batches. Engine's thread, but where it says.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "abi/bricks_event.h"
#include "sessions/session_rules.hh"
#include "sessions/session_sink.hh"
#include "sessions/session_table.hh"
#include "sessions/session_track.hh"
#include "sessions/session_work.hh"
#include "sessions/side_array.hh"
#include "wire/duplicate_table.hh"

namespace bricks {

class SessionManager final : private SessionOwner, private SessionWork {
 public:
  // owner: of the table's scope. Control thread. failed, limit_reached.
  static Status create(const std::string& owner, const SessionRules& rules, SessionTable& table,
                       std::unique_ptr<SessionManager>* manager);
  ~SessionManager();
  void set_rules(const SessionRules& rules) noexcept;  // but `tenant`: it makes other sessions
  const SessionRules& rules() const noexcept { return rules_; }

  // kBatchMax packets at most. `tick`: time goes on with packets.
  void run(const Batch& batch, Picks in, bool tick, SessionSink& sink) noexcept;
  // Of the last run(), by place in `in`.
  bricks_packet_view& view(uint32_t i) noexcept { return views_[i]; }
  PacketPlace place(uint32_t i) const noexcept { return places_[i]; }
  bool layered() const noexcept { return layered_; }                 // some of them are not plain
  uint32_t entry(uint32_t i) const noexcept { return entries_[i]; }  // 0: of no session
  bricks_session& session(uint32_t entry) noexcept { return sessions_[entry]; }
  SessionTrack& track(uint32_t entry) noexcept { return tracks_[entry]; }
  void left_queue(uint32_t entry) noexcept;  // one of its track's `queued`

  // From a sink: CLOSING when this wave's packets are through. Else: by settle().
  void close(bricks_session& session, bricks_close_reason reason,
             const bricks_packet_view* packet = nullptr) noexcept;
  // Sessions that have ended without a packet: CLOSING for kBatchMax of them.
  bool unsettled() const noexcept { return first_ended_ != end_ended_; }
  void settle(SessionSink& sink) noexcept;
  bool end_some(bricks_close_reason reason) noexcept;  // false: there are none left
  uint64_t live() const noexcept { return counts_.live + counts_.lingering; }
  const SessionManagerCounts& counts() const noexcept { return counts_; }
  // The session of a decoded packet, or null: changes nothing.
  const bricks_session* find(const Batch& batch, Index packet) const noexcept;

 private:
  SessionManager(const SessionRules& rules, SessionTable& table);
  uint32_t go_on(uint32_t from, uint32_t to, SessionSink& sink) noexcept;
  void ended(uint32_t entry, SessionEnd end) noexcept override;
  uint32_t idle_ticks(uint32_t entry) const noexcept override;
  bool gives_way(uint32_t entry) const noexcept override;
  void find_digests(uint32_t from, uint32_t to) noexcept;
  void settle_rest(uint32_t i) noexcept;
  bool may_begin(uint32_t i) const noexcept;
  uint64_t* begin(uint32_t i, uint64_t digest) noexcept;
  void find_direction(uint32_t i) noexcept;
  bool give_way(SessionList list) noexcept;
  void make_waves() noexcept;
  void plain_waves(uint32_t from, uint32_t to, SessionSink& sink) noexcept;
  struct WaveFrame;
  struct Wave;
  void plain_wave(const WaveFrame& frame, uint32_t begin, uint32_t end, SessionSink& sink) noexcept;
  template <uint8_t kProtocol, bool kUsual>
  void plain_run(const WaveFrame& frame, Wave& wave) noexcept;
  void look_ahead(const WaveFrame& frame) noexcept;
  void plain_other(const WaveFrame& frame, Wave& wave) noexcept;
  uint64_t digest_of(const Batch& batch, Index packet) const noexcept;
  uint64_t odd_digest(Index packet, uint64_t digest) noexcept;
  bool careful(uint32_t count) const noexcept;
  void watch_load(uint32_t count) noexcept;
  void sweep(uint32_t most) noexcept;

  void wave(uint32_t from, uint32_t to, SessionSink& sink) noexcept;  // of order_
  void step(uint32_t i) noexcept;
  bool step_tcp(uint32_t i) noexcept;
  void step_ended(uint32_t i) noexcept;
  void end_before(uint32_t i, bricks_close_reason reason) noexcept;
  void reopen(SessionSink& sink) noexcept;
  bool is_duplicate(uint32_t i) noexcept;
  void start(uint32_t i) noexcept;
  void activate(uint32_t i) noexcept;
  void add_packet(uint32_t i) noexcept;
  void add(Events& events, uint32_t i, bricks_event_type type) noexcept;
  void finish(Events& events, SessionSink& sink) noexcept;
  void release(uint32_t entry) noexcept;
  SessionClass class_of(uint32_t entry) const noexcept;
  static bricks_close_reason timeout_of(SessionClass of) noexcept;
  void join(SessionList list, uint32_t entry) noexcept;
  void leave(uint32_t entry) noexcept;
  void count_end(bricks_session& session) noexcept;
  void end_later(uint32_t entry, bricks_close_reason reason) noexcept;

  SessionRules rules_;
  SessionTable& table_;
  std::shared_ptr<SessionScope> scope_;
  FlowRule rule_;
  std::array<Nanos, kSessionClasses> idle_;  // as they are now: an emergency shortens them
  SideArray<bricks_session> sessions_;
  SideArray<TcpTrack> tcp_;
  SideArray<SessionTrack> tracks_;
  std::unique_ptr<DuplicateTable> seen_;
  uint32_t first_[3] = {}, last_[3] = {};  // by SessionList
  uint32_t high_ = 0;                      // no entry of its own is above
  Nanos emergency_since_ = 0;
  uint64_t next_id_;
  bool emergency_ = false, in_wave_ = false, reopening_ = false;
};

}  // namespace bricks
