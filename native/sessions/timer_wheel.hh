// A hashed timer wheel: a list of sessions for every tick of the clock, in a ring for each
// GivesWay. It knows entry numbers and ticks; the records are the table's.
#pragma once

#include <cstdint>

#include "sessions/session.hh"

namespace bricks {

class TimerWheel {
 public:
  static constexpr uint32_t kSlotBits = 15, kSlots = 1u << kSlotBits;
  static constexpr uint32_t kRings = 3;
  static constexpr uint64_t kBytes = kRings * kSlots * sizeof(uint32_t);

  // `heads`: kBytes of zeros; `records` by entry number. Both the caller's.
  void use(uint32_t* heads, Session* records) noexcept { heads_ = heads, records_ = records; }

  // The deadline is at most kSlots - 1 ticks after the wheel's own tick.
  void link(uint32_t entry, uint64_t deadline, GivesWay rank) noexcept {
    const uint32_t list = (deadline & (kSlots - 1)) + static_cast<uint32_t>(rank) * kSlots;
    Session& session = records_[entry];
    session.list = list & ((1u << 17) - 1);
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
    for (uint32_t ring = 0; ring < kRings; ++ring) {
      if (heads_[slot + ring * kSlots]) return heads_[slot + ring * kSlots];
    }
    return 0;
  }
  // Of that rank, one whose deadline comes first after `tick`; 0: there is none.
  uint32_t first_of(GivesWay rank, uint64_t tick) const noexcept {
    const auto ring = static_cast<uint32_t>(rank);
    const uint32_t slot = next_marked(tick & (kSlots - 1), ring);
    return slot == kSlots ? 0 : heads_[slot + ring * kSlots];
  }
  GivesWay rank(uint32_t entry) const noexcept {
    return static_cast<GivesWay>(records_[entry].list / kSlots);
  }
  // Ticks from `tick` to the first list that is not empty; kSlots: all are.
  uint32_t distance(uint64_t tick) const noexcept {
    const uint32_t from = tick & (kSlots - 1);
    uint32_t least = kSlots;
    for (uint32_t ring = 0; ring < kRings; ++ring) {
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
  uint64_t marks_[kRings * kWords] = {};  // a bit a list: not empty
  uint64_t sums_[kRings * kSums] = {};    // a bit a word of marks: not zero
};

static_assert(3600ull * 1000000000 >> kSessionTickShift < TimerWheel::kSlots - 2);

}  // namespace bricks
