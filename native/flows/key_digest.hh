// A seeded 64-bit digest of a few bytes, for keys that decode() has made none for.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bricks::flows {

uint64_t digest_bytes(const void* bytes, size_t length) noexcept;

}  // namespace bricks::flows
