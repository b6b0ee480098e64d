// Memory for bytes of streams: blocks of 2 KiB, each a direction's for one aligned range of its
// positions, found by hash. So bytes have one place, however many segments bring them.
#pragma once

#include <cstdint>

#include "mem/limits.hh"

namespace bricks::streams {

inline constexpr uint32_t kNoBlock = 0;
inline constexpr uint32_t kBlockShift = 11;
inline constexpr uint32_t kBlockBytes = 1u << kBlockShift;

struct BlockHead {
  uint64_t number;  // position >> kBlockShift
  uint32_t owner;   // connection * 2 + direction; 0: nobody's
  uint32_t next;    // in its bucket, or on a list of free ones
};

class BlockPool {
 public:
  // How much memory init() wants for so many blocks.
  static uint64_t bytes_for(uint32_t blocks) noexcept;
  // `memory`: zeros, at a multiple of 64.
  void init(uint8_t* memory, uint32_t blocks, uint64_t seed) noexcept;

  uint32_t find(uint32_t owner, uint64_t number) const noexcept {
    uint32_t block = buckets_[bucket(owner, number)];
    while (block && (heads_[block].number != number || heads_[block].owner != owner)) {
      block = heads_[block].next;
    }
    return block;
  }
  bool is(uint32_t block, uint32_t owner, uint64_t number) const noexcept {
    return block && heads_[block].number == number && heads_[block].owner == owner;
  }
  uint32_t take(uint32_t owner, uint64_t number) noexcept;  // free() is not 0; not there yet
  // Its bytes stay as they are until recycle(). False: there is none.
  bool release(uint32_t owner, uint64_t number) noexcept;
  void recycle() noexcept;

  uint8_t* bytes(uint32_t block) const noexcept { return data_ + uint64_t{block} * kBlockBytes; }
  uint32_t count() const noexcept { return count_; }
  uint32_t used() const noexcept { return used_; }                    // somebody's
  uint32_t free() const noexcept { return count_ - used_ - spent_; }  // can be taken

 private:
  uint32_t bucket(uint32_t owner, uint64_t number) const noexcept;

  uint8_t* data_ = nullptr;
  BlockHead* heads_ = nullptr;
  uint32_t* buckets_ = nullptr;
  uint32_t mask_ = 0, count_ = 0, used_ = 0;
  uint32_t free_ = kNoBlock, fresh_ = 1;
  uint32_t spent_ = 0, spent_first_ = kNoBlock, spent_last_ = kNoBlock;  // until recycle()
  uint64_t seed_ = 0;
};

}  // namespace bricks::streams
