// The packets that wait in a worker's queues: what is known of them beside what HeldPackets keeps.
// For queues/ only.
#pragma once

#include <vector>

#include "mem/ledger.hh"
#include "wire/held_packets.hh"

namespace bricks {

struct GroupQueue;
struct QueueWorker;

struct WaitingPacket {
  Nanos came;      // to this queue
  Nanos first;     // to the first one
  uint32_t bytes;  // of its IP packet
  uint32_t size;   // in its queue: with the group's overhead
  uint32_t session, note;
  uint32_t groups[kQueueGroupsOfPacket];  // ids
  uint8_t group_count;
  uint8_t ip_version;
  uint16_t ip_offset;
  bool moved;  // has left the queue it came to, for another one
};

// What FlowQueue and FqCodel want (queues/flow_queue.hh).
class QueueItems {
 public:
  using Item = HeldPackets::Place;
  static constexpr Item kNone = HeldPackets::kNowhere;

  explicit QueueItems(QueueWorker& worker) noexcept : worker_(worker) {}
  Item& next(Item item) noexcept { return held->next(item); }
  uint32_t bytes(Item item) const noexcept { return all[item].size; }
  Nanos enqueued(Item item) const noexcept { return all[item].came; }
  bool mark(Item item) noexcept;
  void drop(Item item) noexcept;  // by the algorithm of `queue`

  std::unique_ptr<HeldPackets> held;
  std::vector<WaitingPacket> all;  // by place
  GroupQueue* queue = nullptr;     // whose algorithm runs

 private:
  QueueWorker& worker_;
};

}  // namespace bricks
