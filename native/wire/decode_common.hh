// The second path of decode(): what is nearly as plain, in any mixture. Ethernet only.
#pragma once

#include <bit>
#include <cstddef>

#include "wire/bytes.hh"
#include "wire/flow_hash.hh"
#include "wire/packet.hh"

namespace bricks {

// A packet's last four bytes at once: network, ip_version, and of the flags what the input has set
// and what decode() has found.
template <uint16_t kNetwork, uint8_t kVersion, uint8_t kFlags>
inline void set_tail(Packet& packet, bool reverse) noexcept {
  static_assert(std::endian::native == std::endian::little);
  static_assert(offsetof(Packet, network) == 28 && offsetof(Packet, ip_version) == 30 &&
                offsetof(Packet, flags) == 31 && kPacketReverse == 8);
  constexpr uint32_t kFound = kNetwork | kVersion << 16 | uint32_t{kFlags} << 24;
  constexpr uint32_t kKeep = uint32_t{kPacketCut} << 24;
  auto* tail = reinterpret_cast<uint8_t*>(&packet.network);
  const uint32_t word = (load<uint32_t>(tail) & kKeep) | kFound | uint32_t{reverse} << 27;
  std::memcpy(tail, &word, sizeof word);
}

// False: the packet is of another kind, and nothing has been done.
bool decode_common(Batch& batch, uint32_t i, const HashSeed& seed) noexcept;

// All packets from number `i` on but those of another kind: they are listed in `others` (room for
// kBatchMax); returns how many.
uint32_t decode_mixed(Batch& batch, uint32_t i, const HashSeed& seed, Index* others) noexcept;

}  // namespace bricks
