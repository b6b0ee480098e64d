// A row of the listing: one flow at one level of nesting, both directions.
#pragma once

#include "wire/flow_key.hh"

namespace bricks::flows {

// A packet without a tunnel counts once, under `only`; one with a tunnel twice: with its outermost
// IP header under `outer`, with its innermost under `inner`.
enum class Level : uint8_t { only, outer, inner };
enum class State : uint8_t { opening, active, closing, closed };
enum class Reason : uint8_t { end_of_input, timeout, fin, rst };

const char* level_name(Level level) noexcept;
const char* state_name(State state) noexcept;
const char* reason_name(Reason reason) noexcept;

// One direction.
struct Side {
  uint64_t packets = 0;
  uint64_t bytes = 0;    // of whole frames, as long as on the wire
  uint64_t payload = 0;  // above TCP, UDP, SCTP, DCCP, UDP-Lite; 0 for others
};

struct Flow {
  FlowKey key;
  Level level;
  uint8_t a;  // which end of `key` sent the first packet
  State state = State::opening;
  Reason reason = Reason::end_of_input;
  bool finished[2] = {false, false};  // a FIN from A, from B
  bool has_icmp = false;
  uint8_t icmp_type = 0, icmp_code = 0;  // of the first packet
  Side sides[2];                         // from A, from B
  Nanos first = ~Nanos{0}, last = 0;
};

// Takes note of a packet from A (0) or B (1): who has been heard, TCP's SYN, FIN and RST. Call it
// before the packet is counted in `sides`.
void observe(Flow& flow, uint32_t side, uint8_t tcp_flags) noexcept;
// The input is over at `now`, the newest packet's time: why this flow is.
void conclude(Flow& flow, Nanos now) noexcept;

}  // namespace bricks::flows
