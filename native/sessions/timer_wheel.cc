#include "sessions/timer_wheel.hh"

namespace bricks {

// The first slot at or after `from`, around the ring, whose list is not empty; kSlots: none.
uint32_t TimerWheel::next_marked(uint32_t from, uint32_t ring) const noexcept {
  const uint64_t* marks = marks_ + ring * kWords;
  const uint64_t* sums = sums_ + ring * kSums;
  const auto in_word = [marks](uint32_t word, uint64_t mask) {
    return word * 64 + static_cast<uint32_t>(__builtin_ctzll(marks[word] & mask));
  };
  const uint32_t first = from >> 6;
  const uint64_t above = ~uint64_t{0} << (from & 63);
  if (marks[first] & above) return in_word(first, above);
  for (uint32_t step = 0; step <= kSums; ++step) {
    const uint32_t at = ((first >> 6) + step) % kSums;
    uint64_t sum = sums[at];
    // The first sum is looked at twice: words behind `first`, and in the end those up to it.
    const uint64_t behind = (first & 63) == 63 ? 0 : ~uint64_t{0} << ((first & 63) + 1);
    if (step == 0) sum &= behind;
    if (step == kSums) sum &= ~behind;
    if (sum) return in_word(at * 64 + static_cast<uint32_t>(__builtin_ctzll(sum)), ~uint64_t{0});
  }
  return kSlots;
}

}  // namespace bricks
