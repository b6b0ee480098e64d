#include "bricks/merge_by_time.hh"

#include <algorithm>

namespace bricks {

Status MergeByTime::create(Nanos window, uint32_t packets, std::unique_ptr<Brick>* brick) {
  std::unique_ptr<MergeByTime> made(new MergeByTime(window, packets));
  Status status = HeldPackets::create("Merge", packets, &made->held_);
  if (!status.ok()) return status;
  made->heap_.reserve(made->held_->capacity());
  made->marks_.resize(packets);
  *brick = std::move(made);
  return {};
}

bool MergeByTime::after(const Item& a, const Item& b) noexcept {
  if (a.epoch != b.epoch) return a.epoch > b.epoch;
  if (a.time != b.time) return a.time > b.time;
  return a.number > b.number;
}

void MergeByTime::expect(std::span<const Source* const> sources) {
  std::vector<Leg> legs;
  for (const Source* source : sources) {
    const auto known = std::find_if(legs_.begin(), legs_.end(),
                                    [source](const Leg& leg) { return leg.source == source; });
    legs.push_back({source, known == legs_.end() ? 0 : known->last});
  }
  legs_ = std::move(legs);
  leg_seen_ = 0;
}

MergeByTime::Leg* MergeByTime::leg_of(const Source* source) noexcept {
  for (size_t i = 0; i < legs_.size(); ++i) {
    Leg& leg = legs_[leg_seen_];
    if (leg.source == source) return &leg;
    leg_seen_ = leg_seen_ + 1 < legs_.size() ? leg_seen_ + 1 : 0;
  }
  return nullptr;
}

void MergeByTime::push(Batch& batch, Picks in, Outlets& out) noexcept {
  Leg* leg = leg_of(batch.source);
  const Nanos back = std::max(window_, Nanos{kMergeClockBackMs} * 1000000);
  Nanos latest = 0;
  uint64_t held = 0;
  for (const Index pick : in) {
    const Nanos time = batch.packets[pick].timestamp;
    if (leg && time < leg->last && leg->last - time > back) {
      // Its clock was set, or its file begins again. What is held is from before and goes first.
      ++clock_back_;
      ++epoch_;
      floor_ = forced_ = latest = 0;
      leg->last = time;
    }
    if (leg) leg->last = std::max(leg->last, time);
    if (time < floor_) {
      ++late_;
      out.put(0, pick);
    } else if (hold(batch, pick, out.cut_before(pick))) {
      latest = std::max(latest, time);
      ++held;
    } else {
      ++forced_by_room_;
      floor_ = time;
      out.put(0, pick);
    }
  }
  if (held) mark(batch.now, latest);
  out.cell().held += held;
}

bool MergeByTime::hold(const Batch& batch, Index pick, uint32_t cut) noexcept {
  const HeldPackets::Place place = held_->take(batch, pick, cut);
  if (place == HeldPackets::kNowhere) return false;
  heap_.push_back({batch.packets[pick].timestamp, number_++, epoch_, place});
  std::push_heap(heap_.begin(), heap_.end(), after);
  return true;
}

// When there are too many of them, the last stands for later arrivals, too.
void MergeByTime::mark(Nanos arrived, Nanos latest) noexcept {
  if (end_mark_ != first_mark_) {
    Mark& last = marks_[(end_mark_ - 1) % marks_.size()];
    const bool full = end_mark_ - first_mark_ == marks_.size();
    if (last.epoch == epoch_ && (full || last.arrived == arrived)) {
      last.arrived = arrived;
      last.latest = std::max(last.latest, latest);
      return;
    }
    if (full) {
      last = {arrived, latest, epoch_};  // those of an epoch before are due anyway
      return;
    }
  }
  marks_[end_mark_++ % marks_.size()] = {arrived, latest, epoch_};
}

// All sources have given something as late as this.
Nanos MergeByTime::watermark() const noexcept {
  Nanos least = UINT64_MAX;
  for (const Leg& leg : legs_) {
    if (!leg.source->ended) least = std::min(least, leg.source->latest);
  }
  return least;
}

bool MergeByTime::expired(const Mark& mark) const noexcept {
  if (mark.epoch != epoch_) return true;
  return std::all_of(legs_.begin(), legs_.end(), [&](const Leg& leg) {
    return leg.source->ended || leg.source->latest >= mark.latest ||
           leg.source->empty_at >= mark.arrived + window_;
  });
}

bool MergeByTime::due(Nanos, bool all) const noexcept {
  if (heap_.empty()) return false;
  const Item& first = heap_.front();
  return all || first.epoch != epoch_ || full() || first.time <= watermark() ||
         first.time <= forced_ || (first_mark_ != end_mark_ && expired(front()));
}

Nanos MergeByTime::due_at() const noexcept {
  if (heap_.empty()) return 0;
  return first_mark_ == end_mark_ ? 1 : front().arrived + window_;
}

void MergeByTime::release(Batch& batch, Nanos, bool all, Outlets& out) noexcept {
  for (; first_mark_ != end_mark_ && expired(front()); ++first_mark_) {
    if (front().epoch == epoch_) forced_ = std::max(forced_, front().latest);
  }
  const Nanos limit = std::max(watermark(), forced_);
  held_->begin(batch);
  while (!heap_.empty()) {
    const Item first = heap_.front();
    const bool now = all || first.epoch != epoch_ || first.time <= limit;
    if (!now && !(full() && batch.count < kBatchMax)) break;
    if (!held_->give(first.place, batch)) break;
    if (!now) ++forced_by_room_;
    std::pop_heap(heap_.begin(), heap_.end(), after);
    heap_.pop_back();
    const auto index = static_cast<Index>(batch.count - 1);
    if (const uint32_t cut = held_->cut(first.place); cut != UINT32_MAX) out.cut(index, cut);
    if (first.epoch == epoch_) floor_ = std::max(floor_, first.time);
    out.put(0, index);
  }
  out.cell().held -= batch.count;
  if (heap_.empty()) first_mark_ = end_mark_;
}

// While there is little room only those that hold the others up are read.
bool MergeByTime::wants(const Source& source) const noexcept {
  return held_->count() < packets_ / 2 || source.latest <= watermark();
}

uint32_t MergeByTime::figures(Figure* to) const noexcept {
  to[0] = {"late", late_};
  to[1] = {"forced", forced_by_room_};
  to[2] = {"clock_back", clock_back_};
  return 3;
}

}  // namespace bricks
