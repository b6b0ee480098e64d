// Packet memory that other programs may map: a memfd with a control area (pipes, rings) in front
// and fixed-stride buffers behind. Sparse: only what is touched becomes memory. Allocation is the
// control thread's; the engine's thread only reads and writes through pointers.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mem/limits.hh"
#include "mem/status.hh"

namespace bricks {

class Region {
 public:
  // `control_bytes` for rings and pipe headers, then `buffers` buffers of kBufferStride, of which 0
  // and 1 are reserved (netmap's rule). `name` shows in /proc/*/maps.
  static Status create(const std::string& name, uint64_t control_bytes, uint32_t buffers,
                       std::shared_ptr<Region>* region);
  // Memory of another's making, the kernel's: stands for it in Batch.region, and nothing more. It
  // has no buffers here, and none of the calls below makes sense.
  static std::shared_ptr<Region> foreign();
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  int fd() const noexcept { return fd_; }  // stays the region's
  uint64_t bytes() const noexcept { return bytes_; }
  uint8_t* base() const noexcept { return base_; }
  uint64_t buffer_offset() const noexcept { return buffer_offset_; }
  uint32_t buffer_count() const noexcept { return buffers_; }
  uint8_t* buffer(uint32_t index) const noexcept {
    return buffer_base_ + static_cast<uint64_t>(index) * kBufferStride;
  }

  // `count` buffers, appended to `indexes`; not contiguous after the first releases. limit_reached.
  Status allocate_buffers(uint32_t count, std::vector<uint32_t>* indexes);
  void release_buffers(const std::vector<uint32_t>& indexes);

  // `bytes` of the control area, zeroed, 128-byte aligned: its offset. limit_reached.
  Status allocate_control(uint64_t bytes, uint64_t* offset);
  void release_control(uint64_t offset, uint64_t bytes);

 private:
  static constexpr uint32_t kFirstBuffer = 2;
  Region() = default;
  bool map() noexcept;
  void use_huge_pages(uint64_t begin, uint64_t end) noexcept;
  // Offset of buffer `index`: where those before it end.
  uint64_t buffer_end(uint32_t index) const noexcept {
    return buffer_offset_ + uint64_t{index} * kBufferStride;
  }
  int fd_ = -1;
  uint8_t* base_ = nullptr;
  uint8_t* buffer_base_ = nullptr;
  uint64_t bytes_ = 0, control_bytes_ = 0, control_next_ = 0, buffer_offset_ = 0;
  uint32_t buffers_ = 0, buffer_next_ = kFirstBuffer;
  std::vector<uint32_t> free_buffers_;
  std::multimap<uint64_t, uint64_t> free_control_;  // bytes -> offset
};

}  // namespace bricks
