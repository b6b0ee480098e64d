// Packets as plugins see them (abi/bricks_session.h).
#pragma once

#include "abi/bricks_session.h"
#include "sessions/tcp_tracker.hh"
#include "wire/packet.hh"

namespace bricks {

// Of a decoded packet, all but direction. An ICMP error is shown as itself: `protocol` is ICMP's,
// while its session is that of what it quotes.
void view_packet(const Batch& batch, Index packet, bricks_packet_view* view) noexcept;

inline bool is_icmp_error(const Batch& batch, Index packet) noexcept {
  return (batch.packets[packet].flags & kPacketLayers) &&
         batch.layers[packet].key_network != batch.packets[packet].network;
}

// Of a view whose protocol is TCP. False: it has no whole TCP header.
bool view_tcp(const bricks_packet_view& view, TcpSegment* to) noexcept;

}  // namespace bricks
