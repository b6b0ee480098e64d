// What is counted of a queue group. Of packets, and of bytes where the name says so:
//   enqueued = dequeued + moved + dropped + backlog, and the same of bytes
// in everything that is read while no worker is in between two packets.
#pragma once

#include <array>
#include <cstdint>

namespace bricks {

#define BRICKS_QUEUE_COUNTS(X)                                                         \
  X(enqueued, "packets that came to it, at once on their way or not")                  \
  X(enqueued_bytes, "and their bytes")                                                 \
  X(dequeued, "packets that it let go")                                                \
  X(dequeued_bytes, "and their bytes")                                                 \
  X(passed, "of those, packets that did not have to wait")                             \
  X(policed, "packets dropped because they were beyond the rate")                      \
  X(queue_full, "packets dropped because as many packets or bytes waited as may")      \
  X(aqm_drop, "packets dropped by RED, CoDel, PIE or FQ-CoDel")                        \
  X(oversize, "packets dropped because they were longer than the bucket")              \
  X(queue_gone, "packets dropped because the group or its worker went")                \
  X(dropped_bytes, "bytes of all packets dropped")                                     \
  X(moved, "packets that went on to wait in another of their groups")                  \
  X(moved_bytes, "and their bytes")                                                    \
  X(marked, "packets marked: they have met congestion (ECN)")                          \
  X(yellow, "packets beyond the committed rate that went on all the same")             \
  X(drained, "packets that went on without tokens, because the group or worker went")  \
  X(delay_us, "microseconds that those who waited and went have waited, all together") \
  X(backlog, "packets that wait now")                                                  \
  X(backlog_bytes, "and their bytes")

enum class QueueCount : uint8_t {
#define X(name, text) name,
  BRICKS_QUEUE_COUNTS(X)
#undef X
};

struct QueueCountInfo {
  const char* name;
  const char* summary;
};
inline constexpr QueueCountInfo kQueueCounts[] = {
#define X(name, text) {#name, text},
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
