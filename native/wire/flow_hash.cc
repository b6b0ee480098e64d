#include "wire/flow_hash.hh"

#include <sys/random.h>

#include <cstdlib>
#include <ctime>

namespace bricks {

namespace {

uint64_t split_mix(uint64_t& state) noexcept {  // Steele, Lea, Flood 2014
  uint64_t z = state += 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

}  // namespace

HashSeed make_hash_seed(uint64_t number) noexcept {
  HashSeed seed;
  for (uint64_t& word : seed.word) word = split_mix(number);
  return seed;
}

const HashSeed& process_hash_seed() noexcept {
  static const HashSeed seed = [] {
    if (const char* text = std::getenv("BRICKS_HASH_SEED")) {
      return make_hash_seed(std::strtoull(text, nullptr, 0));
    }
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, 0) != sizeof number) {
      number = static_cast<uint64_t>(std::time(nullptr));
    }
    return make_hash_seed(number);
  }();
  return seed;
}

}  // namespace bricks
