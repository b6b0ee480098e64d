#include "streams/block_pool.hh"

#include <bit>

#include "wire/flow_hash.hh"

namespace bricks::streams {
namespace {

uint64_t lines(uint64_t bytes) noexcept { return (bytes + 63) / 64 * 64; }

}  // namespace

uint64_t BlockPool::bytes_for(uint32_t blocks) noexcept {
  const uint64_t with_none = uint64_t{blocks} + 1;
  return with_none * kBlockBytes + lines(with_none * sizeof(BlockHead)) +
         lines(std::bit_ceil(blocks) * sizeof(uint32_t));
}

void BlockPool::init(uint8_t* memory, uint32_t blocks, uint64_t seed) noexcept {
  const uint64_t with_none = uint64_t{blocks} + 1;
  count_ = blocks;
  seed_ = seed;
  mask_ = std::bit_ceil(blocks) - 1;
  data_ = memory;
  heads_ = reinterpret_cast<BlockHead*>(data_ + with_none * kBlockBytes);
  buckets_ = reinterpret_cast<uint32_t*>(reinterpret_cast<uint8_t*>(heads_) +
                                         lines(with_none * sizeof(BlockHead)));
}

uint32_t BlockPool::bucket(uint32_t owner, uint64_t number) const noexcept {
  return static_cast<uint32_t>(multiply_fold(number ^ seed_, owner ^ ~seed_)) & mask_;
}

uint32_t BlockPool::take(uint32_t owner, uint64_t number) noexcept {
  uint32_t block = free_;
  if (block) {
    free_ = heads_[block].next;
  } else {
    block = fresh_++;
  }
  ++used_;
  uint32_t& at = buckets_[bucket(owner, number)];
  heads_[block] = {number, owner, at};
  at = block;
  return block;
}

bool BlockPool::release(uint32_t owner, uint64_t number) noexcept {
  uint32_t* at = &buckets_[bucket(owner, number)];
  while (*at && !is(*at, owner, number)) at = &heads_[*at].next;
  const uint32_t block = *at;
  if (!block) return false;
  *at = heads_[block].next;
  heads_[block].owner = 0;
  heads_[block].next = spent_first_;
  spent_first_ = block;
  if (!spent_last_) spent_last_ = block;
  ++spent_;
  --used_;
  return true;
}

void BlockPool::recycle() noexcept {
  if (!spent_) return;
  heads_[spent_last_].next = free_;
  free_ = spent_first_;
  spent_first_ = spent_last_ = kNoBlock;
  spent_ = 0;
}

}  // namespace bricks::streams
