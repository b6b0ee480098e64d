// Extra buffers that the pipes of one engine share: what a full ring has no room for waits here, in
// order, one queue for each pipe. When no buffer is left the longest queue gives way: its oldest
// packets are dropped, so that new ones are kept and a stalled consumer cannot have them all.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mem/ledger.hh"
#include "mem/status.hh"
#include "wire/packet.hh"

namespace bricks {

// One pipe's packets in the pool, oldest first. Its output owns it.
struct SpillQueue {
  uint32_t head = 0, tail = 0;  // first buffers of its oldest and newest packet; kSpillNone: empty
  uint32_t packets = 0;
  uint32_t buffers = 0;
  LedgerCell* cell = nullptr;  // where packets that give way are counted
  SpillQueue* next = nullptr;  // in the pool's list
};
inline constexpr uint32_t kSpillNone = ~0u;

class SpillPool {
 public:
  // `buffers` of kBufferStride bytes, 1 to kSpillBuffersMax; memory only when they are used.
  static Status create(const std::string& owner, uint32_t buffers,
                       std::shared_ptr<SpillPool>* pool);
  ~SpillPool();
  SpillPool(const SpillPool&) = delete;
  SpillPool& operator=(const SpillPool&) = delete;

  // Everything below asks for the pool to be held. The engine's thread tries and does without when
  // it cannot; the control thread waits, for a batch's time at most.
  bool try_hold() noexcept { return !held_.test_and_set(std::memory_order_acquire); }
  void hold() noexcept;
  void release() noexcept { held_.clear(std::memory_order_release); }

  void enter(SpillQueue& queue) noexcept;  // from now on it may have to give way
  void leave(SpillQueue& queue) noexcept;  // no longer; it keeps what it has
  // Copies the packet to the queue's end. False: it is longer than all that could be had.
  bool push(SpillQueue& queue, const Batch& batch, Index pick) noexcept;
  // The first up to kBatchMax packets of one link type, to be read where they lie until they are
  // dropped from the queue. A packet of several buffers comes alone, put together.
  Batch& front(const SpillQueue& queue) noexcept;
  void pop(SpillQueue& queue, uint32_t packets) noexcept;

  uint32_t buffers() const noexcept { return buffers_; }
  uint32_t free_buffers() const noexcept { return free_.load(std::memory_order_relaxed); }

 private:
  struct Entry {  // of a packet, at its first buffer
    Nanos timestamp;
    uint32_t length, wire_length;
    uint32_t next_packet, next_buffer;  // next_buffer: of every buffer, in use or free
    LinkType link;
    uint8_t flags;
  };

  SpillPool() = default;
  uint8_t* data(uint32_t buffer) const noexcept {
    return memory_ + uint64_t{buffer} * kBufferStride;
  }
  uint32_t take_buffer() noexcept;
  bool make_room(uint32_t buffers) noexcept;
  void gather(uint32_t first) noexcept;

  std::atomic_flag held_;
  uint8_t* memory_ = nullptr;
  uint64_t bytes_ = 0;
  uint32_t buffers_ = 0;
  std::atomic<uint32_t> free_{0};  // read by whoever looks at the counters
  uint32_t free_head_ = kSpillNone;
  std::vector<Entry> entries_;
  SpillQueue* queues_ = nullptr;
  Batch batch_;                     // front()'s
  std::vector<uint8_t> assembled_;  // its packet of several buffers
};

// An engine's pool, made when the first output asks for it. Control thread.
class SpillSource {
 public:
  // `buffers`: 0 for kSpillBuffersDefault.
  SpillSource(std::string owner, uint32_t buffers)
      : owner_(std::move(owner)), buffers_(buffers ? buffers : kSpillBuffersDefault) {}
  Status get(std::shared_ptr<SpillPool>* pool);
  const std::shared_ptr<SpillPool>& there() const noexcept { return pool_; }  // null: nobody asked
  const std::string& owner() const noexcept { return owner_; }
  uint32_t buffers() const noexcept { return buffers_; }

 private:
  std::string owner_;
  uint32_t buffers_;
  std::shared_ptr<SpillPool> pool_;
};

}  // namespace bricks
