// The ring's two sides.
#include "plugins/line_writer.hh"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

#include "abi/bricks_error.h"

namespace bricks {

namespace {

constexpr uint32_t kOutBytes = kPluginLineMax + (64u << 10);
constexpr auto kLook = std::chrono::milliseconds(10);  // how long a line waits at most
constexpr int kPatienceMs = 1000;
constexpr uint32_t kLooksPerSecond = 100;

uint64_t padded(uint64_t bytes) noexcept { return (bytes + 7) & ~uint64_t{7}; }

int open_file(const std::string& path) noexcept {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
}

}  // namespace

Status LineWriter::open(const std::string& path, std::shared_ptr<PluginCounts> counts,
                        std::unique_ptr<LineWriter>* writer) {
  std::unique_ptr<LineWriter> made(new LineWriter);
  made->path_ = path;
  made->counts_ = std::move(counts);
  made->file_ = open_file(path);
  if (made->file_ < 0) return system_error("cannot write to " + path, errno);
  if (!made->ring_.reserve(kPluginFileBytes)) return system_error("memory for lines", errno);
  made->out_ = std::make_unique<char[]>(kOutBytes);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  Status status;
  try {
    made->thread_ = std::thread([raw = made.get()] { raw->run(); });
  } catch (const std::exception&) {
    status = {Code::failed, path + ": no thread could be started to write it"};
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (status.ok()) *writer = std::move(made);
  return status;
}

LineWriter::~LineWriter() {
  if (thread_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    ends_.notify_one();
    thread_.join();
  }
  if (file_ >= 0) close(file_);
}

int LineWriter::put(const char* line, size_t length) noexcept {
  if (length > kPluginLineMax) return BRICKS_EINVAL;
  const uint64_t size = sizeof(Header) + length + 1;
  uint64_t at = reserved_.load(std::memory_order_relaxed);
  uint64_t skip;
  do {
    const uint64_t to_end = kPluginFileBytes - at % kPluginFileBytes;
    skip = to_end < padded(size) ? to_end : 0;
    if (at + skip + padded(size) - taken_.load(std::memory_order_acquire) > kPluginFileBytes) {
      counts_->add(PluginCount::lost_lines);
      return BRICKS_ENOMEM;
    }
  } while (
      !reserved_.compare_exchange_weak(at, at + skip + padded(size), std::memory_order_acq_rel));
  if (skip) header(at).size.store(kSkip, std::memory_order_release);
  char* text = reinterpret_cast<char*>(&header(at + skip)) + sizeof(Header);
  if (length) std::memcpy(text, line, length);
  text[length] = '\n';
  header(at + skip).size.store(static_cast<uint32_t>(size), std::memory_order_release);
  return BRICKS_DONE;
}

// Lines from the ring to out_, as many as it has room for. False: there was none.
bool LineWriter::gather() noexcept {
  uint64_t at = taken_.load(std::memory_order_relaxed);
  const uint64_t from = at;
  while (out_length_ + kPluginLineMax + 1 <= kOutBytes) {
    const uint32_t size = header(at).size.load(std::memory_order_acquire);
    if (size == 0) break;
    const uint64_t start = at % kPluginFileBytes;
    uint64_t whole = padded(size);
    if (size == kSkip) {
      whole = kPluginFileBytes - start;
    } else {
      const uint32_t length = size - static_cast<uint32_t>(sizeof(Header));
      std::memcpy(&out_[out_length_], &ring_[start + sizeof(Header)], length);
      out_length_ += length;
      ++out_lines_;
    }
    std::memset(&ring_[start], 0, whole);
    at += whole;
    taken_.store(at, std::memory_order_release);
  }
  return at != from;
}

void LineWriter::write_out() noexcept {
  uint32_t written = 0;
  int waited = 0;
  while (written < out_length_) {
    const ssize_t count = write(file_, &out_[written], out_length_ - written);
    if (count > 0) {
      written += static_cast<uint32_t>(count);
      waited = 0;
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN && waited < kPatienceMs) {
      pollfd full = {file_, POLLOUT, 0};
      poll(&full, 1, kPatienceMs / 10);
      waited += kPatienceMs / 10;
      continue;
    }
    uint32_t lost = 0;
    for (uint32_t i = written; i < out_length_; ++i) lost += out_[i] == '\n';
    counts_->add(PluginCount::lost_lines, std::min(lost, out_lines_));
    break;
  }
  out_length_ = out_lines_ = 0;
}

void LineWriter::look_for_rename() noexcept {
  struct stat named, open_one;
  const bool same = stat(path_.c_str(), &named) == 0 && fstat(file_, &open_one) == 0 &&
                    named.st_ino == open_one.st_ino && named.st_dev == open_one.st_dev;
  if (same) return;
  const int next = open_file(path_);
  if (next < 0) return;
  close(file_);
  file_ = next;
}

void LineWriter::run() noexcept {
  uint32_t looks = 0;
  for (bool ending = false;;) {
    while (gather()) write_out();
    if (ending) return;
    if (++looks % kLooksPerSecond == 0) look_for_rename();
    std::unique_lock lock(mutex_);
    ending = ends_.wait_for(lock, kLook, [this] { return ending_; });
  }
}

}  // namespace bricks
