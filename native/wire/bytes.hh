// Unaligned loads from packet bytes; the caller has checked that they are there.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace bricks {

template <typename T>
inline T load(const uint8_t* at) noexcept {  // as it lies
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

inline uint16_t load_be16(const uint8_t* at) noexcept {
  return static_cast<uint16_t>(at[0] << 8 | at[1]);
}
inline uint32_t load_be32(const uint8_t* at) noexcept {
  const uint32_t raw = load<uint32_t>(at);
  return std::endian::native == std::endian::little ? __builtin_bswap32(raw) : raw;
}

}  // namespace bricks
