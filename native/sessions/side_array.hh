// An array beside the session table, by entry number: zeros, and no memory until it is touched.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <string>

#include "mem/status.hh"

namespace bricks {

template <typename T>
class SideArray {
 public:
  SideArray() = default;
  SideArray(const SideArray&) = delete;
  SideArray& operator=(const SideArray&) = delete;
  ~SideArray() {
    if (all_) munmap(all_, bytes_);
  }
  // `what`: for the message of `failed`.
  Status reserve(const std::string& what, uint64_t count) {
    constexpr uint64_t kHugePage = 2u << 20;
    const uint64_t bytes = count * sizeof(T);
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return system_error(what, errno);
    // Small ones stay small.
    if (bytes > 2 * kHugePage) {
      madvise(static_cast<uint8_t*>(memory) + kHugePage, bytes - kHugePage, MADV_HUGEPAGE);
    }
    all_ = static_cast<T*>(memory);
    bytes_ = bytes;
    return {};
  }
  T& operator[](uint32_t entry) noexcept { return all_[entry]; }
  const T& operator[](uint32_t entry) const noexcept { return all_[entry]; }

 private:
  T* all_ = nullptr;
  uint64_t bytes_ = 0;
};

}  // namespace bricks
