// The ledger: where every packet ended. One cell per input, brick and output; each is written by
// its engine's thread only and copied out whole at the end of a breath (engine/engine.hh), so that
//   received + copies = delivered + dropped + held
// holds in everything that anybody else ever sees.
#pragma once

#include <array>
#include <cstdint>

namespace bricks {

// Why a packet was not delivered. One table for ledger, metrics, status and documentation.
#define BRICKS_DROP_REASONS(X)                                                           \
  X(kernel, "the kernel's receive ring was full before the engine came by")              \
  X(oversize, "longer than this port can carry, or than its queue group's bucket")       \
  X(malformed, "the capture's record cannot be a packet")                                \
  X(ring_full, "the pipe was full: its consumer is slower than its packets")             \
  X(gave_way, "no spill buffer was left and this pipe's overflow queue was the longest") \
  X(no_consumer, "the pipe was full and nobody is attached")                             \
  X(stalled, "a lossless replay gave up waiting for this consumer")                      \
  X(unread, "the pipe was taken down while it held packets nobody had read")             \
  X(filtered, "a Filter said no")                                                        \
  X(duplicate, "a Deduplicator had seen it a moment before")                             \
  X(rate_limited, "more than a Filter's rule lets through in that time")                 \
  X(plugin, "a plugin of a Session said no")                                             \
  X(session_killed, "a plugin of a Session had ended its session a moment before")       \
  X(sessions_full, "a Session with on_full = drop had no room for its session")          \
  X(policed, "beyond the rate of a queue group that is a policer")                       \
  X(queue_full, "as many packets or bytes waited in its queue group as may")             \
  X(aqm_drop, "RED, CoDel, PIE or FQ-CoDel kept its queue group short")                  \
  X(queue_gone, "its queue group went, or the engine stopped, while it waited")          \
  X(link_type, "this output cannot hold packets of that link type")                      \
  X(writer_busy, "the capture file's writer could not keep up")                          \
  X(write_failed, "the capture file could not be written")                               \
  X(transmit_full, "the device's transmit ring was full")                                \
  X(transmit_failed, "the device refused the packet")

enum class Drop : uint8_t {
#define X(name, text) name,
  BRICKS_DROP_REASONS(X)
#undef X
};

struct DropReason {
  const char* name;
  const char* summary;
};

inline constexpr DropReason kDropReasons[] = {
#define X(name, text) {#name, text},
    BRICKS_DROP_REASONS(X)
#undef X
};
inline constexpr uint32_t kDropReasonCount = sizeof kDropReasons / sizeof kDropReasons[0];

// Why a header was not believed: counted per input, never a reason to lose the packet. The flow is
// that of the last header that made sense.
#define BRICKS_HEADER_FAULTS(X)                                                       \
  X(none, "all headers make sense")                                                   \
  X(cut_short, "the captured bytes end inside a header")                              \
  X(bad_length, "a header's length cannot be: IHL below 5, a total below its header") \
  X(bad_version, "an IP header says another version than what led to it")             \
  X(too_deep, "more headers or tunnels than are followed")

enum class HeaderFault : uint8_t {
#define X(name, text) name,
  BRICKS_HEADER_FAULTS(X)
#undef X
};

inline constexpr DropReason kHeaderFaults[] = {
#define X(name, text) {#name, text},
    BRICKS_HEADER_FAULTS(X)
#undef X
};
inline constexpr uint32_t kHeaderFaultCount = sizeof kHeaderFaults / sizeof kHeaderFaults[0];

// A count beside the ledger: "duplicates", "sessions", "late". For status and metrics.
struct Figure {
  const char* name;  // of a FigureDescriptor
  uint64_t value;
};
enum class FigureKind : uint8_t {
  counter,  // grows only, as long as its row lives
  gauge,    // what is so now: goes up and down
};
struct FigureDescriptor {
  const char* name;
  FigureKind kind;      // metrics say it: a counter's rate means something, a gauge's does not
  const char* summary;  // one line, with the unit where it is not a count
};
inline constexpr uint32_t kFiguresMax = 48;  // of one brick

// One row. All counts are packets since the row began, but where the name says bytes.
struct alignas(64) LedgerCell {
  uint64_t packets = 0;    // inputs: received (kernel drops included); bricks, outputs: came in
  uint64_t bytes = 0;      // inputs: of those, captured bytes
  uint64_t delivered = 0;  // outputs: the consumer has them
  uint64_t delivered_bytes = 0;
  uint64_t copies = 0;   // bricks: packets that duplication added
  uint64_t not_ip = 0;   // inputs: of those received and decoded, without an IP header
  uint64_t spilled = 0;  // outputs: of those held, in the overflow queue
  // Taken and not yet given on; not a sum, a level. Outputs: in the ring or queue; bricks that
  // hold: until their time has come; inputs: fragments that wait for their first one.
  uint64_t held = 0;
  std::array<uint64_t, kHeaderFaultCount> header_faults{};  // inputs; of those received and decoded
  std::array<uint64_t, kDropReasonCount> dropped{};

  void drop(Drop reason, uint64_t count = 1) noexcept {
    dropped[static_cast<uint32_t>(reason)] += count;
  }
  uint64_t dropped_total() const noexcept {
    uint64_t sum = 0;
    for (uint64_t n : dropped) sum += n;
    return sum;
  }
};

}  // namespace bricks
