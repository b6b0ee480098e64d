// What a decoded packet shows of its session: SessionBits and kPacketOpens.
#pragma once

#include "sessions/session.hh"
#include "wire/packet.hh"

namespace bricks {

// By the five low bits of TCP's flags (FIN, SYN, RST, PSH, ACK), forward, then backward.
inline constexpr auto kTcpBits = [] {
  struct {
    uint8_t bits[64];
  } table{};
  for (uint32_t i = 0; i < 64; ++i) {
    const bool backward = i & 32;
    uint8_t bits = backward ? kSessionBackward : kSessionForward;
    if (i & 1) bits |= backward ? kSessionFinBackward : kSessionFinForward;
    if (i & 4) bits |= kSessionReset;
    if ((i & 18) == 2) bits |= kPacketOpens;
    table.bits[i] = bits;
  }
  return table;
}();

// Not plain: ICMP errors show nothing of the flow they quote, later fragments only a direction.
uint8_t layered_bits(const Batch& batch, Index packet, const FlowRule& rule) noexcept;
// The same for the default rule.
uint8_t packet_bits_anywhere(const Batch& batch, Index packet) noexcept;

// For the default rule. Most packets are Ethernet and IPv4 without options, as long as TCP's header
// with them: then all is at known places.
inline __attribute__((always_inline)) uint8_t packet_bits(const Batch& batch,
                                                          Index index) noexcept {
  const Packet& packet = batch.packets[index];
  constexpr uint32_t kUsual = 14 | 4 << 16;
  const uint32_t tail =
      packet.network | uint32_t{packet.ip_version} << 16 | uint32_t{packet.flags} << 24;
  const uint32_t odd = (tail & ~(uint32_t{kPacketReverse | kPacketCut} << 24)) ^ kUsual;
  if (__builtin_expect(odd != 0 || packet.length < 54 || packet.data[14] != 0x45, 0)) {
    return packet_bits_anywhere(batch, index);
  }
  // By arithmetic: traffic mixes protocols so that no branch on them is foreseen.
  const uint32_t flags = packet.data[47] & (((packet.data[23] ^ 6u) - 1) >> 8 & 31u);
  static_assert(kPacketReverse == 8);
  return kTcpBits.bits[flags | (tail >> 22 & 32)];
}

}  // namespace bricks
