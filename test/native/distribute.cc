// distribute(): each packet once, on its outlet's list, in order; nothing beyond a list's memory.
#include "bricks/distribute.hh"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "check.hh"
#include "pipe_fixture.hh"

namespace bricks {

TEST(distribute_keeps_order_and_stays_within_lists) {
  constexpr uint64_t kSeed = 20261121;
  std::printf("  seed %llu\n", static_cast<unsigned long long>(kSeed));
  Random random{kSeed};
  for (int round = 0; round < 3000; ++round) {
    const uint32_t outlets = 1u << random.below(8);
    const uint32_t count = random.below(kBatchMax + 1);
    // All on one outlet now and then: a list that is full to its last entry.
    const uint32_t used = random.below(4) ? outlets : 1;
    std::vector<Index> picks(count);  // exactly: to read beyond it is an error
    std::vector<uint16_t> to(count);
    std::vector<std::vector<Index>> wanted(outlets);
    for (uint32_t k = 0; k < count; ++k) {
      picks[k] = static_cast<Index>(random.below(kBatchMax));
      to[k] = static_cast<uint16_t>(random.below(used));
      wanted[to[k]].push_back(picks[k]);
    }
    // The last list's memory first, so that one that runs over spoils one that is filled already.
    constexpr Index kGuard = 0xdead;
    std::vector<Index> memory(size_t{outlets} * kBatchMax + 64, kGuard);
    std::vector<Outlets::List> lists;
    for (uint32_t o = 0; o < outlets; ++o) {
      Index* own = memory.data() + size_t{outlets - 1 - o} * kBatchMax;
      lists.push_back({own, own, own});
    }
    distribute(picks.data(), to.data(), count, lists);
    bool right = true;
    for (uint32_t o = 0; o < outlets; ++o) {
      const Index* const end = lists[o].end;
      right &= std::vector<Index>(lists[o].first, end) == wanted[o];
    }
    right &= std::all_of(memory.end() - 64, memory.end(), [](Index i) { return i == kGuard; });
    CHECK(right);
    if (!right) return;
  }
}

}  // namespace bricks
