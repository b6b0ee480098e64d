// TCP reassembly: the bytes of many connections in order, as their receivers have them. One pool
// for each worker, its thread alone; all memory is reserved by create() and sparse, nothing is
// allocated afterwards. Work for a segment is bounded by its length, the logarithm of what waits in
// its direction, and kOverlapsMax; waiting bytes are given out once.
//
// RFC 9293 says what a stream is. A connection's directions are 0 and 1; which is which is the
// caller's business.
#pragma once

#include <memory>

#include "mem/status.hh"
#include "streams/overlap_policy.hh"
#include "streams/tcp_segment.hh"

namespace bricks::streams {

// When bytes in order are given out: at once (inline; what was given out stays, whatever comes
// later), or when the receiver has acknowledged them (until then the overlap policy chooses).
enum class Delivery : uint8_t { immediate, acked };
// The byte before the urgent pointer: as all others, to Sink::urgent, nowhere, or a gap.
enum class UrgentPolicy : uint8_t { in_line, out_of_band, drop, gap };
// A segment that would have to wait without room: what waits is given out with gaps and room is
// made; or it is Taken::refused; or the direction ends.
enum class OverCap : uint8_t { skip, refuse, stop };

struct StreamOptions {
  uint32_t connections = 65536;
  uint64_t bytes = 64u << 20;           // of all connections: waiting, or remembered as evidence
  uint32_t session_bytes = 8u << 20;    // of one, both directions
  uint32_t direction_bytes = 4u << 20;  // of one direction
  uint32_t segments = 4096;             // waiting in one direction
  uint32_t evidence = 4096;  // given-out bytes remembered for conflicts, each direction; 0: none
  OverlapPolicy policy = OverlapPolicy::bsd;
  Delivery delivery = Delivery::immediate;
  UrgentPolicy urgent = UrgentPolicy::in_line;
  OverCap over_cap = OverCap::skip;
  bool midstream = true;   // a direction begins with any segment; false: data waits for the SYN
  uint64_t depth = 0;      // bytes of a direction that are looked at; 0: all
  Nanos hole_timeout = 0;  // how long a hole may be waited for; 0: until an ACK passes it
};

// Of all connections since create().
struct StreamCounts {
  uint64_t segments = 0, in_order = 0, waited = 0;  // with payload
  uint64_t delivered = 0, missing = 0;              // bytes; in gaps
  uint64_t gaps[kGapReasonCount] = {};
  // Segments over bytes had before; one over given-out and waiting bytes counts for each.
  uint64_t rexmit_same = 0, rexmit_conflict = 0, rexmit_unknown = 0;          // unknown: forgotten
  uint64_t before_start = 0, beyond_fin = 0, beyond_window = 0, refused = 0;  // segments
  uint64_t keep_alives = 0, probes = 0, bad_syn = 0, bad_fin = 0, urgent = 0;
  uint64_t undone = 0;
  uint64_t no_connection = 0;  // open() without room
};

// Where a direction is.
struct StreamPosition {
  uint64_t next;           // offset that is given out next
  uint32_t waiting;        // segments behind a hole or an acknowledgement
  uint32_t memory;         // bytes of the pool
  bool started, finished;  // it has an offset 0; end() was called
};

class TcpStreams {
 public:
  // invalid_argument: an option out of its range (mem/limits.hh), named; failed: no memory.
  static Status create(const StreamOptions& options, std::unique_ptr<TcpStreams>* streams);
  virtual ~TcpStreams() = default;

  // 0: as many as `connections` are open. Else a number of 1 to `connections`.
  virtual uint32_t open() noexcept = 0;
  // One segment that its receiver gets, sent in `direction`. Its ACK may release bytes of the other
  // direction first. A segment that a plugin dropped before this is not told of: its retransmission
  // is then the first. ICMP, checksums and who may open a connection are the caller's business.
  virtual Taken segment(uint32_t connection, uint32_t direction, const TcpSegment& segment,
                        Sink& sink) = 0;
  // The packet of the last segment() of that direction was dropped after all: its receiver does not
  // have it. Bytes that are its alone count as not given out, and come again with the
  // retransmission, under the same offsets, to be judged again. Call before the next segment() of
  // the connection.
  virtual void undo(uint32_t connection, uint32_t direction) noexcept = 0;
  // Time goes on without packets: holes that are too old are given up.
  virtual void expire(uint32_t connection, Nanos now, Sink& sink) = 0;
  // No more of that direction: what waits is forgotten. A plugin is not interested any more.
  virtual void stop(uint32_t connection, uint32_t direction, Sink& sink) = 0;
  // What waits is given out, holes are said (flush; ack_passed behind the last byte seen where the
  // receiver acknowledged more). The number is free afterwards.
  virtual void close(uint32_t connection, Sink& sink) = 0;
  // What the sinks were given is read: memory of bytes that were given out may be used again. Once
  // a batch, or after each call; without it the pool runs dry.
  virtual void recycle() noexcept = 0;

  // Of the host that receives `direction`; for segments that come from now on.
  virtual void set_policy(uint32_t connection, uint32_t direction,
                          OverlapPolicy policy) noexcept = 0;
  virtual StreamPosition position(uint32_t connection, uint32_t direction) const noexcept = 0;
  virtual const StreamCounts& counts() const noexcept = 0;
  virtual uint64_t bytes_used() const noexcept = 0;  // of `bytes`, now
};

}  // namespace bricks::streams
