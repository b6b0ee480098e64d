// Merge with a window: packets are held and leave in the order of their timestamps.
//
// A packet goes on when every source has given one at least as late or has ended. A source that was
// asked and had nothing is waited for no longer than the window. Nothing depends on how timestamps
// and the clock are related: live devices and files read at full speed are merged alike.
#pragma once

#include <vector>

#include "bricks/brick.hh"
#include "wire/held_packets.hh"

namespace bricks {

class MergeByTime final : public Brick {
 public:
  static Status create(Nanos window, uint32_t packets, std::unique_ptr<Brick>* brick);

  void push(Batch& batch, Picks in, Outlets& out) noexcept override;
  bool due(Nanos now, bool all) const noexcept override;
  void release(Batch& batch, Nanos now, bool all, Outlets& out) noexcept override;
  void recycle(Batch&) noexcept override { held_->recycle(); }
  Nanos due_at() const noexcept override;
  void expect(std::span<const Source* const> sources) override;
  bool wants(const Source& source) const noexcept override;
  uint32_t figures(Figure* to) const noexcept override;

 private:
  struct Leg {
    const Source* source;
    Nanos last = 0;  // the latest timestamp that has come in from it
  };
  struct Item {
    Nanos time;
    uint64_t number;  // of arrival: equal times stay in that order
    uint32_t epoch;
    HeldPackets::Place place;
  };
  // What came in at one time: all of it goes when this has expired.
  struct Mark {
    Nanos arrived, latest;
    uint32_t epoch;
  };

  MergeByTime(Nanos window, uint32_t packets) : window_(window), packets_(packets) {}
  static bool after(const Item& a, const Item& b) noexcept;
  Leg* leg_of(const Source* source) noexcept;
  bool hold(const Batch& batch, Index pick, uint32_t cut) noexcept;
  void mark(Nanos arrived, Nanos latest) noexcept;
  Nanos watermark() const noexcept;
  bool expired(const Mark& mark) const noexcept;
  bool full() const noexcept { return !held_->has_room(kBatchMax); }
  const Mark& front() const noexcept { return marks_[first_mark_ % marks_.size()]; }

  const Nanos window_;
  const uint32_t packets_;
  std::unique_ptr<HeldPackets> held_;
  std::vector<Leg> legs_;
  size_t leg_seen_ = 0;
  std::vector<Item> heap_;   // capacity for all; the earliest at the front
  std::vector<Mark> marks_;  // a ring, oldest first
  uint64_t first_mark_ = 0, end_mark_ = 0;
  uint64_t number_ = 0;
  uint32_t epoch_ = 0;  // begins when a clock was set back
  Nanos floor_ = 0;     // the latest time that has left, in this epoch
  Nanos forced_ = 0;    // up to here all goes, whoever has not come: their window is over
  uint64_t late_ = 0, forced_by_room_ = 0, clock_back_ = 0;
};

}  // namespace bricks
