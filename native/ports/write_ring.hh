// Many writes to one descriptor in one system call (io_uring, without liburing): for descriptors
// that take a packet a write. One thread; in order; nothing is under way between calls.
#pragma once

#include <sys/uio.h>

#include <cstdint>

#include "mem/status.hh"

struct io_uring_sqe;
struct io_uring_cqe;
struct io_uring_params;

namespace bricks {

class WriteRing {
 public:
  WriteRing() = default;
  ~WriteRing() { close(); }
  WriteRing(const WriteRing&) = delete;
  WriteRing& operator=(const WriteRing&) = delete;

  // `entries`: writes of one call, a power of two. unsupported: the system has no io_uring, is too
  // old, or forbids it (a container's seccomp filter, kernel.io_uring_disabled).
  Status open(uint32_t entries);
  void close() noexcept;
  bool is_open() const noexcept { return fd_ >= 0; }

  // Writes up to `entries` frames to `fd` without waiting. Returns how many of them, from the first
  // on, the system took; results[i]: bytes written, or -errno. Fewer than `count`: the ring is of
  // no use any more (error() says why), and the others were not written.
  uint32_t write(int fd, const iovec* frames, uint32_t count, int32_t* results) noexcept;
  int error() const noexcept { return error_; }

 private:
  Status map(const io_uring_params& made);
  uint32_t submit(uint32_t count) noexcept;
  void collect(uint32_t count, int32_t* results) noexcept;

  int fd_ = -1, error_ = 0;
  uint8_t* rings_ = nullptr;  // shared with the kernel: the indexes of both, and the completions
  io_uring_sqe* entries_ = nullptr;
  uint64_t ring_bytes_ = 0, entry_bytes_ = 0;
  uint32_t *tail_ = nullptr, *done_head_ = nullptr, *done_tail_ = nullptr;
  const io_uring_cqe* done_ = nullptr;
  uint32_t mask_ = 0, done_mask_ = 0;
};

}  // namespace bricks
