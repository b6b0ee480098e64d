// One worker's part of a queue group: its copy of the group's setting, its way to the tokens, and
// the packets of this worker that wait. For queues/ only.
#pragma once

#include "queues/fq_codel.hh"
#include "queues/queue_group_slot.hh"
#include "queues/queue_items.hh"

namespace bricks {

struct GroupQueue {
  using Place = QueueItems::Item;
  using Flows = FqCodel<QueueItems>;

  QueueGroupSlot* slot = nullptr;
  QueueMember* member = nullptr;
  uint32_t generation = 0;  // of the slot when it was opened; 0: not open
  uint32_t version = 0;     // of the setting it has
  uint32_t id = 0;
  uint32_t place = 0;
  QueueSetting setting;
  int64_t offset = 0;  // from the worker's time to the group's

  int64_t credit = 0;  // leased: tokens at hand
  Nanos lease_end = 0;

  // All that wait, the one at the head, too.
  uint32_t packets = 0;
  uint64_t bytes = 0;
  FlowQueue<QueueItems> line;
  Flows flows;
  Codel codel;
  Red red;
  Pie pie;
  CounterRandom random;
  bool has_flows = false;

  // The packet that is next to go: it has passed the algorithm and has its tokens from `due` on.
  Place pulled = QueueItems::kNone;
  Nanos due = 0;
  uint64_t order = 0;  // among those due at one time
  uint32_t heap_place = 0;
  uint32_t grants = 0;
  struct Grant {
    GroupQueue* queue;
    uint64_t position;  // of the group's stream; void where `instant`
    bool instant;
    uint64_t tokens;
  } granted[kQueueGroupsOfPacket];

  const QueueParameters& parameters() const noexcept { return setting.parameters; }
  QueueKind kind() const noexcept { return setting.parameters.kind; }
  bool waits() const noexcept { return packets != 0; }

  // False: the setting is being written just now; not open.
  bool open(QueueGroupSlot& slot, QueueMember& member, uint32_t place, Flows::Flow* flow_memory,
            uint32_t id) noexcept;
  void adopt(const QueueSetting& next) noexcept;
  bool is_deleted() const noexcept { return slot->generation.load() != generation; }

  // Tokens. `clock`: 0 the wall's, 1 packets'. Times are the worker's.
  uint64_t size_of(uint32_t ip_bytes) const noexcept;
  bool fits(uint64_t size) const noexcept;  // ever
  // What a packet would be; nothing is taken. A shaper's are green or red.
  Colour judge(uint64_t size, Nanos now, uint32_t clock, Colour before) noexcept;
  // Red: nothing is taken.
  Colour take(uint64_t size, Nanos now, uint32_t clock, Colour before) noexcept;
  void give_back(uint64_t size, uint32_t clock, Colour taken) noexcept;
  // Of shapers: takes the tokens in any case, for later.
  Grant reserve(uint64_t size, Nanos now, uint32_t clock) noexcept;
  Nanos ready_at(const Grant& grant, Nanos now, uint32_t clock) const noexcept;
  void use(const Grant& grant, Nanos now, uint32_t clock) noexcept;  // its packet leaves
  Nanos would_be_ready(uint64_t size, Nanos now, uint32_t clock) noexcept;

  // The queue. True: the algorithm wants the packet dropped, or marked if it may be: `forced` says
  // that it may not.
  bool drops_arrival(Nanos now, bool* forced) noexcept;
  void push(QueueItems& items, Place item) noexcept;
  Place pull(QueueItems& items, Nanos now) noexcept;  // kNone: nothing is left
  Place pop_any(QueueItems& items) noexcept;          // without the algorithm
  void gone(uint64_t size) noexcept;                  // one less waits

 private:
  Nanos there(Nanos now, uint32_t clock) noexcept;
  bool take_leased(uint64_t needed, uint64_t taken, Nanos now, uint32_t clock) noexcept;
  uint64_t needed_for(uint64_t size) const noexcept;
  bool take_committed(uint64_t size, Nanos now, uint32_t clock, uint64_t* spilled) noexcept;
};

}  // namespace bricks
