// What an EgressQueues is made of. For queues/ only.
#pragma once

#include <vector>

#include "queues/egress_queues.hh"
#include "queues/group_queue.hh"
#include "queues/ip_marks.hh"

namespace bricks {

// Where a session's packets are. Those in `first` are older than those in `rear`.
struct SessionQueues {
  uint32_t in_first, in_rear, in_ready;
  uint16_t first, rear;  // places of groups
};

// A packet that has come, and its groups, by number and each once.
struct Offer {
  const Batch& batch;
  Index packet;
  uint32_t session, note, cut;
  uint32_t bytes;
  uint8_t ip_version;
  uint16_t ip_offset;
  Colour colour;  // of its DSCP
  uint32_t count;
  GroupQueue* queues[kQueueGroupsOfPacket];
};

struct QueueWorker {
  using Place = QueueItems::Item;

  QueueWorker(const EgressOptions& options, QueueGroups& groups, QueuedSessions* watcher);
  ~QueueWorker();
  Status reserve(const std::string& what);

  Nanos advance(Nanos now) noexcept;  // the worker's time: it never goes back
  Nanos look_ahead(Nanos now) const noexcept;
  // Takes on what has become of groups.
  void synchronise(Nanos now) noexcept;
  GroupQueue* find_queue(uint32_t id, Nanos now) noexcept;
  void adopt_setting(GroupQueue& queue) noexcept;  // if there is a newer one
  uint32_t find_queues(std::span<const uint32_t> ids, Nanos now, GroupQueue** to) noexcept;

  Enqueued take(const Offer& offer, Nanos now) noexcept;
  Enqueued pass(const Offer& offer, Nanos now) noexcept;
  Enqueued refuse(GroupQueue& queue, const Offer& offer, Drop reason) noexcept;
  Enqueued join(GroupQueue& queue, const Offer& offer, bool moved, Nanos now) noexcept;
  Place hold(const Offer& offer, uint32_t size, Nanos now) noexcept;
  bool has_room(GroupQueue& queue, uint32_t session, uint64_t size) noexcept;

  uint32_t groups_of(const WaitingPacket& packet, GroupQueue& queue, Nanos now,
                     GroupQueue** to) noexcept;
  // The next packet of that queue that is to go gets its tokens, or a date for them.
  void pull(GroupQueue& queue, Nanos now) noexcept;
  void move(Place place, GroupQueue& from, GroupQueue& to, Nanos now) noexcept;
  // Packets whose time has come go to the ready ones, up to `limit` of them.
  void run(Nanos until, uint32_t limit) noexcept;
  void leave(GroupQueue& queue, Nanos now) noexcept;
  bool police(Place place, GroupQueue& queue, Nanos now) noexcept;
  // All, without tokens; or with `at_end` drop: nowhere.
  void flush(uint32_t limit) noexcept;
  void drop_all(GroupQueue& queue) noexcept;
  void drop_ending() noexcept;  // what does not outlive its group
  void make_ready(Place place, Nanos now) noexcept;

  void count_lost(GroupQueue& queue, uint64_t size, Drop reason) noexcept;
  Enqueued lose(const Offer& offer, Drop reason) noexcept;  // it is not held
  // A packet that is held goes nowhere.
  void discard(Place place, Drop reason) noexcept;
  void left_queue(const WaitingPacket& packet) noexcept;  // its session's count

  void schedule(GroupQueue& queue) noexcept;
  GroupQueue* next() const noexcept { return heap.empty() ? nullptr : heap.front(); }
  void unschedule_first() noexcept;
  void reorder() noexcept;
  void close_if_deleted(GroupQueue& queue) noexcept;

  EgressOptions options;
  QueueGroups& groups;
  QueuedSessions* watcher;
  uint32_t clock;  // 1: packets' time
  QueueItems items{*this};
  QueueMember* members = nullptr;  // these by the group's place, all sparse
  GroupQueue* queues = nullptr;
  GroupQueue::Flows::Flow* flows = nullptr;
  SessionQueues* sessions = nullptr;
  std::vector<GroupQueue*> heap;  // with a packet to go, the first due in front
  std::vector<uint16_t> opened;   // places
  FlowQueue<QueueItems> ready;    // on their way out
  EgressQueues::Leaving leaving[kBatchMax];
  LedgerCell* cell = nullptr;  // of the call that runs
  uint64_t bytes = 0;          // that wait
  Nanos time = 0;
  Nanos time_offset = 0;  // from the caller's time, modulo 2^64
  uint64_t seen_changes = 0, order = 0;
  uint32_t room = UINT32_MAX;
  Nanos room_told = 0;        // by the caller's clock
  uint32_t without_rate = 0;  // opened queues of kind aqm
  bool clock_changed = false;
  uint64_t clock_back = 0, unknown = 0;
};

}  // namespace bricks
