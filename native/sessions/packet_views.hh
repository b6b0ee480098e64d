// Packets as plugins see them (abi/bricks_event.h).
#pragma once

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

// The same as view_packet() makes, and the direction as if whoever is first in the flow's key had
// opened it, for most packets: decoded as usual, IPv4 without options, TCP or UDP whose length is
// that of the IP packet, all of it captured. False: it is not that.
inline bool view_plain(const Packet& packet, bricks_packet_view* view) noexcept {
  constexpr uint32_t kIp = 14, kTransport = 34, kUdp = 17, kTcp = 6;
  constexpr uint64_t kPlaces = kIp | kTransport << 16;
  constexpr uint32_t kReverse = uint32_t{kPacketReverse} << 24, kDirection = 1u << 24;
  const uint8_t* data = packet.data;
  const uint32_t length = packet.length, unusual = decoded_as(packet) ^ kUsualPacket;
  if ((unusual & ~kReverse) || length < kTransport + 20 || data[kIp] != 0x45) return false;
  const uint32_t direction = unusual / (kReverse / kDirection);
  const uint32_t bytes = load_be16(data + kIp + 2) - 20u;  // of TCP or UDP
  if (bytes > length - kTransport) return false;
  const auto write = [&](uint64_t places, uint32_t kind) __attribute__((always_inline)) {
    view->data = data;
    view->timestamp = packet.timestamp;
    view->length = view->wire_length = length;
    store_eight(&view->network, kPlaces | places);
    store_eight(&view->ip_version, (4 | kind | direction));
    store_eight(&view->duplicate, 0);
    return true;
  };
  const uint32_t protocol = data[kIp + 9];
  if (protocol == kUdp) {
    const uint64_t payload = bytes - 8;
    if (bytes <= 8 || load_be16(data + kTransport + 4) != bytes) return false;
    return write((kTransport + 8) * (uint64_t{1} << 32) | payload << 48, kUdp << 8);
  }
  if (protocol != kTcp) return false;
  const uint32_t header = data[kTransport + 12] >> 2 & 60;
  if (header < 20 || header > bytes) return false;
  const uint64_t payload = bytes - header, at = payload ? kTransport + header : 0;
  return write(at << 32 | payload << 48, kTcp << 8 | data[kTransport + 13] << 16);
}

inline bool is_icmp_error(const Batch& batch, Index packet) noexcept {
  return (batch.packets[packet].flags & kPacketLayers) &&
         batch.layers[packet].key_network != batch.packets[packet].network;
}

// Of a view whose protocol is TCP. False: it has no whole TCP header.
bool view_tcp(const bricks_packet_view& view, TcpSegment* to) noexcept;

}  // namespace bricks
