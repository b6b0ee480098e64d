// A worker's memory, time and groups.
#include "queues/queue_worker.hh"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

namespace bricks {
namespace {

constexpr Nanos kClockBack =
    1000000000;  // further back: the clock was set, or a capture began anew

template <typename T>
uint64_t bytes_of(uint64_t count) noexcept {
  return sizeof(T) * std::max<uint64_t>(count, 1);
}

template <typename T>
bool map(T** to, uint64_t count) {
  void* memory = mmap(nullptr, bytes_of<T>(count), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return false;
  *to = static_cast<T*>(memory);
  return true;
}

template <typename T>
void unmap(T* memory, uint64_t count) {
  if (memory) munmap(static_cast<void*>(memory), bytes_of<T>(count));
}

constexpr uint64_t kFlows = uint64_t{kQueueGroupsMax} * kQueueFlowsMax;

// The one that is due last comes last; of one time, the one that was pulled last.
bool later(const GroupQueue* a, const GroupQueue* b) noexcept {
  return a->due != b->due ? a->due > b->due : a->order > b->order;
}

}  // namespace

QueueWorker::QueueWorker(const EgressOptions& wanted, QueueGroups& all, QueuedSessions* who)
    : options(wanted), groups(all), watcher(who), clock(wanted.virtual_time) {}

Status QueueWorker::reserve(const std::string& what) {
  if (!map(&members, kQueueGroupsMax) || !map(&queues, kQueueGroupsMax) || !map(&flows, kFlows) ||
      !map(&sessions, options.sessions)) {
    return system_error(what + " cannot have the memory for its queues", errno);
  }
  Status status = HeldPackets::create(what, options.packets, &items.held);
  if (!status.ok()) return status;
  items.all.resize(items.held->capacity());
  heap.reserve(kQueueGroupsMax);
  opened.reserve(kQueueGroupsMax);
  groups.join(*this);
  return {};
}

QueueWorker::~QueueWorker() {
  if (items.held) {
    LedgerCell nobody;
    cell = &nobody;
    for (const uint16_t place : opened) drop_all(queues[place]);
    for (Place place = ready.pop(items); place != QueueItems::kNone; place = ready.pop(items)) {
      const WaitingPacket& packet = items.all[place];
      if (watcher && packet.session) watcher->left(packet.session, false);
    }
    groups.leave(*this);
  }
  unmap(members, kQueueGroupsMax);
  unmap(queues, kQueueGroupsMax);
  unmap(flows, kFlows);
  unmap(sessions, options.sessions);
}

Nanos QueueWorker::look_ahead(Nanos now) const noexcept {
  return std::max(now + time_offset, time);
}

Nanos QueueWorker::advance(Nanos now) noexcept {
  const Nanos there = now + time_offset;
  if (there >= time) return time = there;
  if (time - there > kClockBack) {
    time_offset += time - there;
    ++clock_back;
  }
  return time;
}

void QueueWorker::adopt_setting(GroupQueue& queue) noexcept {
  QueueSetting next;
  uint32_t version = 0;
  if (!queue.slot->read(&next, &version) || version == queue.version) return;
  without_rate -= queue.kind() == QueueKind::aqm;
  queue.adopt(next);
  queue.version = version;
  without_rate += queue.kind() == QueueKind::aqm;
}

GroupQueue* QueueWorker::find_queue(uint32_t id, Nanos now) noexcept {
  QueueGroupSlot* slot = groups.find(id);
  if (!slot) return nullptr;
  const uint32_t place = groups.place_of(*slot);
  GroupQueue& queue = queues[place];
  const uint32_t generation = slot->generation.load();
  if (queue.generation != generation) {
    if (queue.generation != 0 || !(generation & 1)) return nullptr;
    QueueMember& member = members[place];
    // Said first and looked at again: whoever deletes the group looks the other way round.
    member.clear();
    member.generation.store(generation);
    if (slot->generation.load() != generation ||
        !queue.open(*slot, member, place, flows + uint64_t{place} * kQueueFlowsMax, id)) {
      member.generation.store(0);
      return nullptr;
    }
    queue.generation = generation;
    opened.push_back(static_cast<uint16_t>(place));
    without_rate += queue.kind() == QueueKind::aqm;
    // Packets' time of several captures is none: who comes later goes on from where the group is.
    const Nanos latest = slot->buckets[1].latest.load(std::memory_order_relaxed);
    if (clock == 1 && latest) queue.offset = static_cast<int64_t>(latest - now);
  } else if (queue.version != slot->version.load(std::memory_order_relaxed)) {
    adopt_setting(queue);
  }
  return &queue;
}

uint32_t QueueWorker::find_queues(std::span<const uint32_t> ids, Nanos now,
                                  GroupQueue** to) noexcept {
  uint32_t count = 0;
  for (const uint32_t id : ids.first(std::min<size_t>(ids.size(), kQueueGroupsOfPacket))) {
    GroupQueue* queue = find_queue(id, now);
    if (!queue) {
      ++unknown;
      continue;
    }
    uint32_t at = count;
    while (at > 0 && to[at - 1]->id > id) --at;
    if (at > 0 && to[at - 1] == queue) continue;
    for (uint32_t i = count; i > at; --i) to[i] = to[i - 1];
    to[at] = queue;
    ++count;
  }
  return count;
}

void QueueWorker::close_if_deleted(GroupQueue& queue) noexcept {
  if (queue.waits() || !queue.is_deleted()) return;
  queue.generation = 0;
  without_rate -= queue.kind() == QueueKind::aqm;
  std::erase(opened, static_cast<uint16_t>(queue.place));
  queue.member->generation.store(0);
}

void QueueWorker::synchronise(Nanos now) noexcept {
  const uint64_t changes = groups.changes();
  if (changes == seen_changes && !clock_changed) return;
  if (clock_changed) {
    for (WaitingPacket& packet : items.all) packet.came = packet.first = now;
  }
  for (size_t i = opened.size(); i-- > 0;) {
    GroupQueue& queue = queues[opened[i]];
    if (clock_changed) queue.offset = 0;
    if (!queue.is_deleted()) {
      adopt_setting(queue);
    } else if (queue.parameters().drop_at_end) {
      drop_all(queue);
    }
    if (clock_changed && queue.pulled != QueueItems::kNone) {
      const uint32_t bytes_here = items.all[queue.pulled].bytes;
      for (uint32_t k = 0; k < queue.grants; ++k) {
        GroupQueue& other = *queue.granted[k].queue;
        queue.granted[k] = other.reserve(other.size_of(bytes_here), now, clock);
      }
    }
    close_if_deleted(queue);
  }
  for (GroupQueue* queue : heap) {
    queue->due = now;
    for (uint32_t k = 0; k < queue->grants; ++k) {
      const GroupQueue::Grant& grant = queue->granted[k];
      queue->due = std::max(queue->due, grant.queue->ready_at(grant, now, clock));
    }
  }
  reorder();
  seen_changes = changes;
  clock_changed = false;
}

void QueueWorker::reorder() noexcept { std::make_heap(heap.begin(), heap.end(), later); }

void QueueWorker::schedule(GroupQueue& queue) noexcept {
  queue.order = order++;
  heap.push_back(&queue);
  std::push_heap(heap.begin(), heap.end(), later);
}

void QueueWorker::unschedule_first() noexcept {
  std::pop_heap(heap.begin(), heap.end(), later);
  heap.pop_back();
}

}  // namespace bricks
