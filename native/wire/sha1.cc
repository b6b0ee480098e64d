#include "wire/sha1.hh"

#include <bit>
#include <cstring>

#include "wire/bytes.hh"

namespace bricks {
namespace {

constexpr size_t kBlock = 64;

void store_be32(uint32_t value, uint8_t* at) noexcept {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

void add_block(const uint8_t* block, uint32_t (&state)[5]) noexcept {
  uint32_t words[80];
  for (int t = 0; t < 16; ++t) words[t] = load_be32(block + 4 * t);
  for (int t = 16; t < 80; ++t) {
    words[t] = std::rotl(words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16], 1);
  }
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
  for (int t = 0; t < 80; ++t) {
    uint32_t mixed, constant;
    if (t < 20) {
      mixed = (b & c) | (~b & d);
      constant = 0x5a827999;
    } else if (t < 40 || t >= 60) {
      mixed = b ^ c ^ d;
      constant = t < 40 ? 0x6ed9eba1 : 0xca62c1d6;
    } else {
      mixed = (b & c) | (b & d) | (c & d);
      constant = 0x8f1bbcdc;
    }
    const uint32_t next = std::rotl(a, 5) + mixed + e + constant + words[t];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  const uint32_t sums[] = {a, b, c, d, e};
  for (int i = 0; i < 5; ++i) state[i] += sums[i];
}

}  // namespace

std::array<uint8_t, 20> sha1(const uint8_t* bytes, size_t length) noexcept {
  uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  size_t at = 0;
  for (; length - at >= kBlock; at += kBlock) add_block(bytes + at, state);
  // What is left, a one bit, zeros up to 8 bytes before a block's end, the length in bits.
  uint8_t last[2 * kBlock] = {};
  const size_t left = length - at;
  if (left > 0) std::memcpy(last, bytes + at, left);
  last[left] = 0x80;
  const size_t padded = left + 9 <= kBlock ? kBlock : 2 * kBlock;
  store_be32(static_cast<uint32_t>(uint64_t{length} >> 29), &last[padded - 8]);
  store_be32(static_cast<uint32_t>(length << 3), &last[padded - 4]);
  for (size_t i = 0; i < padded; i += kBlock) add_block(last + i, state);
  std::array<uint8_t, 20> digest;
  for (size_t i = 0; i < 5; ++i) store_be32(state[i], &digest[4 * i]);
  return digest;
}

}  // namespace bricks
