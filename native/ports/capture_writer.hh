// Writes a stream of bytes to a file, or to one after the other, from a thread of its own. The
// producer copies into a ring that was allocated once and never waits; how far the files have got
// is one number. One producer.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>

#include "mem/status.hh"
#include "ports/capture_files.hh"

namespace bricks {

inline constexpr uint64_t kWriterSlack = 64;      // bytes an append may overshoot what it appends
inline constexpr uint32_t kWriterCutsMax = 1024;  // files that may wait to be begun

class CaptureWriter {
 public:
  // Opens the first of `files`, whose errors these are.
  static Status start(std::unique_ptr<CaptureFiles> files, uint64_t ring_bytes,
                      std::unique_ptr<CaptureWriter>* writer);
  ~CaptureWriter();  // as stop()

  // Producer, between commits. Positions are bytes since the beginning of the stream.
  uint64_t free_bytes() noexcept;
  // Appends `bytes` <= free_bytes() - kWriterSlack. `padded`: whole lines may be read at `from`.
  void append(const void* from, uint64_t bytes, bool padded) noexcept;
  void commit() noexcept { committed_.store(position_, std::memory_order_release); }
  uint64_t position() const noexcept { return position_; }
  // What is appended from here on goes to the next file, named for `first`. One of cuts_free().
  void cut(Nanos first) noexcept;
  uint32_t cuts_free() const noexcept;
  bool first_is_cut() const noexcept { return files_->named_by_time(); }  // before any byte

  // Bytes the writer is done with, and from where on they were lost (UINT64_MAX: none).
  uint64_t drained() const noexcept { return drained_.load(std::memory_order_acquire); }
  uint64_t failed_at() const noexcept { return failed_at_.load(std::memory_order_acquire); }
  int error() const noexcept { return error_.load(std::memory_order_relaxed); }

  void nudge() noexcept;  // wakes the writer if enough has piled up
  void hurry() noexcept;  // wakes it in any case
  // wait_fd() becomes readable when the writer has got on. Arm, then look once more.
  void arm() noexcept;
  int wait_fd() const noexcept { return room_event_; }

  void stop() noexcept;  // writes what is committed, ends the thread, closes the file

 private:
  CaptureWriter() = default;
  void run() noexcept;
  void sleep() noexcept;
  bool write_some(uint64_t from, uint64_t to) noexcept;
  bool next_file(Nanos first) noexcept;

  struct Cut {
    uint64_t position;
    Nanos first;
  };

  std::unique_ptr<CaptureFiles> files_;
  std::array<Cut, kWriterCutsMax> cuts_;
  std::unique_ptr<uint8_t[]> ring_;
  uint64_t ring_bytes_ = 0;  // a power of two
  int fd_ = -1, room_event_ = -1, work_event_ = -1;
  bool regular_ = true;
  std::thread thread_;

  alignas(64) uint64_t position_ = 0;  // the producer's line
  uint64_t drained_seen_ = 0;
  alignas(64) std::atomic<uint64_t> committed_{0};
  std::atomic<uint64_t> cuts_made_{0};
  std::atomic<bool> stopping_{false};
  alignas(64) std::atomic<uint64_t> drained_{0};  // the writer's line
  std::atomic<uint64_t> cuts_done_{0};
  std::atomic<uint64_t> failed_at_{UINT64_MAX};
  std::atomic<int> error_{0};
  std::atomic<bool> asleep_{false};
  std::atomic<bool> armed_{false};
};

inline uint64_t CaptureWriter::free_bytes() noexcept {
  drained_seen_ = drained();
  return ring_bytes_ - (position_ - drained_seen_);
}

inline uint32_t CaptureWriter::cuts_free() const noexcept {
  return kWriterCutsMax - static_cast<uint32_t>(cuts_made_.load(std::memory_order_relaxed) -
                                                cuts_done_.load(std::memory_order_acquire));
}

// Published before the commit of the bytes behind it.
inline void CaptureWriter::cut(Nanos first) noexcept {
  const uint64_t made = cuts_made_.load(std::memory_order_relaxed);
  cuts_[made % kWriterCutsMax] = {position_, first};
  cuts_made_.store(made + 1, std::memory_order_release);
}

inline void CaptureWriter::append(const void* from, uint64_t bytes, bool padded) noexcept {
  const uint64_t at = position_ & (ring_bytes_ - 1);
  position_ += bytes;
  const auto* source = static_cast<const uint8_t*>(from);
  uint8_t* target = ring_.get() + at;
  if (at + bytes <= ring_bytes_) [[likely]] {
    if (!padded) return void(std::memcpy(target, source, bytes));
    // Behind the ring's end there is slack, too.
    for (uint64_t done = 0; done < bytes; done += 64) std::memcpy(target + done, source + done, 64);
    return;
  }
  const uint64_t first = ring_bytes_ - at;
  std::memcpy(target, source, first);
  std::memcpy(ring_.get(), source + first, bytes - first);
}

}  // namespace bricks
