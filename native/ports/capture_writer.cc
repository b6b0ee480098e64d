#include "ports/capture_writer.hh"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <system_error>

namespace bricks {
namespace {

constexpr uint64_t kEnough = 256 * 1024;     // bytes worth a write() before their time
constexpr uint64_t kWriteMax = 1024 * 1024;  // of one write(): room comes back that often
constexpr uint64_t kPipeWriteMax = 4096;     // what a pipe that is writable takes at once
constexpr int kLingerMs = 50;                // the longest a byte waits for company
constexpr int kStuckMs = 5000;               // stopping: a reader that takes nothing this long

void signal_event(int fd) noexcept {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(fd, &one, sizeof one);
}

void clear_event(int fd) noexcept {
  uint64_t count;
  [[maybe_unused]] const ssize_t got = read(fd, &count, sizeof count);
}

}  // namespace

Status CaptureWriter::start(std::unique_ptr<CaptureFiles> files, uint64_t ring_bytes,
                            std::unique_ptr<CaptureWriter>* writer) {
  assert((ring_bytes & (ring_bytes - 1)) == 0);
  std::unique_ptr<CaptureWriter> made(new CaptureWriter);
  Status opened = files->open_first(&made->fd_, &made->regular_);
  if (!opened.ok()) return opened;
  made->files_ = std::move(files);
  made->ring_bytes_ = ring_bytes;
  made->ring_.reset(new uint8_t[ring_bytes + kWriterSlack]);
  made->room_event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  made->work_event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (made->room_event_ < 0 || made->work_event_ < 0) {
    return system_error("cannot make an event for a capture's writer", errno);
  }
  // The writer's thread inherits a mask without signals; a broken pipe is an errno to it.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = 0;
  try {
    made->thread_ = std::thread([raw = made.get()] { raw->run(); });
  } catch (const std::system_error& failure) {
    error = failure.code().value();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error) return system_error("cannot start a capture's writer thread", error);
  *writer = std::move(made);
  return {};
}

CaptureWriter::~CaptureWriter() {
  stop();
  if (room_event_ >= 0) close(room_event_);
  if (work_event_ >= 0) close(work_event_);
}

void CaptureWriter::nudge() noexcept {
  const uint64_t waiting = position_ - drained();
  if (waiting < std::min(kEnough, ring_bytes_ / 4)) return;
  if (asleep_.load(std::memory_order_relaxed) && asleep_.exchange(false)) {
    signal_event(work_event_);
  }
}

void CaptureWriter::hurry() noexcept {
  asleep_.store(false);
  signal_event(work_event_);
}

void CaptureWriter::arm() noexcept {
  clear_event(room_event_);
  armed_.store(true);
  hurry();
}

void CaptureWriter::stop() noexcept {
  stopping_.store(true);
  if (thread_.joinable()) {
    hurry();
    thread_.join();
  }
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

void CaptureWriter::run() noexcept {
  pthread_setname_np(pthread_self(), "pcap-writer");
  for (;;) {
    const bool stopping = stopping_.load();
    const uint64_t from = drained_.load(std::memory_order_relaxed);
    const uint64_t to = committed_.load(std::memory_order_acquire);
    if (from != to && failed_at_.load(std::memory_order_relaxed) == UINT64_MAX) {
      if (!write_some(from, to)) failed_at_.store(drained_, std::memory_order_release);
    }
    if (failed_at_.load(std::memory_order_relaxed) != UINT64_MAX) {
      drained_.store(to, std::memory_order_release);  // lost, but the ring is free
    }
    if (armed_.load() && armed_.exchange(false)) signal_event(room_event_);
    const uint64_t left = committed_.load(std::memory_order_acquire) - drained_.load();
    if (left == 0 && stopping) return;
    if (left < kEnough && !stopping) sleep();
  }
}

void CaptureWriter::sleep() noexcept {
  asleep_.store(true);
  pollfd work{work_event_, POLLIN, 0};
  if (poll(&work, 1, kLingerMs) > 0) clear_event(work_event_);
  asleep_.store(false);
}

bool CaptureWriter::next_file(Nanos first) noexcept {
  if (fd_ >= 0) close(fd_);
  fd_ = files_->open_next(first);
  if (fd_ >= 0) return true;
  error_.store(errno);
  return false;
}

// One write() or the next file. False: nothing can be written any more, error_ says why.
bool CaptureWriter::write_some(uint64_t from, uint64_t to) noexcept {
  const uint64_t done = cuts_done_.load(std::memory_order_relaxed);
  if (done != cuts_made_.load(std::memory_order_acquire)) {
    const Cut& cut = cuts_[done % kWriterCutsMax];
    if (from == cut.position) {
      if (!next_file(cut.first)) return false;
      cuts_done_.store(done + 1, std::memory_order_release);
      return true;
    }
    to = std::min(to, cut.position);
  }
  const uint64_t at = from & (ring_bytes_ - 1);
  const uint64_t run = std::min(to - from, ring_bytes_ - at);
  const uint64_t bytes = std::min(run, regular_ ? kWriteMax : kPipeWriteMax);
  if (!regular_) {
    pollfd reader{fd_, POLLOUT, 0};
    const bool stopping = stopping_.load();
    if (poll(&reader, 1, stopping ? kStuckMs : kLingerMs) == 0) {
      error_.store(ETIMEDOUT);
      return !stopping;
    }
  }
  const ssize_t written = write(fd_, ring_.get() + at, bytes);
  if (written < 0) {
    if (errno == EINTR || errno == EAGAIN) return true;
    error_.store(errno);
    return false;
  }
  drained_.store(from + static_cast<uint64_t>(written), std::memory_order_release);
  return true;
}

}  // namespace bricks
