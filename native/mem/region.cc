#include "mem/region.hh"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>

namespace bricks {

namespace {
constexpr uint64_t kPage = 4096;
constexpr uint64_t kHugePage = 2u << 20;
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25  // Linux 6.1
#endif
constexpr uint64_t round_up(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }
}  // namespace

Status Region::create(const std::string& name, uint64_t control_bytes, uint32_t buffers,
                      std::shared_ptr<Region>* region) {
  assert(buffers > 2);
  std::shared_ptr<Region> made(new Region);
  made->control_bytes_ = round_up(control_bytes, kPage);
  made->buffer_offset_ = made->control_bytes_;
  made->buffers_ = buffers;
  // One page beyond the last buffer: copies run in whole cache lines.
  made->bytes_ = round_up(made->buffer_offset_ + uint64_t{buffers} * kBufferStride, kPage) + kPage;
  // For people who look at /proc/PID/maps; the kernel takes 249 bytes, a pipe's name may have more.
  const std::string label = ("bricks:" + name).substr(0, 249);
  made->fd_ = memfd_create(label.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (made->fd_ < 0) return system_error("cannot make memory for " + name, errno);
  if (ftruncate(made->fd_, static_cast<off_t>(made->bytes_)) != 0) {
    return system_error("cannot size memory for " + name, errno);
  }
  // A consumer that could shrink the file would make the engine fault on its next write.
  fcntl(made->fd_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  if (!made->map()) return system_error("cannot map memory for " + name, errno);
  made->buffer_base_ = made->base_ + made->buffer_offset_;
  *region = std::move(made);
  return {};
}

std::shared_ptr<Region> Region::foreign() { return std::shared_ptr<Region>(new Region); }

// At an address where huge pages can be: reserve more, take the aligned part, give back the rest.
bool Region::map() noexcept {
  const uint64_t reserved = bytes_ + kHugePage;
  void* room = mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return false;
  const auto begin = reinterpret_cast<uint64_t>(room);
  const uint64_t aligned = round_up(begin, kHugePage);
  auto* at = static_cast<uint8_t*>(room) + (aligned - begin);
  munmap(at + bytes_, reserved - (aligned - begin) - bytes_);
  if (aligned != begin) munmap(room, aligned - begin);
  void* memory = mmap(at, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd_, 0);
  if (memory == MAP_FAILED) {
    munmap(at, bytes_);
    return false;
  }
  base_ = at;
  return true;
}

// Packet headers lie 2,112 bytes apart: with small pages nearly each has its own, and looking up
// the page costs more than the packet. Best effort: a kernel that cannot leaves things as they are.
// To the thread sanitizer the touch is a race with such a write; nothing is changed by it.
[[gnu::no_sanitize_thread]] void Region::use_huge_pages(uint64_t begin, uint64_t end) noexcept {
  begin = round_up(begin, kHugePage);
  end = end / kHugePage * kHugePage;
  if (begin >= end) return;
  // A huge page can only take the place of something: one touch each, which must not undo what an
  // engine or a device writes there meanwhile.
  for (uint64_t at = begin; at < end; at += kHugePage) {
    __atomic_fetch_or(base_ + at, uint8_t{0}, __ATOMIC_RELAXED);
  }
  madvise(base_ + begin, end - begin, MADV_COLLAPSE);
}

Region::~Region() {
  if (base_) munmap(base_, bytes_);
  if (fd_ >= 0) close(fd_);
}

Status Region::allocate_buffers(uint32_t count, std::vector<uint32_t>* indexes) {
  const uint64_t left = free_buffers_.size() + (buffers_ - buffer_next_);
  if (count > left) {
    return {Code::limit_reached, "the region has " + std::to_string(left) + " of " +
                                     std::to_string(buffers_) + " buffers left, " +
                                     std::to_string(count) + " are needed"};
  }
  indexes->reserve(indexes->size() + count);
  const uint32_t fresh = std::min(count, buffers_ - buffer_next_);
  // From the last huge page that is not yet whole; the very first begins with the control area.
  const uint64_t first = buffer_next_ == kFirstBuffer ? 0 : buffer_end(buffer_next_);
  use_huge_pages(first / kHugePage * kHugePage, buffer_end(buffer_next_ + fresh));
  for (uint32_t i = 0; i < count; ++i) {
    if (buffer_next_ < buffers_) {
      indexes->push_back(buffer_next_++);
    } else {
      indexes->push_back(free_buffers_.back());
      free_buffers_.pop_back();
    }
  }
  return {};
}

void Region::release_buffers(const std::vector<uint32_t>& indexes) {
  free_buffers_.insert(free_buffers_.end(), indexes.begin(), indexes.end());
}

Status Region::allocate_control(uint64_t bytes, uint64_t* offset) {
  bytes = round_up(bytes, 128);
  if (auto found = free_control_.find(bytes); found != free_control_.end()) {
    *offset = found->second;
    free_control_.erase(found);
    std::memset(base_ + *offset, 0, bytes);
    return {};
  }
  if (control_next_ + bytes > control_bytes_) {
    return {Code::limit_reached,
            "the region has no room for another ring; use fewer pipes, "
            "smaller rings, or pipes with memory of their own"};
  }
  *offset = control_next_;
  control_next_ += bytes;
  return {};
}

void Region::release_control(uint64_t offset, uint64_t bytes) {
  free_control_.emplace(round_up(bytes, 128), offset);
}

}  // namespace bricks
