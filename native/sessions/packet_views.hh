// Packets as plugins see them (abi/bricks_event.h).
#pragma once

#include <bit>

#include "abi/bricks_event.h"
#include "sessions/tcp_tracker.hh"
#include "wire/bytes.hh"
#include "wire/packet.hh"

namespace bricks {

// Of a decoded packet, all but direction. An ICMP error is shown as itself: `protocol`
// is ICMP's, while its session is that of what it quotes.
void view_packet(const Batch& batch, Index packet, bricks_packet_view* view) noexcept;

// Neighbouring fields at once, the first one in the lowest bits.
inline void store_eight(void* to, uint64_t value) noexcept {
  static_assert(std::endian::native == std::endian::little);
  std::memcpy(to, &value, sizeof value);
}

// What decode says of the usual packet but for which way it goes: the IP header at 14, version 4,
// and nothing more to be known.
inline constexpr uint32_t kUsualPacket = 14 | 4 << 16;
inline uint32_t decoded_as(const Packet& packet) noexcept {
  return load<uint32_t>(reinterpret_cast<const uint8_t*>(&packet.network));
}
inline bool is_usual(const Packet& packet) noexcept {
  constexpr uint32_t kReverse = uint32_t{kPacketReverse} << 24;
  return ((decoded_as(packet) ^ kUsualPacket) & ~kReverse) == 0;
}

inline constexpr uint8_t kTcpProtocol = 6, kUdpProtocol = 17;

// Of a packet that is as most are.
struct PlainPacket {
  const uint8_t* payload;  // null: there is none
  uint32_t payload_length;
  uint32_t payload_at;
};

// Is it decoded as usual, IPv4 without options, of that protocol (TCP or UDP) with the length that
// the IP packet has, all of it captured?
template <uint8_t kProtocol>
inline __attribute__((always_inline)) bool see_plain(const Packet& packet,
                                                     PlainPacket* seen) noexcept {
  constexpr uint32_t kIp = 14, kTransport = 34;
  const uint8_t* data = packet.data;
  const uint32_t length = packet.length;
  if (!is_usual(packet) || length < kTransport + 20 || data[kIp] != 0x45 ||
      data[kIp + 9] != kProtocol) {
    return false;
  }
  const uint32_t bytes = load_be16(data + kIp + 2) - 20u;  // of TCP or UDP
  if (bytes > length - kTransport) return false;
  if (kProtocol == kUdpProtocol) {
    if (bytes <= 8 || load_be16(data + kTransport + 4) != bytes) return false;
    *seen = {data + kTransport + 8, bytes - 8, kTransport + 8};
    return true;
  }
  const uint32_t header = data[kTransport + 12] >> 2 & 60;
  if (header < 20 || header > bytes) return false;
  const uint32_t at = header == bytes ? 0 : kTransport + header;
  *seen = {at ? data + at : nullptr, bytes - header, at};
  return true;
}

// 1: from whoever is second in the flow's key, where the first has opened the session (`second` 0).
inline uint32_t direction_of(const Packet& packet, uint32_t second) noexcept {
  constexpr uint32_t kShift = std::countr_zero(uint32_t{kPacketReverse});
  return (uint32_t{packet.flags} >> kShift ^ second) & 1;
}

// The same as view_packet() makes, and the direction, of what see_plain() has seen.
template <uint8_t kProtocol>
inline __attribute__((always_inline)) void view_plain(const Packet& packet, const PlainPacket& seen,
                                                      uint32_t direction,
                                                      bricks_packet_view* view) noexcept {
  constexpr uint64_t kPlaces = 14 | 34 << 16;
  const uint32_t flags = kProtocol == kTcpProtocol ? packet.data[34 + 13] : 0;
  view->data = packet.data;
  view->timestamp = packet.timestamp;
  view->length = packet.length;
  view->wire_length = packet.length;
  store_eight(&view->network,
              kPlaces | uint64_t{seen.payload_at} << 32 | uint64_t{seen.payload_length} << 48);
  store_eight(&view->ip_version, (4 | uint32_t{kProtocol} << 8 | flags << 16 | direction << 24));
  store_eight(&view->duplicate, 0);
}

inline bool is_icmp_error(const Batch& batch, Index packet) noexcept {
  return (batch.packets[packet].flags & kPacketLayers) &&
         batch.layers[packet].key_network != batch.packets[packet].network;
}

// Of a view whose protocol is TCP. False: it has no whole TCP header.
bool view_tcp(const bricks_packet_view& view, TcpSegment* to) noexcept;

}  // namespace bricks
