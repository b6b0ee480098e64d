// The queue groups of the process: each has a number, a rate and a queue's rules, and is shared by
// all workers, so that its rate is one however many there are. Workers look groups up and take
// tokens without a lock; creating, changing and deleting takes one.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "queues/queue_parameters.hh"
#include "queues/queue_stats.hh"

namespace bricks {

struct QueueWorker;     // queues/queue_worker.hh
struct QueueGroupSlot;  // queues/queue_group_slot.hh

struct QueueGroupInfo {
  uint32_t id;
  QueueParameters parameters;
  QueueStats stats;
  uint32_t updates;  // how often its parameters were changed
  uint32_t workers;  // that have had packets of it and are still there
};

class QueueGroups {
 public:
  QueueGroups();
  ~QueueGroups();

  // A group of that number with these parameters. It is there with the same ones: nothing happens,
  // and no lock is taken. With others: they hold from now on; tokens beyond the new bucket are
  // gone, packets that wait stay. invalid_argument, limit_reached (kQueueGroupsMax).
  Status create(uint32_t id, const QueueParameters& parameters);
  // No packet comes to it any more. What waits leaves at its rate, or is dropped (at_end).
  // invalid_argument: no such group.
  Status remove(uint32_t id);
  bool has(uint32_t id) const noexcept { return find(id) != nullptr; }  // without a lock
  Status get(uint32_t id, QueueGroupInfo* info) const;                  // invalid_argument
  std::vector<QueueGroupInfo> list() const;                             // by number

  // For workers; without a lock but where a worker comes and goes. What it has counted stays with
  // the groups. Null: there is none of that number.
  QueueGroupSlot* find(uint32_t id) const noexcept;
  QueueGroupSlot& slot(uint32_t place) const noexcept;
  uint32_t place_of(const QueueGroupSlot& slot) const noexcept;
  uint64_t changes() const noexcept;  // grows whenever a group is created, changed or deleted
  void join(QueueWorker& worker);
  void leave(QueueWorker& worker);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The one of this process.
QueueGroups& process_queue_groups();

}  // namespace bricks
