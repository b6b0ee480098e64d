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
// Where such a packet's headers begin.
inline constexpr uint32_t kPlainIp = 14, kPlainTransport = 34;
inline uint8_t plain_protocol(const Packet& packet) noexcept { return packet.data[kPlainIp + 9]; }

// Of a packet that is as most are.
struct PlainPacket {
  const uint8_t* payload;  // null: there is none
  uint32_t payload_length;
  uint32_t payload_at;
};

// Is it decoded as usual, IPv4 without options, of that protocol (TCP or UDP) with the length that
// the IP packet has, all of it captured? kUsual: decode() says so of the whole batch but for the
// protocol, which is that of the packet's session, and the length that UDP says.
template <uint8_t kProtocol, bool kUsual>
inline __attribute__((always_inline)) bool see_plain(const Packet& packet,
                                                     PlainPacket* seen) noexcept {
  const uint8_t* data = packet.data;
  const uint32_t length = packet.length;
  if (!kUsual && (!is_usual(packet) || length < kPlainTransport + 20 || data[kPlainIp] != 0x45 ||
                  plain_protocol(packet) != kProtocol)) {
    return false;
  }
  const uint32_t bytes = load_be16(data + kPlainIp + 2) - 20u;  // of TCP or UDP
  if (!kUsual && bytes > length - kPlainTransport) return false;
  if (kProtocol == kUdpProtocol) {
    if (bytes <= 8 || load_be16(data + kPlainTransport + 4) != bytes) return false;
    *seen = {data + kPlainTransport + 8, bytes - 8, kPlainTransport + 8};
    return true;
  }
  if (kUsual && bytes < 20) return false;
  const uint32_t header = data[kPlainTransport + 12] >> 2 & 60;
  if (header < 20 || header > bytes) return false;
  const uint32_t at = header == bytes ? 0 : kPlainTransport + header;
  *seen = {at ? data + at : nullptr, bytes - header, at};
  return true;
}

// 1: from the side that did not open the session. `second`: its lowest bit is 1 where whoever is
// second in the flow's key has opened it.
inline uint32_t direction_of(const Packet& packet, uint64_t second) noexcept {
  constexpr uint32_t kShift = 24 + std::countr_zero(uint32_t{kPacketReverse});
  return (decoded_as(packet) >> kShift ^ static_cast<uint32_t>(second)) & 1;
}

// The same as view_packet() makes, and the direction, of what see_plain() has seen.
template <uint8_t kProtocol>
inline __attribute__((always_inline)) void view_plain(const Packet& packet, const PlainPacket& seen,
                                                      uint32_t direction,
                                                      bricks_packet_view* view) noexcept {
  constexpr uint64_t kPlaces = kPlainIp | kPlainTransport << 16;
  const uint32_t flags = kProtocol == kTcpProtocol ? packet.data[kPlainTransport + 13] : 0;
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
