// Begin and end of sessions, and the clock.
#include "sessions/session_table.hh"

#include <sys/mman.h>

#include <algorithm>
#include <cassert>
#include <cerrno>

namespace bricks {

namespace {

constexpr uint32_t kFirstLines = 64;
constexpr uint32_t kCandidates = 8;  // sessions looked at, at most, before one gives way
constexpr uint32_t kRankedMax = 64;  // and those that turn out to be of another rank
constexpr uint64_t kHugePage = 2u << 20;

static_assert(kSessionsMax * uint64_t{64} < UINT32_MAX, "lines of the index are found by 32 bits");
constexpr uint64_t round_up(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }
constexpr uint64_t lines_for(uint64_t sessions) { return sessions * 10 / 17 + kFirstLines + 2; }
constexpr uint32_t to_ticks(uint32_t seconds) {
  return static_cast<uint32_t>(uint64_t{seconds} * 1000000000 >> kSessionTickShift);
}

}  // namespace

Status SessionTable::create(const std::string& name, uint32_t capacity,
                            std::unique_ptr<SessionTable>* table) {
  if (capacity == 0 || capacity > kSessionsMax) {
    return {Code::invalid_argument, name + ": sessions is " + std::to_string(capacity) +
                                        ", it must be 1 to " + std::to_string(kSessionsMax)};
  }
  std::unique_ptr<SessionTable> made(new SessionTable);
  const uint64_t lines = round_up(lines_for(capacity) * sizeof(Line), kHugePage);
  const uint64_t records =
      round_up((uint64_t{capacity} + kSessionsKept + 1) * sizeof(Session), kHugePage);
  made->memory_bytes_ = lines + records + TimerWheel::kBytes + kHugePage;
  made->memory_ = mmap(nullptr, made->memory_bytes_, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (made->memory_ == MAP_FAILED) {
    made->memory_ = nullptr;
    return system_error(name + ": no room for " + std::to_string(capacity) + " sessions", errno);
  }
  auto* base =
      reinterpret_cast<uint8_t*>(round_up(reinterpret_cast<uint64_t>(made->memory_), kHugePage));
  made->lines_ = reinterpret_cast<Line*>(base);
  made->records_ = reinterpret_cast<Session*>(base + lines);
  // Beyond the first two megabytes only: an engine with few sessions stays small.
  if (lines > kHugePage) madvise(base + kHugePage, lines - kHugePage, MADV_HUGEPAGE);
  if (records > kHugePage) {
    madvise(base + lines + kHugePage, records - kHugePage, MADV_HUGEPAGE);
  }
  made->wheel_.use(reinterpret_cast<uint32_t*>(base + lines + records), made->records_);
  made->line_count_ = kFirstLines;
  made->mask_ = kFirstLines - 1;
  made->capacity_ = capacity;
  made->scope_of_ = std::make_unique<SessionScope*[]>(kSessionScopesMax);
  *table = std::move(made);
  return {};
}

SessionTable::~SessionTable() {
  if (memory_) munmap(memory_, memory_bytes_);
}

Status SessionTable::open_scope(const std::string& owner, const FlowRule& rule,
                                std::shared_ptr<SessionScope>* scope) {
  std::lock_guard lock(scopes_mutex_);
  size_t number = scopes_.size();
  for (size_t i = 0; i < scopes_.size(); ++i) {
    const SessionScope& known = *scopes_[i];
    if (known.owner() == owner && known.rule() == rule) {
      *scope = scopes_[i];
      return {};
    }
    const bool unused = scopes_[i].use_count() == 1 && known.sessions() == 0;
    if (unused && number == scopes_.size()) number = i;
  }
  if (number == kSessionScopesMax) {
    return {Code::limit_reached, owner + ": there are sessions of " +
                                     std::to_string(kSessionScopesMax) +
                                     " bricks and rules; wait for those of bricks that are gone"};
  }
  auto made = std::make_shared<SessionScope>(static_cast<uint16_t>(number), owner, rule);
  if (number == scopes_.size()) scopes_.emplace_back();
  scopes_[number] = made;
  scope_of_[number] = made.get();  // no session of that number is there: nobody reads it now
  *scope = std::move(made);
  return {};
}

uint32_t SessionTable::take_record() noexcept {
  if (counts_.live >= capacity_) return 0;
  if (free_) {
    const uint32_t entry = free_;
    free_ = records_[entry].next;
    return entry;
  }
  return fresh_ <= capacity_ + kSessionsKept ? fresh_++ : 0;
}

uint64_t* SessionTable::begin(SessionScope& scope, uint64_t digest, const FlowKey& key,
                              uint8_t bits, uint16_t pin) noexcept {
  assert(digest != 0 && !find(digest));
  uint32_t entry = take_record();
  if (entry == 0 && make_room()) entry = take_record();
  if (entry == 0) {
    ++counts_.refused;
    return nullptr;
  }
  bits &= static_cast<uint8_t>(~kPacketOpens);
  const uint64_t word =
      stamp(entry | uint64_t{pin} << kSessionPinShift | uint64_t{bits} << kSessionBitsShift);
  Session& session = records_[entry];
  session.key = key;
  session.first_seen = static_cast<uint32_t>(clock_);
  session.scope = scope.number() & 0x3fff;
  if (!insert(digest, word)) {
    session.next = free_;
    free_ = entry;
    ++counts_.refused;
    return nullptr;
  }
  arm(entry, word, clock_);
  scope.begin(pin);
  ++counts_.live;
  ++counts_.begun;
  if (counts_.live * 10 > uint64_t{line_count_} * 17) split_line();
  return &word_at(session.way);
}

void SessionTable::arm(uint32_t entry, uint64_t word, uint64_t tick) noexcept {
  const uint32_t limit = idle_ticks(entry, word);
  const auto silent = static_cast<uint16_t>(tick - word_seen(word));
  const bool later = limit > silent && limit != UINT32_MAX;
  const uint32_t left = later ? std::min(limit - silent, TimerWheel::kSlots - 2) : 1;
  wheel_.link(entry, tick + left, rank_of(entry, word));
}

uint32_t SessionTable::idle_ticks(uint32_t entry, uint64_t word) const noexcept {
  if (const SessionOwner* owner = owner_of(entry)) return owner->idle_ticks(entry);
  return to_ticks(session_idle_seconds(word_bits(word), records_[entry].key.protocol));
}

// By how long after its begin it was seen last. The word's tick has 16 bits: who has lived longer
// than those reach has come again.
GivesWay SessionTable::rank_of(uint32_t entry, uint64_t word) const noexcept {
  const uint32_t begun = records_[entry].first_seen;
  const uint32_t lived = static_cast<uint32_t>(clock_) - begun;
  const auto ticks = static_cast<uint16_t>(word_seen(word) - static_cast<uint16_t>(begun));
  const SessionOwner* owner = owner_of(entry);
  const bool gives = owner ? owner->gives_way(entry) : session_gives_way(word_bits(word));
  return session_rank(gives, lived > UINT16_MAX ? kSessionAgainTicks : ticks);
}

void SessionTable::take_out(uint32_t entry) noexcept {
  const Session& session = records_[entry];
  wheel_.unlink(entry);
  scope_of_[session.scope]->end(word_pin(word_at(session.way)));
  lines_[session.way >> 2].digest[session.way & 3] = 0;
  --counts_.live;
}

void SessionTable::give_back(uint32_t entry) noexcept {
  records_[entry].next = free_;
  free_ = entry;
}

void SessionTable::rearm(uint32_t entry) noexcept {
  wheel_.unlink(entry);
  arm(entry, word_at(records_[entry].way), clock_);
}

void SessionTable::remove(uint32_t entry, SessionEnd end) noexcept {
  SessionOwner* owner = owner_of(entry);
  take_out(entry);
  if (owner) {
    owner->ended(entry, end);
  } else {
    give_back(entry);
  }
}

// The longest silent of a rank. Which list a session is on, and which rank's, is of when it was
// armed; so it may have to be armed anew a few times until the right one comes up. Who has come
// again since changes rank, once in its life.
uint32_t SessionTable::find_oldest(GivesWay rank, uint32_t* most) noexcept {
  uint32_t oldest = 0;
  uint16_t silence = 0;
  for (uint32_t looked_at = 0; looked_at < kCandidates;) {
    const uint32_t entry = wheel_.first_of(rank, clock_ + 1);
    if (entry == 0) break;
    const uint32_t list = records_[entry].list;
    const uint64_t word = word_at(records_[entry].way);
    wheel_.unlink(entry);
    arm(entry, word, clock_);
    if (records_[entry].list == list) return entry;
    if (wheel_.rank(entry) != rank) {
      if (--*most == 0) break;
      continue;
    }
    ++looked_at;
    const auto silent = static_cast<uint16_t>(clock_ - word_seen(word));
    if (oldest == 0 || silent > silence) {
      oldest = entry;
      silence = silent;
    }
  }
  return oldest;
}

bool SessionTable::make_room() noexcept {
  uint32_t most = kRankedMax;
  uint32_t oldest = find_oldest(GivesWay::first, &most);
  // There may be more of the first rank behind those that were not: this time there is no room.
  if (oldest == 0 && most == 0) return false;
  if (oldest == 0) oldest = find_oldest(GivesWay::last, &most);
  if (oldest == 0) return false;
  remove(oldest, SessionEnd::gave_way);
  ++counts_.gave_way;
  return true;
}

void SessionTable::look_at(uint32_t entry, uint64_t tick) noexcept {
  const uint64_t word = word_at(records_[entry].way);
  if (static_cast<uint16_t>(tick - word_seen(word)) >= idle_ticks(entry, word)) {
    remove(entry, SessionEnd::silent);
    ++counts_.ended;
    return;
  }
  wheel_.unlink(entry);
  arm(entry, word, tick);
}

void SessionTable::advance(uint64_t time, uint32_t most) noexcept {
  if (!has_time_) {
    has_time_ = true;
    offset_ = time - clock_;
  }
  uint64_t target = time - offset_;
  if (static_cast<int64_t>(target - clock_) < 0) {
    if (clock_ - target > TimerWheel::kSlots) offset_ = time - clock_;
    target = clock_;
  }
  while (clock_ < target) {
    const uint64_t next = clock_ + 1;
    const uint32_t empty = wheel_.distance(next);
    if (empty == TimerWheel::kSlots || empty > target - next) {
      clock_ = target;
      break;
    }
    const uint64_t at = next + empty;
    clock_ = at - 1;
    while (const uint32_t entry = wheel_.due(at)) {
      if (most-- == 0) return;  // the rest comes next time
      look_at(entry, at);
    }
    clock_ = at;
  }
  ticked_ = time;
}

bool SessionTable::refresh(uint64_t* word, uint8_t bits) noexcept {
  const uint8_t before = word_bits(*word);
  auto after = static_cast<uint8_t>(before | (bits & ~kPacketOpens));
  const bool anew = bits & kPacketOpens && session_state(before) == SessionState::closing;
  const uint32_t entry = word_entry(*word);
  if (anew) {
    after = static_cast<uint8_t>((bits & ~kPacketOpens) | (before & kSessionRead));
    records_[entry].first_seen = static_cast<uint32_t>(clock_);
    ++counts_.begun;
    ++counts_.ended;
  }
  const uint64_t kept = *word & ~(uint64_t{0xff} << kSessionBitsShift);
  *word = stamp(kept | uint64_t{after} << kSessionBitsShift);
  if (after == before) return anew;  // as most are: the record is not looked at
  const uint8_t protocol = records_[entry].key.protocol;
  // A time-out that has become shorter cannot wait until the old one has passed.
  if (session_idle_seconds(before, protocol) != session_idle_seconds(after, protocol) ||
      session_gives_way(before) != session_gives_way(after) || anew) {
    wheel_.unlink(entry);
    arm(entry, *word, clock_);
  }
  return anew;
}

void SessionTable::repin(uint64_t* word, uint16_t pin) noexcept {
  scope_of_[record(*word).scope]->move(word_pin(*word), pin);
  *word = (*word & ~kSessionPinMask) | uint64_t{pin} << kSessionPinShift;
}

Nanos SessionTable::age(uint64_t word) const noexcept {
  const auto now = static_cast<uint32_t>(clock_);
  return uint64_t{now - record(word).first_seen} << kSessionTickShift;
}

Nanos SessionTable::silence(uint64_t word) const noexcept {
  return uint64_t{static_cast<uint16_t>(clock_ - word_seen(word))} << kSessionTickShift;
}

uint64_t SessionTable::bytes_used() const noexcept {
  return uint64_t{line_count_} * sizeof(Line) + uint64_t{fresh_} * sizeof(Session);
}

}  // namespace bricks
