// A flight recorder's memory: the last packets of a link, in a bounded ring. One writer, an
// engine's thread, which never waits; any number of readers, each on a thread of its own, which
// begin anywhere in what is kept and read along to what comes now. Chunks of the ring are used anew
// in the order of age; one that a reader is looking at is passed over for the next.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "mem/region.hh"
#include "mem/status.hh"
#include "wire/packet.hh"

namespace bricks {

class Recording {
 public:
  // `bytes` (kRecordBytesMin to kRecordBytesMax) become memory as they are filled. `seconds`:
  // readers are given nothing older. invalid_argument; failed: no memory.
  static Status create(const std::string& link, uint64_t bytes, uint32_t seconds,
                       std::shared_ptr<Recording>* recording);
  ~Recording();

  // Writer. Returns how many were kept: all, unless readers hold every chunk.
  uint32_t add(const Batch& batch, const Index* picks, uint32_t count, uint64_t* bytes) noexcept;
  void set_finished(bool over) noexcept;  // nothing more for now
  void close() noexcept;                  // nothing more ever

  const std::string& link() const noexcept { return link_; }
  uint32_t seconds() const noexcept { return seconds_; }
  uint64_t bytes() const noexcept { return chunk_bytes_ * kChunks; }
  uint64_t overwritten() const noexcept { return overwritten_.load(std::memory_order_relaxed); }
  bool finished() const noexcept { return finished_.load(std::memory_order_acquire); }
  bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }

  // A place in the ring, and the packets from there on. Used by one thread.
  class Reader {
   public:
    // Begins with what came at `since` (wall clock) or later.
    Reader(std::shared_ptr<Recording> recording, Nanos since);
    ~Reader() { release(); }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    // Up to kBatchMax packets of one link type, valid until release(); 0: there are none now. What
    // was overwritten before it was read is added to *lost.
    uint32_t look(Batch& batch, uint64_t* lost) noexcept;
    // The first `count` packets of the last look() are dealt with; forgets the batch.
    void release(uint32_t count = 0) noexcept;

   private:
    bool pin(uint64_t* lost) noexcept;
    bool step() noexcept;
    uint32_t fill(Batch& batch) noexcept;
    std::shared_ptr<Recording> recording_;
    Nanos since_;                 // 0: it has begun
    uint64_t chunk_ = 0;          // sequence number
    uint64_t next_ = 0;           // number of the next packet
    uint32_t offset_ = 0;         // in the chunk
    bool fresh_ = true;           // nothing of that chunk has been looked at
    int32_t pinned_ = -1;         // index of that chunk while it is
    std::vector<uint32_t> ends_;  // where each packet of the last look() ends
  };

 private:
  static constexpr uint32_t kChunks = 32;
  struct Chunk {
    std::atomic<uint64_t> number{0};  // which in the order of writing, from 1; 0: none yet
    std::atomic<uint32_t> used{0};    // bytes that may be read
    std::atomic<int32_t> pins{0};     // readers; kTaken: the writer makes it new
    std::atomic<uint64_t> first{0};   // number of its first packet
    uint32_t packets = 0;             // writer's
    uint8_t* data = nullptr;
  };
  static constexpr int32_t kTaken = -1;

  Recording() = default;
  bool begin_chunk() noexcept;

  std::string link_;
  uint32_t seconds_ = 0;
  uint64_t chunk_bytes_ = 0;
  uint8_t* memory_ = nullptr;
  Chunk chunks_[kChunks];
  Chunk* current_ = nullptr;             // writer's
  uint64_t added_ = 0;                   // writer's: packets
  std::atomic<uint64_t> last_chunk_{0};  // number of the chunk that is written to
  std::atomic<uint64_t> overwritten_{0};
  std::atomic<bool> finished_{false}, closed_{false};
};

}  // namespace bricks
