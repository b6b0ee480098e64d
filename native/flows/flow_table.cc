#include "flows/flow_table.hh"

namespace bricks::flows {
namespace {

constexpr size_t kFirstSlots = 8192;

// A flow may be there at two levels; other bits decide on slot and mark.
uint64_t mix(Level level, uint64_t digest) noexcept {
  return (digest + static_cast<uint64_t>(level)) * 0x9e3779b97f4a7c15ull;
}
uint32_t mark_of(uint64_t mixed) noexcept { return static_cast<uint32_t>(mixed >> 32); }

}  // namespace

FlowTable::FlowTable(uint32_t most) : most_(most), slots_(kFirstSlots) {}

void FlowTable::prefetch(Level level, uint64_t digest) const noexcept {
  const uint64_t mixed = mix(level, digest);
  __builtin_prefetch(&slots_[(mixed ^ mixed >> 32) & (slots_.size() - 1)]);
}

uint32_t FlowTable::find(const FlowKey& key, Level level, uint64_t digest, bool insert, uint8_t a) {
  const uint64_t mixed = mix(level, digest);
  size_t at = (mixed ^ mixed >> 32) & (slots_.size() - 1);
  for (; slots_[at].row != kNoFlow; at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at].mark != mark_of(mixed)) continue;
    const Flow& flow = this->at(slots_[at].row);
    if (flow.level == level && flow.key == key) return slots_[at].row;
  }
  if (!insert || count_ == most_) return kNoFlow;
  if (count_ % kPage == 0) pages_.emplace_back(new Flow[kPage]);
  slots_[at] = {mark_of(mixed), count_};
  digests_.push_back(mixed);
  Flow& flow = this->at(count_);
  flow.key = key;
  flow.level = level;
  flow.a = a;
  if (++count_ * size_t{2} > slots_.size()) grow();
  return count_ - 1;
}

void FlowTable::grow() {
  std::vector<Slot> wider(slots_.size() * 2);
  for (uint32_t row = 0; row < count_; ++row) {
    const uint64_t mixed = digests_[row];
    size_t at = (mixed ^ mixed >> 32) & (wider.size() - 1);
    while (wider[at].row != kNoFlow) at = (at + 1) & (wider.size() - 1);
    wider[at] = {mark_of(mixed), row};
  }
  slots_.swap(wider);
}

}  // namespace bricks::flows
