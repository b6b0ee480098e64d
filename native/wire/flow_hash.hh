// The symmetric flow hash: both directions of a flow give the same value, every address bit, the
// ports and the protocol count, and a seed that outsiders do not know keeps them from steering it.
//
// An endpoint is one 64-bit word: for IPv4 address, port and protocol as they stand; for IPv6 the
// address folded by a multiplication first. The two words are ordered (that is the symmetry) and
// mixed by a 64x64->128 bit multiplication folded in half, as in wyhash (Wang Yi, 2019). One is not
// enough: where one end is the same in all flows, as a server's is, it multiplies what clients
// count up by a constant, and one seed in some hundred makes of that a few values. So there is
// another.
#pragma once

#include <cstdint>

namespace bricks {

struct HashSeed {
  uint64_t word[4];
};

// From BRICKS_HASH_SEED (a number: repeatable runs) or the kernel's random source; once per
// process.
const HashSeed& process_hash_seed() noexcept;
HashSeed make_hash_seed(uint64_t number) noexcept;

inline uint64_t multiply_fold(uint64_t a, uint64_t b) noexcept {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// The second one, by the golden ratio.
inline uint64_t spread(uint64_t digest) noexcept {
  return multiply_fold(digest, 0x9e3779b97f4a7c15ull);
}

// 64 bits for a flow, whichever of its ends comes first.
inline uint64_t digest_endpoints(uint64_t a, uint64_t b, const HashSeed& seed) noexcept {
  const uint64_t low = a < b ? a : b;
  const uint64_t high = a < b ? b : a;
  return spread(multiply_fold(low ^ seed.word[0], high ^ seed.word[1]));
}
inline uint32_t hash_endpoints(uint64_t a, uint64_t b, const HashSeed& seed) noexcept {
  return static_cast<uint32_t>(digest_endpoints(a, b, seed) >> 32);
}

// `address`: 4 bytes as on the wire, as a native load; ports in wire order, as a native load; 0:
// none.
inline uint64_t endpoint_v4(uint32_t address, uint16_t port, uint8_t protocol) noexcept {
  return address | uint64_t{port} << 32 | uint64_t{protocol} << 48;
}
inline uint64_t endpoint_v6(uint64_t high, uint64_t low, uint16_t port, uint8_t protocol,
                            const HashSeed& seed) noexcept {
  const uint64_t address = multiply_fold(high ^ seed.word[2], low ^ seed.word[3]);
  return address ^ (uint64_t{port} << 32 | uint64_t{protocol} << 48);
}

}  // namespace bricks
