// SHA-1 (FIPS 180-4), for names of flows; nothing here relies on its being hard to break.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bricks {

std::array<uint8_t, 20> sha1(const uint8_t* bytes, size_t length) noexcept;

}  // namespace bricks
