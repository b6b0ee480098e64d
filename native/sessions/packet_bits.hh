// What a decoded packet shows of its session: SessionBits and kPacketOpens.
#pragma once

#include "sessions/session.hh"
#include "wire/packet.hh"

namespace bricks {

// For FIN, SYN, RST (bits 0 to 2) and ACK (bit 3): forward, then backward.
inline constexpr auto kTcpBits = [] {
  struct {
    uint8_t bits[32];
  } table{};
  for (uint32_t i = 0; i < 32; ++i) {
    const bool backward = i & 16;
    uint8_t bits = backward ? kSessionBackward : kSessionForward;
    if (i & 1) bits |= backward ? kSessionFinBackward : kSessionFinForward;
    if (i & 4) bits |= kSessionReset;
    if ((i & 10) == 2) bits |= kPacketOpens;
    table.bits[i] = bits;
  }
  return table;
}();

// Not plain: ICMP errors show nothing of the flow they quote, later fragments only a direction.
uint8_t layered_bits(const Batch& batch, Index packet, const FlowRule& rule) noexcept;

// For the default rule, plain packets first: no branch but on what kind of packet it is.
inline uint8_t packet_bits(const Batch& batch, Index index) noexcept {
  const Packet& packet = batch.packets[index];
  if (__builtin_expect((packet.flags & kPacketLayers) | (packet.ip_version == 0), 0)) {
    return layered_bits(batch, index, {});
  }
  const uint8_t* ip = packet.data + packet.network;
  const bool v4 = packet.ip_version == 4;
  const uint32_t at = packet.network + (v4 ? (ip[0] & 15u) * 4 : 40u) + 13;
  const bool tcp = (v4 ? ip[9] : ip[6]) == 6;
  const uint32_t flags = packet.data[at < packet.length ? at : 0];
  const uint32_t shown = tcp & (at < packet.length) ? (flags & 7) | (flags >> 1 & 8) : 0;
  return kTcpBits.bits[shown | (packet.flags & kPacketReverse ? 16 : 0)];
}

}  // namespace bricks
