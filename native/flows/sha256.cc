#include "flows/sha256.hh"

#include <algorithm>
#include <bit>
#include <cstring>

#include "wire/bytes.hh"

namespace bricks::flows {
namespace {

// Of the cube roots of the first 64 primes.
constexpr uint32_t kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

}  // namespace

void Sha256::take_block(const uint8_t* block) noexcept {
  uint32_t word[64];
  for (uint32_t i = 0; i < 16; ++i) word[i] = load_be32(block + 4 * i);
  for (uint32_t i = 16; i < 64; ++i) {
    const uint32_t x = word[i - 15], y = word[i - 2];
    word[i] = word[i - 16] + word[i - 7] + (std::rotr(x, 7) ^ std::rotr(x, 18) ^ x >> 3) +
              (std::rotr(y, 17) ^ std::rotr(y, 19) ^ y >> 10);
  }
  auto [a, b, c, d, e, f, g, h] = state_;
  for (uint32_t i = 0; i < 64; ++i) {
    const uint32_t one = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                         ((e & f) ^ (~e & g)) + kRound[i] + word[i];
    const uint32_t two =
        (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + one;
    d = c;
    c = b;
    b = a;
    a = one + two;
  }
  const uint32_t sums[8] = {a, b, c, d, e, f, g, h};
  for (uint32_t i = 0; i < 8; ++i) state_[i] += sums[i];
}

void Sha256::add(std::span<const uint8_t> bytes) noexcept {
  const size_t has = length_ % 64;
  length_ += bytes.size();
  if (has) {
    const size_t part = std::min(bytes.size(), 64 - has);
    std::memcpy(waiting_ + has, bytes.data(), part);
    bytes = bytes.subspan(part);
    if (has + part < 64) return;
    take_block(waiting_);
  }
  for (; bytes.size() >= 64; bytes = bytes.subspan(64)) take_block(bytes.data());
  if (!bytes.empty()) std::memcpy(waiting_, bytes.data(), bytes.size());
}

std::string Sha256::hex() const {
  Sha256 end = *this;
  const uint8_t one = 0x80, zero = 0;
  end.add({&one, 1});
  while (end.length_ % 64 != 56) end.add({&zero, 1});
  uint8_t bits[8];
  for (uint32_t i = 0; i < 8; ++i) bits[i] = static_cast<uint8_t>(length_ * 8 >> (56 - 8 * i));
  end.add(bits);
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint32_t word : end.state_) {
    for (int shift = 28; shift >= 0; shift -= 4) text += kDigits[word >> shift & 15];
  }
  return text;
}

}  // namespace bricks::flows
