// A hashed timer wheel: a list of sessions for every tick of the clock, in two rings: those that
// give way to others when the table is full, and the rest. It knows entry numbers and ticks; the
// records are the table's.
#pragma once

#include <cstdint>

#include "sessions/session.hh"

namespace bricks {

class TimerWheel {
 public:
  static constexpr uint32_t kSlotBits = 15, kSlots = 1u << kSlotBits;
  static constexpr uint64_t kBytes = 2 * kSlots * sizeof(uint32_t);

  // `heads`: kBytes of zeros; `records` by entry number. Both the caller's.
  void use(uint32_t* heads, Session* records) noexcept { heads_ = heads, records_ = records; }

  // The deadline is at most kSlots - 1 ticks after the wheel's own tick.
  void link(uint32_t entry, uint64_t deadline, bool gives_way) noexcept {
    const uint32_t list = (deadline & (kSlots - 1)) | (gives_way ? kSlots : 0);
    Session& session = records_[entry];
    session.list = static_cast<uint16_t>(list);
    session.previous = 0;
    session.next = heads_[list];
    if (session.next) records_[session.next].previous = entry;
    heads_[list] = entry;
    mark(list);
  }
  void unlink(uint32_t entry) noexcept {
    const Session& session = records_[entry];
    if (session.next) records_[session.next].previous = session.previous;
    if (session.previous) {
      records_[session.previous].next = session.next;
    } else {
      heads_[session.list] = session.next;
      if (!session.next) unmark(session.list);
    }
  }
  // Whoever is due at that tick; 0: nobody.
  uint32_t due(uint64_t tick) const noexcept {
    const uint32_t slot = tick & (kSlots - 1);
    return heads_[slot] ? heads_[slot] : heads_[slot | kSlots];
  }
  // Of those that give way, one whose deadline comes first after `tick`; 0: there is none.
  uint32_t first_to_give_way(uint64_t tick) const noexcept {
    const uint32_t slot = next_marked(tick & (kSlots - 1), 1);
    return slot == kSlots ? 0 : heads_[slot | kSlots];
  }
  // Ticks from `tick` to the first list that is not empty; kSlots: all are.
  uint32_t distance(uint64_t tick) const noexcept {
    const uint32_t from = tick & (kSlots - 1);
    uint32_t least = kSlots;
    for (uint32_t ring = 0; ring < 2; ++ring) {
      const uint32_t slot = next_marked(from, ring);
      if (slot == kSlots) continue;
      const uint32_t ticks = (slot - from) & (kSlots - 1);
      if (ticks < least) least = ticks;
    }
    return least;
  }

 private:
  static constexpr uint32_t kWords = kSlots / 64, kSums = kWords / 64;
  void mark(uint32_t list) noexcept {
    marks_[list >> 6] |= uint64_t{1} << (list & 63);
    sums_[list >> 12] |= uint64_t{1} << (list >> 6 & 63);
  }
  void unmark(uint32_t list) noexcept {
    marks_[list >> 6] &= ~(uint64_t{1} << (list & 63));
    if (!marks_[list >> 6]) sums_[list >> 12] &= ~(uint64_t{1} << (list >> 6 & 63));
  }
  uint32_t next_marked(uint32_t from, uint32_t ring) const noexcept;

  uint32_t* heads_ = nullptr;
  Session* records_ = nullptr;
  uint64_t marks_[2 * kWords] = {};  // a bit a list: not empty
  uint64_t sums_[2 * kSums] = {};    // a bit a word of marks: not zero
};

static_assert(3600ull * 1000000000 >> kSessionTickShift < TimerWheel::kSlots - 2);

}  // namespace bricks
