// Random numbers for queue algorithms: the n-th number of a seed is a function of both, so what a
// queue drops is the same, bit for bit, in every run and for every size of batch.
#pragma once

#include <cstdint>

namespace bricks {

class CounterRandom {
 public:
  explicit CounterRandom(uint64_t seed = 0) noexcept : seed_(seed) {}

  uint64_t bits() noexcept {  // splitmix64's output function over a counter
    uint64_t z = seed_ + ++count_ * 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // In [0, 1), in steps of 2^-53.
  double unit() noexcept { return static_cast<double>(bits() >> 11) * 0x1p-53; }

 private:
  uint64_t seed_;
  uint64_t count_ = 0;
};

}  // namespace bricks
