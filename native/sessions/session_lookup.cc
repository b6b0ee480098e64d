// From packets to entries of the table, and the waves they go in.
#include <algorithm>

#include "sessions/packet_views.hh"
#include "sessions/session_manager.hh"

namespace bricks {

namespace {

constexpr uint64_t kNobody = 1;      // the digest of packets that have no session
constexpr uint32_t kGiveWayMax = 4;  // sessions that one packet can push out
constexpr uint32_t kSweepPerPacket = 4;
constexpr Nanos kClockBackMax = 7200ull * 1000000000;  // further back: it is another clock
constexpr uint8_t kTcp = kTcpProtocol;

}  // namespace

Nanos SessionWork::time_back(Nanos timestamp) noexcept {
  ++counts_.clock_back;
  if (newest_ - timestamp > kClockBackMax) newest_ = timestamp;
  return newest_;
}

// Where room may run out within these packets, one goes at a time: which session gives way must
// not depend on how packets come in batches.
bool SessionManager::careful(uint32_t count) const noexcept {
  const uint64_t capacity = table_.capacity(), live = table_.counts().live;
  return emergency_ || (counts_.opening + count) * 100 > capacity * rules_.opening_percent ||
         live + count > capacity ||
         (live - counts_.lingering + count) * 100 >= capacity * rules_.emergency_enter;
}

void SessionManager::watch_load(uint32_t count) noexcept {
  // Those that linger give way at once.
  const uint64_t used = (table_.counts().live - counts_.lingering) * 100;
  const uint64_t capacity = table_.capacity();
  if (!emergency_ && used >= capacity * rules_.emergency_enter) {
    emergency_ = true;
    ++counts_.emergencies;
    emergency_since_ = newest_;
    for (Nanos& idle : idle_) idle /= 6;
    sweep_left_ = high_;
  } else if (emergency_ && used <= capacity * rules_.emergency_leave) {
    emergency_ = false;
    const Nanos now = std::max(newest_, batch_->packets[in_[0]].timestamp);
    counts_.emergency_ms += (now - std::min(now, emergency_since_)) / 1000000;
    idle_ = rules_.idle;
  }
  if (sweep_left_) sweep(count * kSweepPerPacket);
}

// After time-outs have become shorter: those that are due now, and new deadlines for the others.
void SessionManager::sweep(uint32_t most) noexcept {
  for (; most && sweep_left_ && !crowded(); --most, --sweep_left_) {
    swept_ = swept_ < high_ ? swept_ + 1 : 1;
    const bricks_session& session = sessions_[swept_];
    const bool lingers = session.state == BRICKS_SESSION_CLOSED;
    if (session.state == 0 || (!lingers && session.close_reason != BRICKS_CLOSE_NONE)) continue;
    const uint64_t word = *table_.word_of(swept_);
    if (table_.silence(word) >> kSessionTickShift < idle_ticks(swept_)) {
      table_.rearm(swept_);
      continue;
    }
    table_.take_out(swept_);
    ended(swept_, SessionEnd::silent);
  }
}

uint64_t SessionManager::digest_of(const Batch& batch, Index packet) const noexcept {
  const uint64_t digest = flow_digest(batch, packet, rule_) ^ scope_->salt();
  return digest > kNobody ? digest : kNobody + 1;
}

// Digests of all: the words follow in plain_waves().
void SessionManager::find_digests(uint32_t from, uint32_t to) noexcept {
  const Batch& batch = *batch_;
  const Packet* const packets = batch.packets;
  const Index* const in = in_.data();
  const uint64_t salt = scope_->salt();
  bool odd = !batch.usual || rule_.tenant;
#pragma GCC unroll 4
  for (size_t i = from; i < to; ++i) {
    const uint64_t digest = batch.digests[in[i]] ^ salt;
    look_.digest[i] = digest;
    odd |= digest <= kNobody;
  }
  for (uint32_t i = from; odd && i < to; ++i) {
    const uint64_t digest = look_.digest[i];
    if (__builtin_expect(!is_usual(packets[in[i]]) || digest <= kNobody || rule_.tenant, 0)) {
      look_.digest[i] = odd_digest(in[i], digest);
    }
  }
  std::fill(places_ + from, places_ + to, PacketPlace::session);
  counts_.lookups += to - from;
  table_.aim(look_, from, to);
}

// That of a packet in layers, or with a tenant, is of its own kind; kNobody: it has no session.
__attribute__((noinline)) uint64_t SessionManager::odd_digest(Index index,
                                                              uint64_t digest) noexcept {
  const Packet& packet = batch_->packets[index];
  constexpr uint8_t kOwn = kPacketFragment | kPacketLayers;
  if (packet.ip_version != 0 && !(packet.flags & kOwn) && !rule_.tenant && digest > kNobody) {
    return digest;
  }
  layered_ |= (packet.flags & kPacketLayers) != 0;
  const bool error = is_icmp_error(*batch_, index);
  if (packet.ip_version == 0 || packet.flags & kPacketFragment || error) return kNobody;
  return digest_of(*batch_, index);
}

// Of a packet whose session may have changed its sides since it was looked up.
void SessionManager::find_direction(uint32_t i) noexcept {
  const uint64_t word = *table_.word_of(entries_[i]);
  const bool reverse = batch_->packets[in_[i]].flags & kPacketReverse;
  views_[i].direction = reverse != ((word_pin(word) & kPinSecond) != 0);
}

// A packet whose session was not there when it was looked up.
void SessionManager::settle_rest(uint32_t i) noexcept {
  const uint64_t digest = look_.digest[i];
  uint64_t* word;
  if (digest == kNobody) {
    // An ICMP error belongs to the session it quotes, and neither opens it nor keeps it alive.
    const Packet& packet = batch_->packets[in_[i]];
    const bool error = packet.ip_version != 0 && is_icmp_error(*batch_, in_[i]) &&
                       !(packet.flags & kPacketFragment);
    word = error ? table_.find(digest_of(*batch_, in_[i])) : nullptr;
    counts_.icmp_related += word != nullptr;
  } else {
    word = table_.find(digest);
    if (word) table_.mark_seen(word);
    if (!word) view_packet(*batch_, in_[i], &views_[i]);
    if (!word && may_begin(i)) {
      word = begin(i, digest);
      if (!word) {
        places_[i] = PacketPlace::full;
        return;
      }
    }
  }
  if (word) {
    look_.word[i] = *word;  // 0 up to now: no entry
    return;
  }
  places_[i] = PacketPlace::none;
  ++counts_.without;
}

bool SessionManager::may_begin(uint32_t i) const noexcept {
  const bricks_packet_view& view = views_[i];
  if (view.protocol != kTcp) return true;
  TcpSegment segment;
  if (view.fragment || !view_tcp(view, &segment)) return rules_.midstream;
  return tcp_may_open(segment, rules_.midstream);
}

uint64_t* SessionManager::begin(uint32_t i, uint64_t digest) noexcept {
  bool second = batch_->packets[in_[i]].flags & kPacketReverse;
  TcpSegment segment;
  if (views_[i].protocol == kTcp && view_tcp(views_[i], &segment) && tcp_answers(segment)) {
    second = !second;
  }
  uint32_t tries = kGiveWayMax;
  const uint64_t cap = uint64_t{table_.capacity()} * rules_.opening_percent / 100;
  while (tries && counts_.opening >= std::max<uint64_t>(cap, 1) && give_way(SessionList::opening)) {
    --tries;
  }
  const auto full = [this] { return table_.counts().live >= table_.capacity(); };
  while (tries && full() && (give_way(SessionList::lingering) || give_way(SessionList::opening))) {
    --tries;
  }
  const FlowKey key = flow_key(*batch_, in_[i], rule_);
  const auto pin = static_cast<uint16_t>((second ? kPinSecond : kPinFirst) |
                                         (key.protocol == kTcp ? kPinTcp : 0));
  uint64_t* word = table_.begin(*scope_, digest, key, 0, pin);
  if (!word) {
    ++counts_.create_failed;
    return nullptr;
  }
  high_ = std::max(high_, word_entry(*word));
  return word;
}

// The oldest of a list.
bool SessionManager::give_way(SessionList list) noexcept {
  const uint32_t entry = first_[static_cast<uint32_t>(list)];
  if (entry == 0 || crowded()) return false;
  if (list == SessionList::opening) {
    end_later(entry, BRICKS_CLOSE_EVICTED_LRU);
  } else {
    table_.take_out(entry);
    release(entry);
  }
  return true;
}

// Of the packets set aside, a session's go in as many waves as there are of them, and in one more
// where its first was none of them; behind those, packets of none.
void SessionManager::make_waves() noexcept {
  Index wave_of[kBatchMax];
  if (++batch_number_ == 0) {
    std::fill_n(slots_, kSlots, Slot{});
    batch_number_ = 1;
  }
  std::array<uint32_t, kBatchMax + 1>& ends = wave_end_;
  waves_ = 0;
  for (uint32_t k = 0; k < aside_count_; ++k) {
    const uint32_t entry = entries_[aside_[k]];
    if (entry == 0) continue;
    uint32_t at = entry * 0x9e3779b1u >> 23;
    while (slots_[at].batch == batch_number_ && slots_[at].entry != entry) {
      at = (at + 1) & (kSlots - 1);
    }
    Slot& slot = slots_[at];
    const bool again = slot.batch == batch_number_;
    slot.wave = again ? static_cast<uint16_t>(slot.wave + 1) : uint16_t{repeated_[k]};
    slot.batch = batch_number_;
    slot.entry = entry;
    while (slot.wave >= waves_) ends[waves_++] = 0;
    wave_of[k] = slot.wave;
    ++ends[slot.wave];
  }
  uint32_t sum = 0;
  for (uint32_t w = 0; w < waves_; ++w) {  // first each wave's begin
    const uint32_t count = ends[w];
    ends[w] = sum;
    sum += count;
  }
  uint32_t end = sum;
  for (uint32_t k = 0; k < aside_count_; ++k) {
    const Index i = aside_[k];
    order_[entries_[i] ? ends[wave_of[k]]++ : end++] = i;
  }
  alone_ = end - sum;
}

const bricks_session* SessionManager::find(const Batch& batch, Index packet) const noexcept {
  const uint64_t* word = table_.find(digest_of(batch, packet));
  return word && sessions_[word_entry(*word)].state ? &sessions_[word_entry(*word)] : nullptr;
}

}  // namespace bricks
