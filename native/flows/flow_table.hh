// All flows of a listing, in the order of their first packets. Memory grows with them, up to a
// limit; rows never move.
#pragma once

#include <memory>
#include <vector>

#include "flows/flow.hh"

namespace bricks::flows {

inline constexpr uint32_t kFlowsDefault = 4'000'000;  // about 700 MB
inline constexpr uint32_t kFlowsMax = 100'000'000;
inline constexpr uint32_t kNoFlow = ~0u;

class FlowTable {
 public:
  explicit FlowTable(uint32_t most);

  // Number of the row with that key and level, or kNoFlow; where there is none and `insert` is
  // set, a new one with that `a` (Flow::a), unless the table is full. `digest`: of the key, as
  // flow_digest gives it: equal for equal keys.
  uint32_t find(const FlowKey& key, Level level, uint64_t digest, bool insert, uint8_t a);
  void prefetch(Level level, uint64_t digest) const noexcept;
  Flow& at(uint32_t row) noexcept { return pages_[row / kPage][row % kPage]; }
  uint32_t size() const noexcept { return count_; }
  uint32_t most() const noexcept { return most_; }

 private:
  static constexpr uint32_t kPage = 4096;
  struct Slot {
    uint32_t mark = 0;  // half of the digest: most strangers are seen through without their row
    uint32_t row = kNoFlow;
  };
  void grow();

  const uint32_t most_;
  uint32_t count_ = 0;
  std::vector<Slot> slots_;  // open addressing, a power of two, at most half full
  std::vector<std::unique_ptr<Flow[]>> pages_;
  std::vector<uint64_t> digests_;  // of each row, for grow()
};

}  // namespace bricks::flows
