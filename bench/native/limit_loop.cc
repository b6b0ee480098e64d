#include "limit_loop.hh"

#include <utility>

#include "wire/bytes.hh"
#include "wire/flow_hash.hh"

namespace bench {

namespace {
constexpr uint32_t kBatch = 128, kSlots = 1024;
}

LimitLoop::LimitLoop(bricks::Region& region, std::vector<uint32_t> order)
    : region_(region), source_(std::move(order)) {
  for (auto& ring : rings_) {
    std::vector<uint32_t> buffers;
    const bricks::Status status = region.allocate_buffers(kSlots, &buffers);
    if (!status.ok()) std::abort();
    for (const uint32_t buffer : buffers) ring.push_back({buffer, 0, 0, 0});
  }
}

uint64_t LimitLoop::run_batch() {
  if (next_ + kBatch > source_.size()) next_ = 0;
  uint32_t* slots = source_.data() + next_;
  next_ += kBatch;
  const bricks::HashSeed& seed = bricks::process_hash_seed();
  for (uint32_t i = 0; i < kBatch; ++i) __builtin_prefetch(region_.buffer(slots[i]));
  for (uint32_t i = 0; i < kBatch; ++i) {
    const uint8_t* frame = region_.buffer(slots[i]);
    const auto addresses = bricks::load<uint64_t>(frame + 26);
    const uint64_t ports = bricks::load<uint32_t>(frame + 34);
    const uint32_t hash = bricks::hash_endpoints((addresses & 0xffffffff) | (ports & 0xffff) << 32,
                                                 addresses >> 32 | (ports >> 16) << 32, seed);
    const uint32_t ring = hash >> 30;
    uint32_t& tail = tails_[ring];
    netmap_slot& slot = rings_[ring][tail];
    slot.len = 60;
    std::swap(slot.buf_idx, slots[i]);
    tail = (tail + 1) & (kSlots - 1);
  }
  return kBatch;
}

}  // namespace bench
