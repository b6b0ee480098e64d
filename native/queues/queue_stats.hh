// What is counted of a queue group. Of packets, and of bytes where the name says so:
//   enqueued = dequeued + moved + dropped + backlog, and the same of bytes
// in everything that is read while no worker is in between two packets.
#pragma once

#include <array>
#include <cstdint>

#include "mem/ledger.hh"

namespace bricks {

#define BRICKS_QUEUE_COUNTS(X)                                                                  \
  X(enqueued, counter, "packets that came to it, at once on their way or not")                  \
  X(enqueued_bytes, counter, "and their bytes")                                                 \
  X(dequeued, counter, "packets that it let go")                                                \
  X(dequeued_bytes, counter, "and their bytes")                                                 \
  X(passed, counter, "of those, packets that did not have to wait")                             \
  X(policed, counter, "packets dropped because they were beyond the rate")                      \
  X(queue_full, counter, "packets dropped because as many packets or bytes waited as may")      \
  X(aqm_drop, counter, "packets dropped by RED, CoDel, PIE or FQ-CoDel")                        \
  X(oversize, counter, "packets dropped because they were longer than the bucket")              \
  X(queue_gone, counter, "packets dropped because the group or its worker went")                \
  X(dropped_bytes, counter, "bytes of all packets dropped")                                     \
  X(moved, counter, "packets that went on to wait in another of their groups")                  \
  X(moved_bytes, counter, "and their bytes")                                                    \
  X(marked, counter, "packets marked: they have met congestion (ECN)")                          \
  X(yellow, counter, "packets beyond the committed rate that went on all the same")             \
  X(drained, counter, "packets that went on without tokens, because the group or worker went")  \
  X(delay_us, counter, "microseconds that those who waited and went have waited, all together") \
  X(backlog, gauge, "packets that wait now")                                                    \
  X(backlog_bytes, gauge, "and their bytes")

enum class QueueCount : uint8_t {
#define X(name, kind, text) name,
  BRICKS_QUEUE_COUNTS(X)
#undef X
};

inline constexpr FigureDescriptor kQueueCounts[] = {
#define X(name, kind, text) {#name, FigureKind::kind, text},
    BRICKS_QUEUE_COUNTS(X)
#undef X
};
inline constexpr uint32_t kQueueCountsSize = sizeof kQueueCounts / sizeof kQueueCounts[0];
// Delays of less than 1, 2, 4, ... microseconds; the last has the rest.
inline constexpr uint32_t kQueueDelays = 24;

struct QueueStats {
  std::array<uint64_t, kQueueCountsSize> count{};
  std::array<uint64_t, kQueueDelays> delays{};

  uint64_t& operator[](QueueCount which) noexcept { return count[static_cast<uint32_t>(which)]; }
  uint64_t operator[](QueueCount which) const noexcept {
    return count[static_cast<uint32_t>(which)];
  }
  uint64_t dropped() const noexcept {
    using enum QueueCount;
    const QueueStats& self = *this;
    return self[policed] + self[queue_full] + self[aqm_drop] + self[oversize] + self[queue_gone];
  }
  // The equation above.
  bool balanced() const noexcept {
    using enum QueueCount;
    const QueueStats& s = *this;
    return s[enqueued] == s[dequeued] + s[moved] + dropped() + s[backlog] &&
           s[enqueued_bytes] ==
               s[dequeued_bytes] + s[moved_bytes] + s[dropped_bytes] + s[backlog_bytes];
  }
  void add(const QueueStats& other) noexcept {
    for (uint32_t i = 0; i < kQueueCountsSize; ++i) count[i] += other.count[i];
    for (uint32_t i = 0; i < kQueueDelays; ++i) delays[i] += other.delays[i];
  }
};

}  // namespace bricks
