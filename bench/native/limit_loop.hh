// The limit: what any program must at least do to balance packets in this memory. Iterate slots,
// touch the header, hash it, swap the buffer into one of four rings; nothing is counted or checked.
#pragma once

#include <cstdint>
#include <vector>

#include "abi/netmap.h"
#include "mem/region.hh"

namespace bench {

class LimitLoop {
 public:
  // `order`: the buffers in circulation, in the order they come around.
  LimitLoop(bricks::Region& region, std::vector<uint32_t> order);
  uint64_t run_batch();  // returns how many packets

 private:
  bricks::Region& region_;
  std::vector<uint32_t> source_;
  std::vector<netmap_slot> rings_[4];
  uint32_t tails_[4] = {};
  size_t next_ = 0;
};

}  // namespace bench
