// Which packets went by a moment ago: digests and when, in lines of four, one line for a digest.
// All memory is reserved at the start and sparse; in a full line the oldest gives way. Whoever uses
// it has a clock of its own: a tick can be a time or a packet.
#pragma once

#include <memory>

#include "mem/status.hh"
#include "wire/packet_digest.hh"

namespace bricks {

class DuplicateTable {
 public:
  // `packets`: how many it remembers, at least; a power of two is made of it.
  static Status create(uint32_t packets, std::unique_ptr<DuplicateTable>* table);
  ~DuplicateTable();

  void prefetch(const PacketDigest& digest) const noexcept {
    __builtin_prefetch(&lines_[digest.word & mask_], 1);
  }
  struct Seen {
    bool before;        // one like it, within the window; else it is remembered now
    uint64_t distance;  // ticks since then, or until then where the clock went back
  };
  // The lower kTickBits of `tick` count; a window is less than half of what they reach.
  static constexpr uint32_t kTickBits = 40;
  Seen see(const PacketDigest& digest, uint64_t tick, uint64_t window) noexcept;
  uint64_t gave_way() const noexcept { return gave_way_; }  // too early: their window was not over

 private:
  struct alignas(64) Line {
    uint64_t word[4];
    uint64_t rest[4];  // upper 24 bits: of the check; lower 40: the tick; 0: free
  };
  DuplicateTable() = default;

  Line* lines_ = nullptr;
  uint64_t mask_ = 0, bytes_ = 0;
  uint64_t gave_way_ = 0;
};

}  // namespace bricks
