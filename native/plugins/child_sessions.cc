// Sessions within sessions: their places, and what they wait to be told.
#include "plugins/child_sessions.hh"

#include <cstring>

namespace bricks {

namespace {
constexpr uint32_t kRing = 2 * kSessionChildrenMax;  // a beginning and an end of each
constexpr uint64_t kFirstId = uint64_t{1} << 52;     // never those of sessions of packets
}  // namespace

bool ChildSessions::reserve(SessionExtra* extras, uint32_t first_entry) noexcept {
  extras_ = extras;
  first_entry_ = first_entry;
  next_id_ = kFirstId;
  return sessions_.reserve(kSessionChildrenMax) && flows_.reserve(kSessionChildrenMax) &&
         waiting_.reserve(kRing);
}

bricks_session* ChildSessions::open(const bricks_session& parent, uint16_t type) noexcept {
  uint32_t slot = free_ - 1;
  if (free_) {
    free_ = extras_[first_entry_ + slot].sibling;
  } else if (fresh_ < kSessionChildrenMax) {
    slot = fresh_++;
  } else {
    return nullptr;
  }
  const uint32_t entry = first_entry_ + slot;
  SessionFlow& flow = flows_[slot];
  flow = {*parent.flow, entry};
  flow.flow.id = next_id_++;
  flow.flow.first_seen = parent.last_seen;
  flow.flow.child_type = type;
  bricks_session& child = sessions_[slot];
  child = parent;
  child.flow = &flow.flow;
  child.context_ = nullptr;
  std::memset(child.packets, 0, sizeof child.packets);
  std::memset(child.bytes, 0, sizeof child.bytes);
  SessionExtra& extra = extras_[entry];
  SessionExtra& above = extras_[entry_of(parent)];
  extra.parent = entry_of(parent);
  extra.sibling = above.child;
  above.child = entry;
  ++count_;
  wait(child, BRICKS_EVENT_OPENING);
  return &child;
}

void ChildSessions::wait(const bricks_session& child, bricks_event_type type) noexcept {
  const auto slot = static_cast<uint16_t>(entry_of(child) - first_entry_);
  waiting_[(first_ + waits_++) % kRing] = {child.flow->id, slot, static_cast<uint16_t>(type)};
}

bool ChildSessions::close(const bricks_session& child) noexcept {
  SessionExtra& extra = extras_[entry_of(child)];
  if (extra.flags & (kExtraPending | kExtraClosing)) return false;
  extra.flags |= kExtraPending;
  wait(child, BRICKS_EVENT_CLOSING);
  return true;
}

void ChildSessions::remove(const bricks_session& child) noexcept {
  const uint32_t entry = entry_of(child);
  SessionExtra& extra = extras_[entry];
  uint32_t* link = &extras_[extra.parent].child;
  while (*link != entry) link = &extras_[*link].sibling;
  *link = extra.sibling;
  extra.flags = 0;
  extra.sibling = free_;
  free_ = entry - first_entry_ + 1;
  --count_;
}

bool ChildSessions::has(const bricks_session* session) const noexcept {
  const auto from = reinterpret_cast<uintptr_t>(sessions_.data());
  const uintptr_t at = reinterpret_cast<uintptr_t>(session) - from;
  if (at >= uintptr_t{fresh_} * sizeof(bricks_session) || at % sizeof(bricks_session)) return false;
  return extras_[first_entry_ + at / sizeof(bricks_session)].flags & kExtraLive;
}

uint32_t ChildSessions::parent_of(const bricks_session& child) const noexcept {
  return extras_[entry_of(child)].parent;
}

bricks_session* ChildSessions::take(bricks_event_type* type) noexcept {
  while (waits_) {
    const Waiting next = waiting_[first_];
    first_ = (first_ + 1) % kRing;
    --waits_;
    bricks_session& child = sessions_[next.slot];
    // It may have ended for another reason, and its place be another's.
    if (child.flow->id != next.id || !(extras_[entry_of(child)].flags & kExtraLive)) continue;
    *type = static_cast<bricks_event_type>(next.type);
    return &child;
  }
  return nullptr;
}

}  // namespace bricks
