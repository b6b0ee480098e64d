// Packets as plugins see them (abi/bricks_event.h).
#pragma once

#include "abi/bricks_event.h"
#include "sessions/tcp_tracker.hh"
#include "wire/bytes.hh"
#include "wire/packet.hh"

namespace bricks {

// Of a decoded packet, all but direction. An ICMP error is shown as itself: `protocol` is ICMP's,
// while its session is that of what it quotes.
void view_packet(const Batch& batch, Index packet, bricks_packet_view* view) noexcept;

// The same for the usual packet: Ethernet, IPv4 without options, TCP or UDP, all of it captured.
// False: it is not that.
inline bool view_plain(const Packet& packet, bricks_packet_view* view) noexcept {
  constexpr uint32_t kUsual = 14 | 4 << 16;
  const uint32_t tail =
      packet.network | uint32_t{packet.ip_version} << 16 | uint32_t{packet.flags} << 24;
  const uint8_t* data = packet.data;
  if ((tail & ~(uint32_t{kPacketReverse} << 24)) != kUsual || packet.length < 54 ||
      data[14] != 0x45) {
    return false;
  }
  const uint8_t protocol = data[23];
  const uint32_t total = load_be16(data + 16);
  const uint32_t end = total && 14 + total < packet.length ? 14 + total : packet.length;
  const bool tcp = protocol == 6;
  const uint32_t header = tcp ? (data[46] >> 4) * 4u : 8;
  if ((!tcp && protocol != 17) || header < 8 + 12u * tcp || 34 + header > end) return false;
  uint32_t last = end;
  if (!tcp) {
    const uint32_t said = load_be16(data + 38);
    if (said >= 8 && 34 + said < end) last = 34 + said;
  }
  view->data = data;
  view->timestamp = packet.timestamp;
  view->length = view->wire_length = packet.length;
  view->network = 14;
  view->transport = 34;
  const uint32_t payload = last - 34 - header;
  view->payload = static_cast<uint16_t>(payload ? 34 + header : 0);
  view->payload_length = static_cast<uint16_t>(payload);
  view->ip_version = 4;
  view->protocol = protocol;
  view->tcp_flags = tcp ? data[47] : 0;
  view->dropped = view->fragment = view->duplicate = view->stale = 0;
  return true;
}

inline bool is_icmp_error(const Batch& batch, Index packet) noexcept {
  return (batch.packets[packet].flags & kPacketLayers) &&
         batch.layers[packet].key_network != batch.packets[packet].network;
}

// Of a view whose protocol is TCP. False: it has no whole TCP header.
bool view_tcp(const bricks_packet_view& view, TcpSegment* to) noexcept;

}  // namespace bricks
