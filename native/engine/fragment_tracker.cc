#include "engine/fragment_tracker.hh"

#include <algorithm>
#include <cstring>

#include "mem/limits.hh"
#include "wire/bytes.hh"

namespace bricks {

namespace {

constexpr uint32_t kBuckets = kFragmentDatagrams * 2;
constexpr uint32_t kAsItIs = UINT32_MAX;  // HeldPackets::note: released without another flow
constexpr Nanos kHold = Nanos{kFragmentHoldMs} * 1000000;
constexpr Nanos kKnown = Nanos{kFragmentKnownMs} * 1000000;

uint64_t digest_of(const Batch& batch, Index i) noexcept { return batch.digests[i]; }

bool is_fragment(const Packet& packet) noexcept { return packet.flags & kPacketFragment; }

bool is_first(const Batch& batch, Index i) noexcept {
  const Layers& layers = batch.layers[i];
  return layers.fragment_more && layers.fragment_at == 0 && !is_fragment(batch.packets[i]) &&
         layers.key_network == batch.packets[i].network;
}

}  // namespace

Status FragmentTracker::create(const std::string& engine,
                               std::shared_ptr<FragmentTracker>* tracker) {
  std::unique_ptr<FragmentTracker> made(new FragmentTracker);
  Status status =
      HeldPackets::create("fragments of engine " + engine, kFragmentPackets, &made->held_);
  if (!status.ok()) return status;
  made->datagrams_.resize(kFragmentDatagrams);
  made->buckets_.assign(kBuckets, kNone);
  made->flows_.reserve(2 * kBatchMax);
  made->released_.reserve(2 * kBatchMax);
  *tracker = std::move(made);
  return {};
}

void FragmentTracker::expect(std::span<const Source* const> sources) {
  sources_.assign(sources.begin(), sources.end());
  if (!resting_) return;
  resting_ = false;
  unseen_ = UINT64_MAX;
  seen_after_ = 0;
  for (const Source* source : sources_) {
    if (source->latest == 0) continue;  // nothing has come yet
    unseen_ = std::min(unseen_, source->latest);
    seen_after_ = std::max(seen_after_, source->latest + kHold);
  }
}

void FragmentTracker::leave(const Source& source) noexcept {
  for (Slot slot = oldest_waiting_; slot != kNone;) {
    const Slot next = datagrams_[slot].newer;
    Place place = datagrams_[slot].held.first;
    while (place != kNone && held_->source(place) != &source) place = held_->next(place);
    if (place != kNone) {
      ++incomplete_;
      make_ready(slot, kAsItIs);
    }
    slot = next;
  }
}

// Two tenants may use the same addresses and ids: VLAN and network are part of the name.
uint64_t FragmentTracker::name_of(const Batch& batch, Index i, bool carrier) const noexcept {
  const Packet& packet = batch.packets[i];
  const Layers& layers = batch.layers[i];
  const HashSeed& seed = process_hash_seed();
  const uint16_t network = carrier ? layers.carrier_network : layers.key_network;
  const uint8_t version = carrier ? layers.carrier_version : layers.key_version;
  const uint32_t id = carrier ? layers.carrier_id : layers.fragment_id;
  const uint64_t tenant = carrier ? uint64_t{layers.carrier_vni} << 12 | layers.carrier_vlan
                                  : uint64_t{layers.vni} << 12 | layers.vlan;
  const uint8_t* ip = packet.data + network;
  uint64_t name = multiply_fold(id ^ seed.word[1], seed.word[2] ^ tenant);
  name ^= uint64_t{datagram_protocol(packet, network, version)} << 8 | version;
  const uint32_t bytes = version == 4 ? 8 : 32;  // both addresses
  for (uint32_t at = 0; at < bytes; at += 8) {
    name = multiply_fold(name ^ load<uint64_t>(ip + (version == 4 ? 12 : 8) + at) ^ seed.word[0],
                         seed.word[3]);
  }
  return name;
}

FragmentTracker::Slot FragmentTracker::find(uint64_t name) const noexcept {
  Slot slot = buckets_[name % kBuckets];
  while (slot != kNone && datagrams_[slot].name != name) slot = datagrams_[slot].next;
  return slot;
}

void FragmentTracker::forget(Slot slot) noexcept {
  Datagram& datagram = datagrams_[slot];
  if (!datagram.used) return;
  if (datagram.held.first != kNone) {
    ++incomplete_;
    make_ready(slot, kAsItIs);
  }
  Slot* link = &buckets_[datagram.name % kBuckets];
  while (*link != slot) link = &datagrams_[*link].next;
  *link = datagram.next;
  datagram = {};
}

FragmentTracker::Slot FragmentTracker::make(uint64_t name) noexcept {
  const Slot slot = next_slot_;
  next_slot_ = slot + 1 == kFragmentDatagrams ? 0 : slot + 1;
  forget(slot);
  Datagram& datagram = datagrams_[slot];
  datagram.name = name;
  datagram.used = true;
  datagram.next = buckets_[name % kBuckets];
  buckets_[name % kBuckets] = slot;
  return slot;
}

void FragmentTracker::append(List& list, Place place) noexcept {
  held_->next(place) = kNone;
  if (list.first == kNone) {
    list.first = place;
  } else {
    held_->next(list.last) = place;
  }
  list.last = place;
}

// What the datagram has held is next to be released, as `flow` (of flows_) or as it is.
void FragmentTracker::make_ready(Slot slot, uint32_t flow) noexcept {
  Datagram& datagram = datagrams_[slot];
  for (Place place = datagram.held.first; place != kNone;) {
    const Place next = held_->next(place);
    held_->note(place) = flow;
    append(ready_, place);
    place = next;
  }
  datagram.held = {};
  (datagram.older == kNone ? oldest_waiting_ : datagrams_[datagram.older].newer) = datagram.newer;
  (datagram.newer == kNone ? newest_waiting_ : datagrams_[datagram.newer].older) = datagram.older;
  datagram.older = datagram.newer = kNone;
}

void FragmentTracker::learn(Batch& batch, Index i, bool carrier) noexcept {
  const uint64_t name = name_of(batch, i, carrier);
  Slot slot = find(name);
  if (slot == kNone) slot = make(name);
  Datagram& datagram = datagrams_[slot];
  datagram.flow = carrier ? carrier_flow(batch, i) : fragment_flow(batch, i);
  datagram.known = true;
  datagram.seen = batch.packets[i].timestamp;
  if (datagram.held.first == kNone) return;
  // At most two for each packet of a batch are reserved: it is released before the next one comes.
  const bool room = flows_.size() < flows_.capacity();
  if (room) flows_.push_back(datagram.flow);
  make_ready(slot, room ? static_cast<uint32_t>(flows_.size() - 1) : kAsItIs);
  if (released_.size() < released_.capacity()) released_.push_back(digest_of(batch, i));
}

// All that a packet says itself. A carrier that is a fragment tells its flow once it is resolved.
void FragmentTracker::look_at(Batch& batch, Index i) noexcept {
  if (!(batch.packets[i].flags & kPacketLayers)) return;
  if (is_first(batch, i)) learn(batch, i, false);
  if (batch.layers[i].carrier_version && !is_fragment(batch.packets[i])) learn(batch, i, true);
}

bool FragmentTracker::resolve(Batch& batch, Index i) noexcept {
  const Layers& layers = batch.layers[i];
  const uint64_t name = name_of(batch, i, false);
  const Slot slot = find(name);
  if (slot == kNone || !datagrams_[slot].known) return false;
  const Nanos time = batch.packets[i].timestamp, seen = datagrams_[slot].seen;
  if ((time > seen ? time - seen : seen - time) > kKnown) return false;  // an id used again
  set_fragment_flow(batch, i, datagrams_[slot].flow);
  ++followed_;
  if (layers.carrier_version) learn(batch, i, true);
  return true;
}

// False: there is no room, or nothing to wait for.
bool FragmentTracker::hold(const Batch& batch, Index i) noexcept {
  const Layers& layers = batch.layers[i];
  const bool quoted = layers.key_network != batch.packets[i].network;
  if (quoted || layers.fragment_at == 0) return false;
  if (passed_unseen(batch.packets[i].timestamp)) return false;
  const Place place = held_->take(batch, i);
  // full() keeps room for a batch, and there is one batch between two releases.
  if (place == HeldPackets::kNowhere) return false;
  const uint64_t name = name_of(batch, i, false);
  Slot slot = find(name);
  if (slot == kNone) slot = make(name);
  Datagram& datagram = datagrams_[slot];
  if (datagram.held.first == kNone) {
    datagram.known = false;
    datagram.seen = batch.packets[i].timestamp;
    datagram.held_at = batch.now;
    datagram.older = newest_waiting_;
    (newest_waiting_ == kNone ? oldest_waiting_ : datagrams_[newest_waiting_].newer) = slot;
    newest_waiting_ = slot;
  }
  append(datagram.held, place);
  ++waited_;
  return true;
}

bool FragmentTracker::follows_released(const Batch& batch, Index i) const noexcept {
  return std::find(released_.begin(), released_.end(), digest_of(batch, i)) != released_.end();
}

void FragmentTracker::push(Batch& batch, Picks in, Outlets& out) noexcept {
  if (batch.fragments == 0) {
    out.put_all(0, in);
    return;
  }
  released_.clear();
  for (const Index i : in) look_at(batch, i);
  for (const Index i : in) {
    if (is_fragment(batch.packets[i]) && !resolve(batch, i) && hold(batch, i)) {
      ++out.cell().held;
      continue;
    }
    // Behind what its flow has waiting, so that the order stays; without room it overtakes.
    const Place place = !released_.empty() && follows_released(batch, i) ? held_->take(batch, i)
                                                                         : HeldPackets::kNowhere;
    if (place == HeldPackets::kNowhere) {
      overtook_ += is_fragment(batch.packets[i]);
      out.put(0, i);
      continue;
    }
    held_->note(place) = kAsItIs;
    append(ready_, place);
    ++out.cell().held;
  }
}

// So far all inputs have come in their packets' time: the missing fragment may come by any of them.
Nanos FragmentTracker::watermark() const noexcept {
  Nanos least = UINT64_MAX;
  for (const Source* source : sources_) {
    if (!source->ended) least = std::min(least, source->latest);
  }
  return least == UINT64_MAX ? 0 : least;  // all have ended: everything is due anyway
}

bool FragmentTracker::expired(const Datagram& datagram, Nanos now) const noexcept {
  return now > datagram.held_at + kHold || watermark() > datagram.seen + kHold;
}

bool FragmentTracker::due(Nanos now, bool all) const noexcept {
  if (ready_.first != kNone) return true;
  return oldest_waiting_ != kNone && (all || full() || expired(datagrams_[oldest_waiting_], now));
}

Nanos FragmentTracker::due_at() const noexcept {
  if (ready_.first != kNone) return 1;
  return oldest_waiting_ == kNone ? 0 : datagrams_[oldest_waiting_].held_at + kHold + 1;
}

const Source* FragmentTracker::ripe(Nanos now, bool all) noexcept {
  while (oldest_waiting_ != kNone && (all || expired(datagrams_[oldest_waiting_], now))) {
    ++incomplete_;
    make_ready(oldest_waiting_, kAsItIs);
  }
  if (ready_.first == kNone && oldest_waiting_ != kNone && full()) {
    ++gave_way_;
    make_ready(oldest_waiting_, kAsItIs);
  }
  return ready_.first == kNone ? nullptr : held_->source(ready_.first);
}

void FragmentTracker::release(Batch& batch, Nanos now, bool all, Outlets& out) noexcept {
  const Source* source = ripe(now, all);
  held_->begin(batch);
  while (ready_.first != kNone && held_->source(ready_.first) == source &&
         held_->give(ready_.first, batch)) {
    const auto i = static_cast<Index>(batch.count - 1);
    const uint32_t flow = held_->note(ready_.first);
    ready_.first = held_->next(ready_.first);
    if (flow != kAsItIs) set_fragment_flow(batch, i, flows_[flow]);
    out.put(0, i);
  }
  out.cell().held -= batch.count;
  if (ready_.first == kNone) flows_.clear();
}

uint32_t FragmentTracker::figures(Figure* to) const noexcept {
  to[0] = {"fragments_followed", followed_};
  to[1] = {"fragments_waited", waited_};
  to[2] = {"datagrams_incomplete", incomplete_};
  to[3] = {"datagrams_gave_way", gave_way_};
  to[4] = {"fragments_overtook", overtook_};
  return 5;
}

std::span<const FigureDescriptor> FragmentTracker::figure_table() noexcept {
  static constexpr FigureDescriptor kTable[] = {
      {"fragments_followed", FigureKind::counter,
       "later fragments that went where their first one went"},
      {"fragments_waited", FigureKind::counter,
       "of all later ones, those that came before their first one and waited"},
      {"datagrams_incomplete", FigureKind::counter,
       "datagrams whose first fragment did not come in time: by addresses"},
      {"datagrams_gave_way", FigureKind::counter,
       "datagrams, the oldest first, that gave way to others: by addresses"},
      {"fragments_overtook", FigureKind::counter,
       "fragments for which there was no room at all: by addresses"},
  };
  return kTable;
}

}  // namespace bricks
