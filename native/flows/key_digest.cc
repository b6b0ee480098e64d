#include "flows/key_digest.hh"

#include <cstring>

#include "wire/flow_hash.hh"

namespace bricks::flows {

uint64_t digest_bytes(const void* bytes, size_t length) noexcept {
  static const HashSeed seed = process_hash_seed();
  const auto* from = static_cast<const uint8_t*>(bytes);
  uint64_t digest = seed.word[0] ^ length;
  for (size_t at = 0; at < length; at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, from + at, length - at < 8 ? length - at : 8);
    digest = multiply_fold(digest ^ seed.word[1], word ^ seed.word[2]) + at;
  }
  return digest;
}

}  // namespace bricks::flows
