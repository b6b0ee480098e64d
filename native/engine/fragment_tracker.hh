// Fragments of a datagram go where its first one goes, which alone shows the ports: packets of all
// inputs of an engine pass through here between decode and the bricks, so that it does not matter
// by which of them a fragment comes. What comes before its first fragment is held, bounded in
// number and time, and then goes ahead of it, each by the way of its own input; what never gets one
// goes by its addresses and protocol. Nothing is ever dropped here.
#pragma once

#include <memory>
#include <vector>

#include "bricks/brick.hh"
#include "wire/decode.hh"
#include "wire/held_packets.hh"

namespace bricks {

class FragmentTracker final : public Brick {
 public:
  static Status create(const std::string& engine, std::shared_ptr<FragmentTracker>* tracker);

  // Inputs' sources, now and after every change of the graph. Engine's thread.
  void expect(std::span<const Source* const> sources) override;
  // No brick goes by flows for now: packets pass by unseen until expect() is called.
  void rest() noexcept { resting_ = true; }
  // An input goes: what is held of datagrams that it had a part in is due.
  void leave(const Source& source) noexcept;
  // To outlet 0, the only one. The batch is decoded and has its source; `out` counts for that.
  void push(Batch& batch, Picks in, Outlets& out) noexcept override;
  bool due(Nanos now, bool all) const noexcept override;
  // Whose packets release() will give: those of one source at a time. Null: nothing is due.
  const Source* ripe(Nanos now, bool all) noexcept;
  void release(Batch& batch, Nanos now, bool all, Outlets& out) noexcept override;
  void recycle(Batch&) noexcept override { held_->recycle(); }
  Nanos due_at() const noexcept override;
  uint32_t figures(Figure* to) const noexcept override;
  static std::span<const FigureDescriptor> figure_table() noexcept;

  bool holds() const noexcept { return held_->count() != 0; }

 private:
  using Place = HeldPackets::Place;
  using Slot = uint32_t;  // of datagrams_
  static constexpr uint32_t kNone = UINT32_MAX;
  struct List {
    Place first = kNone, last = kNone;
  };
  struct Datagram {
    uint64_t name = 0;                  // digest of addresses, id, protocol
    Nanos seen = 0;                     // packet time of its first fragment, or of the oldest held
    Nanos held_at = 0;                  // wall clock
    List held;                          // non-empty: on the list of those that wait
    Slot next = kNone;                  // in its bucket
    Slot older = kNone, newer = kNone;  // of those that wait
    FragmentFlow flow = {};
    bool used = false, known = false;
  };

  FragmentTracker() = default;
  uint64_t name_of(const Batch& batch, Index i, bool carrier) const noexcept;
  Slot find(uint64_t name) const noexcept;
  Slot make(uint64_t name) noexcept;
  void forget(Slot slot) noexcept;
  void learn(Batch& batch, Index i, bool carrier) noexcept;
  void look_at(Batch& batch, Index i) noexcept;
  bool resolve(Batch& batch, Index i) noexcept;
  bool hold(const Batch& batch, Index i) noexcept;
  bool follows_released(const Batch& batch, Index i) const noexcept;
  void append(List& list, Place place) noexcept;
  void make_ready(Slot slot, uint32_t flow) noexcept;
  Nanos watermark() const noexcept;
  bool expired(const Datagram& datagram, Nanos now) const noexcept;
  bool passed_unseen(Nanos time) const noexcept { return time >= unseen_ && time <= seen_after_; }
  bool full() const noexcept { return !held_->has_room(kBatchMax); }

  std::unique_ptr<HeldPackets> held_;
  std::vector<Datagram> datagrams_;  // a ring: the oldest gives way
  std::vector<Slot> buckets_;
  Slot next_slot_ = 0;
  Slot oldest_waiting_ = kNone, newest_waiting_ = kNone;
  List ready_;                       // to be released now, in this order
  std::vector<FragmentFlow> flows_;  // of what is ready, by HeldPackets::note
  std::vector<uint64_t> released_;   // flows whose packets of this batch go behind what is ready
  std::vector<const Source*> sources_;
  bool resting_ = true;
  Nanos unseen_ = UINT64_MAX, seen_after_ = 0;  // packet time: first fragments may have passed
  uint64_t followed_ = 0, waited_ = 0, incomplete_ = 0, gave_way_ = 0, overtook_ = 0;
};

}  // namespace bricks
