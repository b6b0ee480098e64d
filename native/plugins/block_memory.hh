// Blocks of 128 bytes to 16 KiB out of one sparse region: what a session keeps at a plugin's wish.
// Nothing is asked of the system after the start. One thread.
#pragma once

#include <array>
#include <cstddef>

#include "mem/limits.hh"
#include "mem/sparse_array.hh"

namespace bricks {

class BlockMemory {
 public:
  bool reserve() noexcept { return units_.reserve(kMetadataMemory / sizeof(Unit)); }

  // The block's number; 0: there is no room, or `bytes` are more than a block can have.
  uint32_t take(size_t bytes) noexcept {
    const uint32_t size = size_class(bytes);
    if (size >= kClasses) return 0;
    if (const uint32_t block = free_[size]) {
      free_[size] = units_[block].next;
      return block;
    }
    const uint32_t units = 1u << size;
    if (fresh_ + units > kMetadataMemory / sizeof(Unit)) return 0;
    const uint32_t block = fresh_;
    fresh_ += units;
    return block;
  }
  // `bytes`: as it was taken.
  void give(uint32_t block, size_t bytes) noexcept {
    const uint32_t size = size_class(bytes);
    units_[block].next = free_[size];
    free_[size] = block;
  }
  void* at(uint32_t block) const noexcept { return &units_[block]; }

 private:
  struct alignas(64) Unit {
    uint32_t next;  // of a free block
    uint8_t rest[124];
  };
  static_assert(sizeof(Unit) == 128);
  static constexpr uint32_t kClasses = 8;  // 128 << 7: 16 KiB
  static uint32_t size_class(size_t bytes) noexcept {
    uint32_t size = 0;
    while (size < kClasses && sizeof(Unit) << size < bytes) ++size;
    return size;
  }

  SparseArray<Unit> units_;
  uint32_t fresh_ = 1;  // 0 stands for none
  std::array<uint32_t, kClasses> free_{};
};
static_assert(kMetadataBytesMax <= 128u << 7);

}  // namespace bricks
