// What test/plugins/random.cc does at an event: the same for it and for the model of it.
#pragma once

#include <cstdint>

enum class Choice { nothing, detach, take_over, fail, raise };

inline Choice random_choice(uint64_t seed, uint64_t session, uint64_t event, char letter) {
  uint64_t x =
      seed * 0x9e3779b97f4a7c15u + session * 1000003 + event * 257 + static_cast<uint64_t>(letter);
  x ^= x >> 31, x *= 0xbf58476d1ce4e5b9u, x ^= x >> 29, x *= 0x94d049bb133111ebu, x ^= x >> 32;
  switch (x % 40) {
    case 0:
      return Choice::detach;
    case 1:
    case 2:
      return Choice::take_over;
    case 3:
      return Choice::fail;
    case 4:
      return Choice::raise;
    default:
      return Choice::nothing;
  }
}
