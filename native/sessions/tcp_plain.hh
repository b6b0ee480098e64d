// The short way of tcp_step() for what most segments are.
#pragma once

#include "sessions/tcp_tracker.hh"
#include "wire/bytes.hh"

namespace bricks {

// The usual segment of an established connection: ACK, with payload or without. False: it is not
// that, and nothing was changed; tcp_step() is to judge. `header`: all of it is there.
inline bool tcp_step_plain(TcpTrack& track, uint32_t side, const uint8_t* header,
                           uint32_t payload) noexcept {
  TcpEnd& from = track.end[side];
  TcpEnd& to = track.end[1 - side];
  constexpr uint8_t kKnown = kEndAcks | kEndSyn;
  const auto ahead = [](uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b); };
  const uint8_t noted = payload ? 1 << kTcpNotedData : 1 << kTcpNotedAck;
  if ((header[13] & (63 - kTcpPush)) != kTcpAck || !(from.noted & noted) ||
      from.state != TcpEndState::established || to.state != TcpEndState::established ||
      (from.marks & to.marks & kKnown) != kKnown || (from.marks | to.marks) & kEndFin) {
    return false;
  }
  const uint32_t seq = load_be32(header + 4), ack = load_be32(header + 8), end = seq + payload;
  // In the window, or sent again not long ago; acknowledges what was sent.
  if (ahead(end, to.acked - 65535) < 0 || ahead(seq, to.edge) > 0 || ahead(ack, to.next) > 0) {
    return false;
  }
  if (from.marks & to.marks & kEndStamps) {
    // As nearly everybody writes it: two that say nothing, then the timestamp (RFC 7323, A).
    constexpr uint32_t kUsual = 0x0101080a;
    if (header[12] >> 4 != 8 || load_be32(header + 20) != kUsual) return false;
    const uint32_t stamp = load_be32(header + 24);
    if (!(from.marks & kEndStamped) || ahead(stamp, track.stamp[side]) < 0) return false;
    if (ahead(seq, to.acked) <= 0) track.stamp[side] = stamp;
  }
  const uint32_t edge = ack + (uint32_t{load_be16(header + 14)} << from.scale);
  if (ahead(end, from.next) > 0) from.next = end;
  if (ahead(ack, from.acked) > 0) from.acked = ack;
  if (ahead(edge, from.edge) > 0) from.edge = edge;
  return true;
}

}  // namespace bricks
