#include "mem/region.hh"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <cstring>

namespace bricks {

namespace {
constexpr uint64_t kPage = 4096;
constexpr uint64_t round_up(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }
}  // namespace

Status Region::create(const std::string& name, uint64_t control_bytes, uint32_t buffers,
                      std::shared_ptr<Region>* region) {
  assert(buffers > 2);
  std::shared_ptr<Region> made(new Region);
  made->control_bytes_ = round_up(control_bytes, kPage);
  made->buffer_offset_ = made->control_bytes_;
  made->buffers_ = buffers;
  made->contents_.resize(buffers);
  // One page beyond the last buffer: copies run in whole cache lines.
  made->bytes_ =
      round_up(made->buffer_offset_ + uint64_t{buffers} * kBufferStride, kPage) + kPage;
  made->fd_ = memfd_create(("bricks:" + name).c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (made->fd_ < 0) return system_error("cannot make memory for " + name, errno);
  if (ftruncate(made->fd_, static_cast<off_t>(made->bytes_)) != 0) {
    return system_error("cannot size memory for " + name, errno);
  }
  // A consumer that could shrink the file would make the engine fault on its next write.
  fcntl(made->fd_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  void* memory =
      mmap(nullptr, made->bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, made->fd_, 0);
  if (memory == MAP_FAILED) return system_error("cannot map memory for " + name, errno);
  made->base_ = static_cast<uint8_t*>(memory);
  made->buffer_base_ = made->base_ + made->buffer_offset_;
  *region = std::move(made);
  return {};
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
    return {Code::limit_reached, "the region has no room for another ring; use fewer pipes, "
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
