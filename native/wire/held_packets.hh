// Packets that are kept for a while: copies in memory of its own, bounded, allocated once and only
// as much of it touched as was ever held at a time. For bricks that hold and for fragments.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mem/status.hh"
#include "wire/packet.hh"

namespace bricks {

class HeldPackets {
 public:
  using Place = uint32_t;
  static constexpr Place kNowhere = UINT32_MAX;

  // Room for `packets` of up to kBufferPayload bytes, and beside them for one in kHeldPerBig of
  // any length. `what` names the owner in the message of out_of_memory.
  static Status create(const std::string& what, uint32_t packets,
                       std::unique_ptr<HeldPackets>* held);
  ~HeldPackets();
  HeldPackets(const HeldPackets&) = delete;
  HeldPackets& operator=(const HeldPackets&) = delete;

  // Copies a packet, with all that decode has found. `cut`: Outlets::cut_before, or UINT32_MAX.
  // kNowhere: there is no room for it.
  Place take(const Batch& batch, Index packet, uint32_t cut = UINT32_MAX) noexcept;
  // True when `packets` of any length can be taken.
  bool has_room(uint32_t packets) const noexcept {
    return small_.free.size() >= packets && big_.free.size() >= packets;
  }
  uint32_t count() const noexcept { return count_; }
  uint32_t capacity() const noexcept { return static_cast<uint32_t>(entries_.size()); }

  Nanos timestamp(Place place) const noexcept { return entries_[place].packet.timestamp; }
  void set_timestamp(Place place, Nanos time) noexcept { entries_[place].packet.timestamp = time; }
  uint8_t* data(Place place) noexcept { return entries_[place].packet.data; }
  uint32_t hash(Place place) const noexcept { return entries_[place].packet.hash; }
  // Its cut, for Outlets::cut once it is in a batch again; UINT32_MAX: whole.
  uint32_t cut(Place place) const noexcept { return entries_[place].cut; }
  LinkType link(Place place) const noexcept { return entries_[place].link; }
  const Source* source(Place place) const noexcept { return entries_[place].source; }
  // Owner's own: what comes next in a list of places, and whatever else.
  Place& next(Place place) noexcept { return entries_[place].next; }
  uint32_t& note(Place place) noexcept { return entries_[place].note; }

  // Begins a batch of held packets, and adds the one at `place` to it. False: the batch is full, or
  // the packet's link type is not the batch's; it begins the next one. Memory stays where it is
  // until recycle(); one batch at a time.
  void begin(Batch& batch) noexcept;
  bool give(Place place, Batch& batch) noexcept;
  void recycle() noexcept;
  // Instead of give(): it goes nowhere, and its place is free.
  void discard(Place place) noexcept;

 private:
  struct Entry {
    Packet packet;
    Layers layers;
    const Source* source;  // of its batch
    uint64_t digest;
    uint32_t wire_length, cut;
    Place next;
    uint32_t note;
    LinkType link;
    bool decoded;
    uint8_t application;
  };
  struct Pool {
    uint8_t* base = nullptr;
    uint64_t stride = 0;
    Place first = 0;
    uint32_t count = 0;
    std::vector<Place> free;  // last given back, first taken: memory that is warm
  };

  HeldPackets() = default;
  Status map(const std::string& what, Pool& pool, Place first, uint32_t count, uint64_t stride);

  Pool small_, big_;
  std::vector<Entry> entries_;
  uint32_t count_ = 0;
  Place given_[kBatchMax];
  uint32_t given_count_ = 0;
};

}  // namespace bricks
