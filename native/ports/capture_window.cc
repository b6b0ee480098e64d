#include "ports/capture_window.hh"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

namespace bricks {

CaptureWindow::CaptureWindow() : memory_(nullptr, std::free) {
  constexpr size_t kPage = 4096;
  constexpr size_t kBytes = kCaptureRecordMax + kCaptureChunk + kPage;
  static_assert(kCaptureRecordMax % kPage == 0 && kCapturePadding <= kPage);
  auto* memory = static_cast<uint8_t*>(std::aligned_alloc(kPage, kBytes));
  if (!memory) throw std::bad_alloc();
  memory_.reset(memory);
  read_at_ = memory + kCaptureRecordMax;
  std::memset(read_at_ + kCaptureChunk, 0, kCapturePadding);
  data_ = read_at_;
}

CaptureWindow::~CaptureWindow() { detach(); }

void CaptureWindow::attach(int fd, bool stream) noexcept {
  detach();
  fd_ = fd;
  stream_ = stream;
  data_ = read_at_;
  size_ = 0;
  offset_ = to_skip_ = 0;
  error_ = 0;
}

void CaptureWindow::detach() noexcept {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

void CaptureWindow::consume(uint64_t bytes) noexcept {
  const size_t here = static_cast<size_t>(std::min<uint64_t>(bytes, size_));
  data_ += here;
  size_ -= here;
  offset_ += here;
  to_skip_ += bytes - here;
}

void CaptureWindow::unconsume(size_t bytes) noexcept {
  assert(to_skip_ == 0 && bytes <= offset_);
  data_ -= bytes;
  size_ += bytes;
  offset_ -= bytes;
}

CaptureWindow::Fill CaptureWindow::fill() noexcept {
  assert(size_ <= kCaptureRecordMax && "records are bounded before they are waited for");
  if (fd_ < 0) return Fill::end;
  if (stream_) {
    pollfd ready{fd_, POLLIN, 0};
    if (poll(&ready, 1, 0) <= 0) return Fill::not_now;
  }
  // The unfinished record goes in front of the chunk, so that every read() is aligned.
  if (size_ > 0) std::memmove(read_at_ - size_, data_, size_);
  data_ = read_at_ - size_;
  const ssize_t got = read(fd_, read_at_, kCaptureChunk);
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return Fill::not_now;
    error_ = errno;
    return Fill::failed;
  }
  if (got == 0) return Fill::end;
  size_ += static_cast<size_t>(got);
  const uint64_t skip = to_skip_;
  to_skip_ = 0;
  consume(skip);
  return Fill::more;
}

}  // namespace bricks
