// What goes into TCP reassembly and what comes out. Nothing here owns memory.
#pragma once

#include <cstdint>
#include <span>

#include "wire/packet.hh"

namespace bricks::streams {

enum TcpFlag : uint8_t { kFin = 1, kSyn = 2, kRst = 4, kPush = 8, kAck = 16, kUrgent = 32 };

// One segment as it was seen. Numbers in host order.
struct TcpSegment {
  uint32_t seq = 0;  // as in the header: of the SYN where there is one
  uint32_t ack = 0;  // read where flags has kAck
  uint8_t flags = 0;
  uint16_t window = 0;               // not scaled; only zero or not matters
  uint16_t urgent = 0;               // read where flags has kUrgent (RFC 6093)
  const uint8_t* payload = nullptr;  // `length` captured bytes
  uint32_t length = 0;
  uint32_t wire_length = 0;  // bytes it had on the wire; more than `length`: the capture cut it
  Nanos time = 0;            // when it was seen
};

enum class GapReason : uint8_t {
  ack_passed,  // the receiver has the bytes, we never saw them
  cap,         // memory or segments ran out; what waited behind the hole goes on
  flush,       // the connection is over
  timeout,     // nobody filled the hole in StreamOptions.hole_timeout
  midstream,   // length 0, offset 0: what came before is not known, not even how much
  urgent,      // one byte, taken out by UrgentPolicy::gap
};
inline constexpr uint32_t kGapReasonCount = 6;
const char* gap_reason_name(GapReason reason) noexcept;

enum class EndReason : uint8_t {
  fin,      // every byte before the FIN was given or said to be missing
  depth,    // StreamOptions.depth is reached; nothing of the direction is looked at any more
  cap,      // OverCap::stop
  stopped,  // TcpStreams::stop()
};

// Bytes that came twice and were not the same: somebody wants two readers to see two things.
struct Conflict {
  uint64_t offset;            // of the first byte that differs
  uint32_t length;            // up to the last one
  uint64_t had, came;         // digests of those bytes, of before and of the segment (digest_of)
  const uint8_t* had_bytes;   // during the call
  const uint8_t* came_bytes;  // during the call
  bool delivered;  // what was had has been given out; else the policy chooses between the two
};

// Offsets are of the stream: 0 is the first byte behind the SYN, or the first one seen midstream.
// They never change, and they go on over gaps and over urgent bytes that were taken out. A sink may
// not call the TcpStreams that calls it.
class Sink {
 public:
  // The next bytes. In order and alone they are the packet's own memory; else they are the pool's
  // and stay until TcpStreams::recycle().
  virtual void payload(uint32_t direction, uint64_t offset, std::span<const uint8_t> bytes) = 0;
  virtual void gap(uint32_t direction, uint64_t offset, uint64_t length, GapReason reason) = 0;
  virtual void conflict(uint32_t direction, const Conflict& conflict) {
    (void)direction, (void)conflict;
  }
  // UrgentPolicy::out_of_band: the byte at that offset.
  virtual void urgent(uint32_t direction, uint64_t offset, uint8_t byte) {
    (void)direction, (void)offset, (void)byte;
  }
  // Nothing of the direction comes any more; but after undo(), and where a SYN comes behind a FIN
  // that came before any.
  virtual void end(uint32_t direction, uint64_t offset, EndReason reason) {
    (void)direction, (void)offset, (void)reason;
  }

 protected:
  ~Sink() = default;
};

// What became of a segment's payload, for who has a policy for it.
enum class Taken : uint8_t {
  nothing,   // it has none that counts: empty, a keep-alive, a zero-window probe, of a RST
  in_order,  // given out, all of it that was new, and what waited behind it
  waiting,   // kept: a hole is before it, or (Delivery::acked) nobody acknowledged it yet
  old,       // all of it was had before
  invalid,   // before the stream's start, behind its FIN, or further ahead than windows go
  refused,   // over a cap (OverCap::refuse)
  stopped,   // the direction is over: EndReason
};

}  // namespace bricks::streams
