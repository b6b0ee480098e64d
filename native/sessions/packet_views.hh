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

// Neighbouring fields at once, the first one in the lowest bits.
inline void store_eight(void* to, uint64_t value) noexcept {
  static_assert(std::endian::native == std::endian::little);
  std::memcpy(to, &value, sizeof value);
}

// A view's fields as store_eight() writes them.
struct ViewParts {
  uint64_t lengths, offsets;
  uint64_t kind;  // ip_version and the seven bytes behind it, without direction and number_
  uint32_t payload, payload_length;
};
ViewParts parts_of(const bricks_packet_view& view) noexcept;
inline void write_view(bricks_packet_view& view, const Packet& packet, const ViewParts& parts,
                       uint32_t direction, uint32_t number) noexcept {
  view.data = packet.data;
  view.timestamp = packet.timestamp;
  store_eight(&view.length, parts.lengths);
  store_eight(&view.network, parts.offsets);
  store_eight(&view.ip_version, parts.kind | direction << 24 | uint64_t{number} << 48);
  store_eight(&view.duplicate, 0);
}

// The same as view_packet() finds for the usual packet: Ethernet, IPv4 without options, TCP or UDP,
// all of it captured. False: it is not that.
inline bool read_plain(const Packet& packet, ViewParts* parts) noexcept {
  constexpr uint32_t kUsual = 14 | 4 << 16, kIp = 14, kTransport = 34, kUdp = 17, kTcp = 6;
  const auto tail = load<uint32_t>(reinterpret_cast<const uint8_t*>(&packet.network));
  const uint8_t* data = packet.data;
  const uint32_t length = packet.length;
  if ((tail & ~(uint32_t{kPacketReverse} << 24)) != kUsual) return false;
  if (length < 54 || data[kIp] != 0x45) return false;
  // Where the IP packet ends; 0 says nothing, like what is beyond the frame.
  const uint32_t total = load_be16(data + kIp + 2);
  uint32_t end = total - 1 < length - kIp ? kIp + total : length;
  const uint32_t protocol = data[kIp + 9];
  uint32_t header = 8, flags = 0;
  if (protocol == kUdp) {
    if (end < kTransport + 8) return false;
    const uint32_t said = load_be16(data + kTransport + 4);
    if (said - 8 < end - kTransport - 8) end = kTransport + said;
  } else if (protocol == kTcp) {
    header = data[kTransport + 12] >> 2 & 60;
    if (header < 20 || kTransport + header > end) return false;
    flags = data[kTransport + 13];
  } else {
    return false;
  }
  const uint32_t bytes = end - kTransport - header;
  const uint32_t payload = bytes ? kTransport + header : 0;
  parts->lengths = length | uint64_t{length} << 32;
  parts->offsets = kIp | kTransport << 16 | uint64_t{payload} << 32 | uint64_t{bytes} << 48;
  parts->kind = 4 | protocol << 8 | flags << 16;
  parts->payload = payload;
  parts->payload_length = bytes;
  return true;
}

inline bool is_icmp_error(const Batch& batch, Index packet) noexcept {
  return (batch.packets[packet].flags & kPacketLayers) &&
         batch.layers[packet].key_network != batch.packets[packet].network;
}

// Of a view whose protocol is TCP. False: it has no whole TCP header.
bool view_tcp(const bricks_packet_view& view, TcpSegment* to) noexcept;

}  // namespace bricks
