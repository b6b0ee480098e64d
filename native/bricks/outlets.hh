// Where a brick puts packets: one ordered list per outlet.
#pragma once

#include <algorithm>
#include <cassert>
#include <span>

#include "mem/ledger.hh"
#include "wire/packet.hh"

namespace bricks {

using Picks = std::span<const Index>;  // packets of a batch, in order

// Packets that leave the graph shorter than they are, on the ways behind one brick.
struct Cuts {
  bool any = false;
  uint32_t bytes[kBatchMax];  // at most so many of each packet; UINT32_MAX: all; void unless `any`
};

// Where a brick puts packets: one ordered list per outlet, made ready by the engine.
class Outlets {
 public:
  struct List {
    const Index* first;  // what the next brick or output reads, up to `end`
    Index* end;
    Index* own;  // kBatchMax * multiplicity entries of this list's own memory
    uint32_t count() const noexcept { return static_cast<uint32_t>(end - first); }
  };

  Outlets(std::span<List> lists, LedgerCell& cell, Cuts* cuts = nullptr,
          std::span<const Cuts* const> before = {}) noexcept
      : lists_(lists), cell_(cell), cuts_(cuts), before_(before) {}

  uint32_t count() const noexcept { return static_cast<uint32_t>(lists_.size()); }
  void put(uint32_t outlet, Index packet) noexcept {
    assert(outlet < lists_.size());
    *lists_[outlet].end++ = packet;
  }
  void put_some(uint32_t outlet, Picks some) noexcept {
    assert(outlet < lists_.size());
    lists_[outlet].end = std::copy(some.begin(), some.end(), lists_[outlet].end);
  }
  // The whole of `in`, without a copy; the list must be empty.
  void put_all(uint32_t outlet, Picks in) noexcept {
    assert(outlet < lists_.size() && lists_[outlet].count() == 0);
    lists_[outlet].first = in.data();
    lists_[outlet].end = const_cast<Index*>(in.data() + in.size());  // never written through
  }
  // The packet keeps `bytes` at most where it leaves the graph behind this brick; until then bricks
  // see it whole, and other branches get it whole. For types with `cuts` or `holds` only.
  void cut(Index packet, uint32_t bytes) noexcept {
    assert(cuts_);
    if (!cuts_->any) std::fill_n(cuts_->bytes, kBatchMax, UINT32_MAX);
    cuts_->any = true;
    cuts_->bytes[packet] = std::min(cuts_->bytes[packet], bytes);
  }
  // What bricks before this one have cut the packet to; UINT32_MAX: it is whole. A copy that is
  // held keeps this beside it and is cut() when it is released.
  uint32_t cut_before(Index packet) const noexcept {
    uint32_t most = UINT32_MAX;
    for (const Cuts* cuts : before_) {
      if (cuts->any) most = std::min(most, cuts->bytes[packet]);
    }
    return most;
  }
  // Raw access for what fills many lists (bricks/distribute.hh).
  std::span<List> lists() noexcept { return lists_; }
  LedgerCell& cell() noexcept { return cell_; }

 private:
  std::span<List> lists_;
  LedgerCell& cell_;
  Cuts* cuts_;
  std::span<const Cuts* const> before_;
};

}  // namespace bricks
