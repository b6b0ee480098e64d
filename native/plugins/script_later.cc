#include "plugins/script_later.hh"

namespace bricks {

bool ScriptLater::put(const Entry& entry) noexcept {
  const uint64_t at = put_.load(std::memory_order_relaxed);
  if (at - taken_.load(std::memory_order_acquire) >= queue_.size()) return false;
  queue_[at % queue_.size()] = entry;
  put_.store(at + 1, std::memory_order_release);
  return true;
}

uint32_t ScriptLater::collect() noexcept {
  const uint64_t end = put_.load(std::memory_order_acquire);
  uint64_t at = taken_.load(std::memory_order_relaxed);
  if (at == end) return 0;
  uint32_t lost = 0;
  for (; at != end; ++at) {
    const uint16_t slot = static_cast<uint16_t>(hand_);
    hand_ = (hand_ + 1) % kScriptLaterMax;
    if (kept_[slot].used) {
      unlink(slot);
      ++lost;
    }
    kept_[slot] = {queue_[at % queue_.size()], kNone, true};
    uint16_t* link = &head_[bucket(kept_[slot].entry.session)];
    while (*link != kNone) link = &kept_[*link].next;  // in the order of asking
    *link = slot;
    ++count_;
  }
  taken_.store(end, std::memory_order_release);
  return lost;
}

void ScriptLater::unlink(uint16_t slot) noexcept {
  uint16_t* link = &head_[bucket(kept_[slot].entry.session)];
  while (*link != slot) link = &kept_[*link].next;
  *link = kept_[slot].next;
  kept_[slot].used = false;
  --count_;
}

bool ScriptLater::take(uint64_t session, Entry* entry) noexcept {
  for (uint16_t slot = head_[bucket(session)]; slot != kNone; slot = kept_[slot].next) {
    if (kept_[slot].entry.session != session) continue;
    *entry = kept_[slot].entry;
    unlink(slot);
    return true;
  }
  return false;
}

void ScriptLater::clear() noexcept {
  taken_.store(put_.load(std::memory_order_acquire), std::memory_order_release);
  for (uint16_t slot = 0; slot < kScriptLaterMax; ++slot)
    if (kept_[slot].used) unlink(slot);
}

}  // namespace bricks
