// A flow's state: as much of TCP as SYN, FIN and RST tell, for others whether both ends were heard.
#include "flows/flow.hh"

namespace bricks::flows {
namespace {

constexpr uint8_t kTcp = 6;
constexpr uint8_t kFin = 1, kSyn = 2, kRst = 4, kAck = 16;
constexpr Nanos kSecond = 1'000'000'000;
// Silence after which nobody waits for more of a flow: Suricata's shipped values.
constexpr Nanos kOpeningTcp = 60 * kSecond, kActiveTcp = 600 * kSecond, kClosingTcp = 60 * kSecond;
constexpr Nanos kOpeningOther = 30 * kSecond, kActiveOther = 300 * kSecond;

void open_again(Flow& flow) noexcept {
  flow.state = State::opening;
  flow.reason = Reason::end_of_input;
  flow.finished[0] = flow.finished[1] = false;
}

void observe_tcp(Flow& flow, uint32_t side, uint8_t flags) noexcept {
  const bool opens = (flags & (kSyn | kAck)) == kSyn;
  if (opens && flow.state == State::closed) open_again(flow);  // the same ports once more
  if (flow.state == State::closed) return;                     // stragglers
  if (flags & kRst) {
    flow.state = State::closed;
    flow.reason = Reason::rst;
    return;
  }
  if (flags & kFin) {
    flow.finished[side] = true;
    const bool both = flow.finished[0] && flow.finished[1];
    flow.state = both ? State::closed : State::closing;
    if (both) flow.reason = Reason::fin;
    return;
  }
  // Neither end's SYN: the handshake is over, or the capture began after it.
  if (flow.state == State::opening && !(flags & kSyn) && flags & kAck) flow.state = State::active;
}

}  // namespace

const char* level_name(Level level) noexcept {
  static constexpr const char* kNames[] = {"only", "outer", "inner"};
  return kNames[static_cast<int>(level)];
}

const char* state_name(State state) noexcept {
  static constexpr const char* kNames[] = {"opening", "active", "closing", "closed"};
  return kNames[static_cast<int>(state)];
}

const char* reason_name(Reason reason) noexcept {
  static constexpr const char* kNames[] = {"end_of_input", "timeout", "fin", "rst"};
  return kNames[static_cast<int>(reason)];
}

void observe(Flow& flow, uint32_t side, uint8_t tcp_flags) noexcept {
  if (flow.key.protocol == kTcp) return observe_tcp(flow, side, tcp_flags);
  if (flow.sides[1 - side].packets > 0) flow.state = State::active;
}

void conclude(Flow& flow, Nanos now) noexcept {
  if (flow.state == State::closed) return;
  const bool tcp = flow.key.protocol == kTcp;
  const Nanos patience = flow.state == State::closing  ? kClosingTcp
                         : flow.state == State::active ? (tcp ? kActiveTcp : kActiveOther)
                                                       : (tcp ? kOpeningTcp : kOpeningOther);
  if (now - flow.last > patience) flow.reason = Reason::timeout;
}

}  // namespace bricks::flows
