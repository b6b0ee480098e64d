// Frames on their way from an engine's thread to a thread that may wait for the system: a ring of
// bytes, allocated once, one producer and one consumer. A record never wraps, so that it can be
// read, and handed to the kernel, where it lies.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>

#include "wire/packet.hh"

namespace bricks {

struct FrameRecord {
  Nanos timestamp;
  uint32_t length;       // bytes of the frame, which follow the record; kFrameSkip: go on at 0
  uint32_t wire_length;  // on the wire
  uint32_t link;         // LinkType
  uint32_t zero;
  const uint8_t* data() const noexcept { return reinterpret_cast<const uint8_t*>(this + 1); }
};
static_assert(sizeof(FrameRecord) == 24);

inline constexpr uint32_t kFrameSkip = UINT32_MAX;

class FrameQueue {
 public:
  explicit FrameQueue(uint64_t bytes)  // a power of two, at least 1 MiB
      : bytes_(bytes), ring_(new uint8_t[bytes + kSlack]) {}

  // Producer. False: no room for it now.
  bool put(const Batch& batch, uint32_t i) noexcept {
    const Packet& packet = batch.packets[i];
    const uint64_t after = place(end_, packet.length);
    if (!fits(after)) return false;
    const uint64_t size = size_of(packet.length), at = after - size;
    if (at != end_) record(end_)->length = kFrameSkip;
    FrameRecord* made = record(at);
    *made = {packet.timestamp, packet.length, wire_length(batch, i),
             static_cast<uint32_t>(batch.link), 0};
    auto* to = reinterpret_cast<uint8_t*>(made + 1);
    if (batch.padded) {
      for (uint32_t done = 0; done < packet.length; done += 64)
        std::memcpy(to + done, packet.data + done, 64);
    } else if (packet.length) {
      std::memcpy(to, packet.data, packet.length);
    }
    end_ = after;
    return true;
  }
  // Room for a frame of up to `length` bytes, to be filled in; null: none now.
  uint8_t* reserve(uint32_t length) noexcept {
    const uint64_t after = place(end_, length);
    if (!fits(after)) return nullptr;
    const uint64_t at = after - size_of(length);
    if (at != end_) record(end_)->length = kFrameSkip;
    end_ = at;
    return reinterpret_cast<uint8_t*>(record(at) + 1);
  }
  void fill(uint32_t length, Nanos timestamp, LinkType link) noexcept {
    *record(end_) = {timestamp, length, length, static_cast<uint32_t>(link), 0};
    end_ += size_of(length);
  }
  // How many of the picks, from the first on, would fit.
  uint32_t fitting(const Batch& batch, const Index* picks, uint32_t count) const noexcept {
    uint64_t at = end_;
    for (uint32_t i = 0; i < count; ++i) {
      at = place(at, batch.packets[picks[i]].length);
      if (!fits(at)) return i;
    }
    return count;
  }
  void commit() noexcept { committed_.store(end_, std::memory_order_seq_cst); }

  // Consumer. The record at `position`, null: none yet. *position moves over a skip.
  const FrameRecord* at(uint64_t* position) const noexcept {
    if (*position == committed_.load(std::memory_order_acquire)) return nullptr;
    if (record(*position)->length == kFrameSkip) *position += bytes_ - (*position & (bytes_ - 1));
    return record(*position);
  }
  static uint64_t size_of(uint32_t length) noexcept {
    return (sizeof(FrameRecord) + length + 7) & ~uint64_t{7};
  }
  // All before `position` is done with: its memory may be used again.
  void release(uint64_t position) noexcept { released_.store(position, std::memory_order_release); }
  uint64_t committed() const noexcept { return committed_.load(); }
  uint64_t released() const noexcept { return released_.load(std::memory_order_acquire); }
  bool empty() const noexcept { return committed() == released(); }

 private:
  static constexpr uint64_t kSlack = 64;  // bytes that copies in whole lines write too many

  FrameRecord* record(uint64_t position) const noexcept {
    return reinterpret_cast<FrameRecord*>(ring_.get() + (position & (bytes_ - 1)));
  }
  // Where a frame put at `at` would end.
  uint64_t place(uint64_t at, uint32_t length) const noexcept {
    const uint64_t left = bytes_ - (at & (bytes_ - 1)), size = size_of(length);
    return size + sizeof(FrameRecord) <= left ? at + size : at + left + size;
  }
  bool fits(uint64_t end) const noexcept { return end + kSlack - released() <= bytes_; }

  const uint64_t bytes_;
  const std::unique_ptr<uint8_t[]> ring_;
  alignas(64) uint64_t end_ = 0;
  std::atomic<uint64_t> committed_{0};
  alignas(64) std::atomic<uint64_t> released_{0};
};

}  // namespace bricks
