// Where the words of sessions lie: lines of four ways, digest and word. Grows line by line (linear
// hashing); a digest has two lines, a cuckoo's. The memory is the table's.
#pragma once

#include "sessions/session.hh"

namespace bricks {

class SessionIndex {
 protected:
  static constexpr uint32_t kLineShift = 6;
  struct alignas(64) Line {
    uint64_t digest[4];  // 0: nothing
    uint64_t word[4];
  };
  uint32_t address(uint32_t hash) const noexcept {
    const uint32_t at = hash & mask_;
    return at < line_count_ ? at : hash & (mask_ >> 1);
  }
  // By where it begins, in bytes: that spares a shift for each look and each prefetch.
  static_assert(sizeof(Line) == 1 << kLineShift);
  static Line* line_at(Line* lines, uint32_t begin) noexcept {
    return reinterpret_cast<Line*>(reinterpret_cast<uint8_t*>(lines) + begin);
  }
  uint32_t first_of(uint64_t digest) const noexcept {
    return address(static_cast<uint32_t>(digest));
  }
  uint32_t second_of(uint64_t digest) const noexcept {
    return address(static_cast<uint32_t>(digest >> 32));
  }
  uint64_t& word_at(uint32_t way) noexcept { return lines_[way >> 2].word[way & 3]; }
  const uint64_t& word_at(uint32_t way) const noexcept { return lines_[way >> 2].word[way & 3]; }
  int32_t find_in(uint32_t line, uint64_t digest) const noexcept;
  uint64_t* find_word(uint64_t digest) noexcept;  // nullptr: it is not there
  void put(uint32_t line, uint32_t way, uint64_t digest, uint64_t word) noexcept;
  bool move_away(uint32_t line, uint32_t depth, uint32_t* way) noexcept;
  bool insert(uint64_t digest, uint64_t word) noexcept;
  void split_line() noexcept;

  Line* lines_ = nullptr;
  uint32_t line_count_ = 0, mask_ = 0;  // mask: of the next power of two, less one
  Session* records_ = nullptr;
};

}  // namespace bricks
