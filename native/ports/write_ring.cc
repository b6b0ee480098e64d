#include "ports/write_ring.hh"

#include <linux/fs.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

namespace bricks {
namespace {

int enter(int ring, uint32_t submitted, uint32_t awaited) noexcept {
  const uint32_t flags = awaited ? IORING_ENTER_GETEVENTS : 0;
  return static_cast<int>(
      syscall(SYS_io_uring_enter, ring, submitted, awaited, flags, nullptr, size_t{0}));
}

void* map_ring(int fd, uint64_t bytes, off_t what) {
  return mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);
}

Status unsupported(const std::string& why) { return {Code::unsupported, "io_uring: " + why}; }

}  // namespace

Status WriteRing::open(uint32_t entries) {
  close();
  io_uring_params made{};
  fd_ = static_cast<int>(syscall(SYS_io_uring_setup, entries, &made));
  if (fd_ < 0) return unsupported(std::strerror(errno));
  Status status = map(made);
  if (!status.ok()) close();
  return status;
}

Status WriteRing::map(const io_uring_params& made) {
  // With these came IORING_OP_WRITE (Linux 5.6), and one mapping for both rings.
  constexpr uint32_t kNeeded = IORING_FEAT_RW_CUR_POS | IORING_FEAT_SINGLE_MMAP;
  if ((made.features & kNeeded) != kNeeded) return unsupported("the kernel is older than 5.6");
  ring_bytes_ = std::max<uint64_t>(made.sq_off.array + made.sq_entries * sizeof(uint32_t),
                                   made.cq_off.cqes + made.cq_entries * sizeof(io_uring_cqe));
  entry_bytes_ = made.sq_entries * sizeof(io_uring_sqe);
  void* const rings = map_ring(fd_, ring_bytes_, IORING_OFF_SQ_RING);
  if (rings == MAP_FAILED) return unsupported(std::strerror(errno));
  rings_ = static_cast<uint8_t*>(rings);
  void* const slots = map_ring(fd_, entry_bytes_, IORING_OFF_SQES);
  if (slots == MAP_FAILED) return unsupported(std::strerror(errno));
  entries_ = static_cast<io_uring_sqe*>(slots);
  const auto word = [this](uint32_t offset) {
    return reinterpret_cast<uint32_t*>(rings_ + offset);
  };
  tail_ = word(made.sq_off.tail);
  done_head_ = word(made.cq_off.head);
  done_tail_ = word(made.cq_off.tail);
  done_ = reinterpret_cast<const io_uring_cqe*>(rings_ + made.cq_off.cqes);
  mask_ = made.sq_entries - 1;
  done_mask_ = made.cq_entries - 1;
  for (uint32_t i = 0; i <= mask_; ++i) word(made.sq_off.array)[i] = i;
  return {};
}

void WriteRing::close() noexcept {
  if (entries_) munmap(entries_, entry_bytes_);
  if (rings_) munmap(rings_, ring_bytes_);
  if (fd_ >= 0) ::close(fd_);
  entries_ = nullptr;
  rings_ = nullptr;
  fd_ = -1;
}

// How many of the `count` newest entries the system took.
uint32_t WriteRing::submit(uint32_t count) noexcept {
  uint32_t taken = 0;
  while (taken < count) {
    const int n = enter(fd_, count - taken, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      error_ = n < 0 ? errno : EBUSY;
      break;
    }
    taken += static_cast<uint32_t>(n);
  }
  return taken;
}

// Writes that do not wait are done when they are submitted; should one not be, we wait for it.
void WriteRing::collect(uint32_t count, int32_t* results) noexcept {
  uint32_t head = *done_head_;
  for (uint32_t got = 0; got < count;) {
    if (head == __atomic_load_n(done_tail_, __ATOMIC_ACQUIRE)) {
      if (enter(fd_, 0, 1) < 0 && errno != EINTR) usleep(100);  // out of memory: it will come
      continue;
    }
    const io_uring_cqe& cqe = done_[head++ & done_mask_];
    if (cqe.user_data < count) results[cqe.user_data] = cqe.res;
    ++got;
    __atomic_store_n(done_head_, head, __ATOMIC_RELEASE);
  }
}

uint32_t WriteRing::write(int fd, const iovec* frames, uint32_t count, int32_t* results) noexcept {
  if (fd_ < 0) return 0;
  count = std::min(count, mask_ + 1);
  const uint32_t tail = *tail_;
  for (uint32_t i = 0; i < count; ++i) {
    io_uring_sqe& entry = entries_[(tail + i) & mask_];
    entry = {};
    entry.opcode = IORING_OP_WRITE;
    entry.fd = fd;
    entry.off = ~uint64_t{0};  // no place in a file
    entry.addr = reinterpret_cast<uint64_t>(frames[i].iov_base);
    entry.len = static_cast<uint32_t>(frames[i].iov_len);
    entry.rw_flags = RWF_NOWAIT;  // what has to wait fails with EAGAIN, and overtakes nothing
    entry.user_data = i;
  }
  __atomic_store_n(tail_, tail + count, __ATOMIC_RELEASE);
  const uint32_t taken = submit(count);
  if (taken < count) __atomic_store_n(tail_, tail + taken, __ATOMIC_RELEASE);
  collect(taken, results);
  return taken;
}

}  // namespace bricks
