#include "queues/queue_groups.hh"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>

#include "queues/queue_group_slot.hh"
#include "queues/queue_worker.hh"

namespace bricks {
namespace {

constexpr uint32_t kTableSize = kQueueGroupsMax * 4;  // at most a quarter full: short runs
constexpr uint64_t kEmpty = 0, kRemoved = UINT64_MAX;

uint32_t start_of(uint32_t id) noexcept {
  return static_cast<uint32_t>((id * uint64_t{0x9e3779b97f4a7c15}) >> 32) % kTableSize;
}
uint32_t after(uint32_t place) noexcept { return place + 1 == kTableSize ? 0 : place + 1; }
uint64_t entry_of(uint32_t id, uint32_t place) noexcept { return uint64_t{id} << 32 | (place + 1); }

std::string name_of(uint32_t id) { return "queue group " + std::to_string(id); }

}  // namespace

struct QueueGroups::State {
  mutable std::mutex mutex;
  QueueGroupSlot* slots = nullptr;  // kQueueGroupsMax, sparse
  std::atomic<uint64_t> table[kTableSize];
  std::map<uint32_t, uint32_t> by_id;
  std::vector<QueueWorker*> workers;
  uint32_t used = 0;  // slots that ever were
  std::atomic<uint64_t> changes{1};

