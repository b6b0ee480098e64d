// A place for a queue group: what its workers share. For queues/ only.
#pragma once

#include <cstring>
#include <type_traits>

#include "mem/limits.hh"
#include "queues/queue_parameters.hh"
#include "queues/queue_stats.hh"
#include "queues/shared_bucket.hh"

namespace bricks {

// What a worker copies of a group, whole.
struct QueueSetting {
  QueueParameters parameters;
  TokenStream committed[2], peak[2];  // of the wall clock, of packets' time
};
static_assert(std::is_trivially_copyable_v<QueueSetting> && sizeof(QueueSetting) % 8 == 0);

struct alignas(64) QueueGroupSlot {
  static constexpr uint32_t kWords = sizeof(QueueSetting) / 8;
  struct alignas(64) Buckets {
    SharedBucket committed, peak;
    SpillBucket excess;
    std::atomic<uint64_t> latest{0};  // time that a worker has seen
  };

  // Odd: a group is here. Changes whenever one comes or goes.
  std::atomic<uint32_t> generation{0};
  // Of the setting: odd while it is being written.
  std::atomic<uint32_t> version{0};
  std::atomic<uint64_t> words[kWords];
  alignas(64) Buckets buckets[2];  // the wall clock's, packets' time's
  alignas(64) std::atomic<uint32_t> backlog{0};
  std::atomic<uint64_t> backlog_bytes{0};

  // Control thread, under the registry's lock.
  uint32_t id = 0;
  uint32_t updates = 0;
  QueueSetting setting;
  QueueStats gone;  // of workers that are gone

  void publish(const QueueSetting& next) noexcept {
    setting = next;
    uint64_t copy[kWords];
    std::memcpy(copy, &next, sizeof next);
    version.fetch_add(1, std::memory_order_acq_rel);
    for (uint32_t i = 0; i < kWords; ++i) words[i].store(copy[i], std::memory_order_release);
    version.fetch_add(1, std::memory_order_release);
  }
  // False: it is being written; what is there stays good for as long.
  bool read(QueueSetting* to, uint32_t* seen) const noexcept {
    const uint32_t before = version.load(std::memory_order_acquire);
    if (before & 1) return false;
    uint64_t copy[kWords];
    for (uint32_t i = 0; i < kWords; ++i) copy[i] = words[i].load(std::memory_order_acquire);
    if (version.load(std::memory_order_relaxed) != before) return false;
    std::memcpy(static_cast<void*>(to), copy, sizeof *to);
    *seen = before;
    return true;
  }
};

// What a worker counts of a group: written by it alone, read by anybody.
struct alignas(64) QueueMember {
  std::atomic<uint32_t> generation{0};  // of the slot; 0: it has nothing to do with it
  std::array<std::atomic<uint64_t>, kQueueCountsSize> count;
  std::array<std::atomic<uint64_t>, kQueueDelays> delays;

  void add(QueueCount which, uint64_t more = 1) noexcept {
    std::atomic<uint64_t>& cell = count[static_cast<uint32_t>(which)];
    cell.store(cell.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }
  void subtract(QueueCount which, uint64_t less) noexcept { add(which, 0 - less); }
  void add_delay(Nanos delay) noexcept {
    uint32_t bin = 0;
    for (uint64_t us = delay / 1000; us && bin < kQueueDelays - 1; us >>= 1) ++bin;
    delays[bin].store(delays[bin].load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  QueueStats stats() const noexcept {
    QueueStats sum;
    for (uint32_t i = 0; i < kQueueCountsSize; ++i) {
      sum.count[i] = count[i].load(std::memory_order_relaxed);
    }
    for (uint32_t i = 0; i < kQueueDelays; ++i) {
      sum.delays[i] = delays[i].load(std::memory_order_relaxed);
    }
    return sum;
  }
  void clear() noexcept {
    for (auto& each : count) each.store(0, std::memory_order_relaxed);
    for (auto& each : delays) each.store(0, std::memory_order_relaxed);
  }
};

}  // namespace bricks
