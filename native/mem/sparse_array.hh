// An array of as many elements as there could ever be, all zero at first: only what has been
// touched is memory.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <type_traits>
#include <utility>

namespace bricks {

template <typename T>
class SparseArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  SparseArray() = default;
  SparseArray(SparseArray&& other) noexcept { swap(other); }
  SparseArray& operator=(SparseArray&& other) noexcept { return swap(other), *this; }
  ~SparseArray() {
    if (at_) munmap(at_, bytes_);
  }

  // False: the system has no room for it. Once.
  bool reserve(uint64_t count) noexcept {
    bytes_ = (count ? count : 1) * sizeof(T);
    void* at = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return false;
    at_ = static_cast<T*>(at);
    return true;
  }
  T& operator[](uint64_t index) const noexcept { return at_[index]; }
  T* data() const noexcept { return at_; }
  explicit operator bool() const noexcept { return at_; }

 private:
  void swap(SparseArray& other) noexcept {
    std::swap(at_, other.at_), std::swap(bytes_, other.bytes_);
  }
  T* at_ = nullptr;
  uint64_t bytes_ = 0;
};

}  // namespace bricks
