// SHA-256 (FIPS 180-4) of bytes that come piece by piece.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace bricks::flows {

class Sha256 {
 public:
  void add(std::span<const uint8_t> bytes) noexcept;
  std::string hex() const;  // of what was added so far

 private:
  void take_block(const uint8_t* block) noexcept;

  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  uint64_t length_ = 0;
  uint8_t waiting_[64];
};

}  // namespace bricks::flows