  // Slots that a worker still drains are not free.
  bool is_free(const QueueGroupSlot& slot) const noexcept {
    if (slot.generation.load() & 1) return false;
    const auto place = static_cast<size_t>(&slot - slots);
    return std::none_of(workers.begin(), workers.end(), [place](const QueueWorker* worker) {
      return worker->members[place].generation.load() != 0;
    });
  }
  QueueStats sum(uint32_t place) const noexcept {
    const QueueGroupSlot& slot = slots[place];
    QueueStats all = slot.gone;
    for (const QueueWorker* worker : workers) {
      const QueueMember& member = worker->members[place];
      if (member.generation.load(std::memory_order_acquire) == slot.generation.load()) {
        all.add(member.stats());
      }
    }
    return all;
  }
  void enter(uint32_t id, uint32_t place) noexcept {
    uint32_t at = start_of(id);
    while (true) {
      const uint64_t there = table[at].load(std::memory_order_relaxed);
      if (there == kEmpty || there == kRemoved) break;
      at = after(at);
    }
    table[at].store(entry_of(id, place), std::memory_order_release);
  }
  void take_out(uint32_t id) noexcept {
    uint32_t at = start_of(id);
    while (table[at].load(std::memory_order_relaxed) >> 32 != id ||
           table[at].load(std::memory_order_relaxed) == kRemoved) {
      at = after(at);
    }
    table[at].store(kRemoved, std::memory_order_release);
    // Marks before a gap are of no use: nobody looks beyond the gap for anything.
    while (table[at].load(std::memory_order_relaxed) == kRemoved &&
           table[after(at)].load(std::memory_order_relaxed) == kEmpty) {
      table[at].store(kEmpty, std::memory_order_release);
      at = at == 0 ? kTableSize - 1 : at - 1;
    }
  }
};

QueueGroups::QueueGroups() : state_(std::make_unique<State>()) {
  for (auto& entry : state_->table) entry.store(kEmpty, std::memory_order_relaxed);
  void* memory = mmap(nullptr, sizeof(QueueGroupSlot) * kQueueGroupsMax, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) std::abort();  // 8 MiB of address space; the process has just begun
  state_->slots = static_cast<QueueGroupSlot*>(memory);
}

QueueGroups::~QueueGroups() {
  munmap(static_cast<void*>(state_->slots), sizeof(QueueGroupSlot) * kQueueGroupsMax);
}

QueueGroups& process_queue_groups() {
  static QueueGroups* const groups = new QueueGroups;  // outlives every thread that uses it
  return *groups;
}

QueueGroupSlot* QueueGroups::find(uint32_t id) const noexcept {
  uint32_t at = start_of(id);
  for (uint32_t i = 0; i < kTableSize; ++i, at = after(at)) {
    const uint64_t entry = state_->table[at].load(std::memory_order_acquire);
    if (entry == kEmpty) return nullptr;
    if (entry >> 32 == id && entry != kRemoved) {
      return &state_->slots[static_cast<uint32_t>(entry) - 1];
    }
  }
  return nullptr;
}

QueueGroupSlot& QueueGroups::slot(uint32_t place) const noexcept { return state_->slots[place]; }

uint32_t QueueGroups::place_of(const QueueGroupSlot& slot) const noexcept {
  return static_cast<uint32_t>(&slot - state_->slots);
}

uint64_t QueueGroups::changes() const noexcept {
  return state_->changes.load(std::memory_order_acquire);
}

Status QueueGroups::create(uint32_t id, const QueueParameters& parameters) {
  QueueSetting there;
  uint32_t seen = 0;
  const QueueGroupSlot* known = find(id);
  if (known && known->read(&there, &seen) && there.parameters == parameters) return {};
  Status status = check_queue_parameters(name_of(id), parameters);
  if (!status.ok()) return status;
  const std::lock_guard lock(state_->mutex);
  if (const auto place = state_->by_id.find(id); place != state_->by_id.end()) {
    QueueGroupSlot& slot = state_->slots[place->second];
    if (slot.setting.parameters == parameters) return {};
    const QueueParameters& p = parameters;
    QueueSetting next;
    next.parameters = p;
    // Each stream goes on from where it is; a bucket that is smaller now runs over by itself.
    for (uint32_t clock = 0; clock < 2; ++clock) {
      const Nanos now = slot.buckets[clock].latest.load(std::memory_order_relaxed);
      const uint64_t at = slot.setting.committed[clock].at(now);
      next.committed[clock] = TokenStream::make(p.cir, p.cbs, now, at);
      const uint64_t peak_at = slot.setting.peak[clock].at(now);
      next.peak[clock] = TokenStream::make(p.pir, p.ebs, now, peak_at);
      SpillBucket& excess = slot.buckets[clock].excess;
      excess.set(std::min(excess.tokens(), p.ebs * kTokensPerByte));
    }
    slot.publish(next);
    ++slot.updates;
    state_->changes.fetch_add(1, std::memory_order_release);
    return {};
  }
  uint32_t place = 0;
  while (place < state_->used && !state_->is_free(state_->slots[place])) ++place;
  if (place == kQueueGroupsMax) {
    return {Code::limit_reached, name_of(id) + ": there are " + std::to_string(kQueueGroupsMax) +
                                     " queue groups already; delete those that are not used"};
  }
  state_->used = std::max(state_->used, place + 1);
  QueueGroupSlot& slot = state_->slots[place];
  QueueSetting next;
  next.parameters = parameters;
  for (uint32_t clock = 0; clock < 2; ++clock) {
    next.committed[clock] = TokenStream::make(parameters.cir, parameters.cbs, 0, 0);
    next.peak[clock] = TokenStream::make(parameters.pir, parameters.ebs, 0, 0);
    QueueGroupSlot::Buckets& buckets = slot.buckets[clock];
    buckets.committed.fill();
    buckets.peak.fill();
    buckets.excess.set(parameters.ebs * kTokensPerByte);
    buckets.latest.store(0, std::memory_order_relaxed);
  }
  slot.id = id;
  slot.updates = 0;
  slot.gone = {};
  slot.backlog.store(0, std::memory_order_relaxed);
  slot.backlog_bytes.store(0, std::memory_order_relaxed);
  slot.publish(next);
  slot.generation.fetch_add(1);  // odd
  state_->by_id[id] = place;
  state_->enter(id, place);
  state_->changes.fetch_add(1, std::memory_order_release);
  return {};
}

Status QueueGroups::remove(uint32_t id) {
  const std::lock_guard lock(state_->mutex);
  const auto place = state_->by_id.find(id);
  if (place == state_->by_id.end()) {
    return {Code::invalid_argument, "there is no " + name_of(id) +
                                        "; BRICKS.queue_groups() lists "
                                        "those there are"};
  }
  state_->take_out(id);
  state_->slots[place->second].generation.fetch_add(1);  // even
  state_->by_id.erase(place);
  state_->changes.fetch_add(1, std::memory_order_release);
  return {};
}

Status QueueGroups::get(uint32_t id, QueueGroupInfo* info) const {
  const std::lock_guard lock(state_->mutex);
  const auto place = state_->by_id.find(id);
  if (place == state_->by_id.end()) {
    return {Code::invalid_argument, "there is no " + name_of(id)};
  }
  const QueueGroupSlot& slot = state_->slots[place->second];
  info->id = id;
  info->parameters = slot.setting.parameters;
  info->stats = state_->sum(place->second);
  info->updates = slot.updates;
  info->workers = static_cast<uint32_t>(
      std::count_if(state_->workers.begin(), state_->workers.end(), [&](const QueueWorker* worker) {
        return worker->members[place->second].generation.load() == slot.generation.load();
      }));
  return {};
}

std::vector<QueueGroupInfo> QueueGroups::list() const {
  std::vector<uint32_t> ids;
  {
    const std::lock_guard lock(state_->mutex);
    for (const auto& [id, place] : state_->by_id) ids.push_back(id);
  }
  std::vector<QueueGroupInfo> all;
  for (const uint32_t id : ids) {
    if (QueueGroupInfo info; get(id, &info).ok()) all.push_back(info);
  }
  return all;
}

void QueueGroups::join(QueueWorker& worker) {
  const std::lock_guard lock(state_->mutex);
  state_->workers.push_back(&worker);
}

void QueueGroups::leave(QueueWorker& worker) {
  const std::lock_guard lock(state_->mutex);
  std::erase(state_->workers, &worker);
  for (uint32_t place = 0; place < state_->used; ++place) {
    const QueueMember& member = worker.members[place];
    QueueGroupSlot& slot = state_->slots[place];
    const uint32_t generation = member.generation.load();
    if (generation && generation == slot.generation.load()) slot.gone.add(member.stats());
  }
}

}  // namespace bricks
