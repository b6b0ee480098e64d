// Segments that wait, and the memory of their bytes.
#include <algorithm>
#include <cstring>

#include "streams/stream_pool.hh"

namespace bricks::streams {
namespace {

// The answer is the same however two segments lie: what adds no byte needs not be known.
bool is_constant(OverlapPolicy policy) noexcept {
  return policy == OverlapPolicy::first || policy == OverlapPolicy::vista ||
         policy == OverlapPolicy::last;
}

}  // namespace

uint32_t StreamPool::block_at(const Way& way, uint64_t number) const noexcept {
  const uint32_t recent = way.it->recent[number & 3];
  if (blocks_.is(recent, way.owner, number)) return recent;
  return number < way.it->end_block ? blocks_.find(way.owner, number) : kNoBlock;
}

void StreamPool::drop_node(Direction& it, uint32_t node) noexcept {
  if (it.undo == Undo::stored && it.undo_node == node) it.undo = Undo::filled;
  nodes_.remove(&it.root, node);
  --it.waiting;
}

void StreamPool::release_blocks(const Way& way, uint64_t from, uint64_t to) noexcept {
  for (uint64_t block = from; block < to && way.it->blocks; ++block) {
    if (blocks_.release(way.owner, block)) --way.it->blocks;
  }
}

// Those behind `next`, up to `to`, that no waiting segment has bytes in.
void StreamPool::release_unused(const Way& way, Position to) noexcept {
  for (uint64_t block = (way.it->next >> kBlockShift) + 1; block <= (to - 1) >> kBlockShift;
       ++block) {
    uint32_t other;
    const auto low = static_cast<uint32_t>(block << kBlockShift);
    if (nodes_.overlaps(way.it->root, low, low + kBlockBytes, &other, 1)) continue;
    release_blocks(way, block, block + 1);
  }
}

// Blocks below `from_block` stay.
void StreamPool::drop_waiting(const Way& way, uint64_t from_block) noexcept {
  Direction& it = *way.it;
  while (it.waiting) {
    const uint32_t node = nodes_.first(it.root);
    const uint64_t first = bounds(it, node).start >> kBlockShift;
    const uint64_t end = ((bounds(it, node).end - 1) >> kBlockShift) + 1;
    release_blocks(way, std::max(first, from_block), end);
    from_block = std::max(from_block, end);
    drop_node(it, node);
  }
}

void StreamPool::release_all(const Way& way) noexcept {
  Direction& it = *way.it;
  drop_waiting(way, 0);
  release_blocks(way, it.first_block, (it.next >> kBlockShift) + 1);
  it.evidence_from = it.next;
  it.first_block = it.next >> kBlockShift;
}

bool StreamPool::has_room(const Way& way, Position from, Position end,
                          bool wants_node) const noexcept {
  const Direction& it = *way.it;
  if (wants_node && (it.waiting >= options_.segments || nodes_.free() == 0)) return false;
  uint32_t wanted = 0;
  for (uint64_t block = from >> kBlockShift; block <= (end - 1) >> kBlockShift; ++block) {
    wanted += block_at(way, block) == kNoBlock;
  }
  return wanted <= blocks_.free() && it.blocks + wanted <= direction_blocks_ &&
         way.connection->side[0].blocks + way.connection->side[1].blocks + wanted <=
             session_blocks_;
}

void StreamPool::write(const Way& way, Position at, std::span<const uint8_t> bytes) noexcept {
  while (!bytes.empty()) {
    const uint64_t number = at >> kBlockShift;
    const uint32_t inside = at & (kBlockBytes - 1);
    const size_t part = std::min<size_t>(bytes.size(), kBlockBytes - inside);
    uint32_t block = block_at(way, number);
    if (!block) {
      block = blocks_.take(way.owner, number);
      ++way.it->blocks;
      way.it->end_block = std::max(way.it->end_block, number + 1);
    }
    way.it->recent[number & 3] = block;
    std::memcpy(blocks_.bytes(block) + inside, bytes.data(), part);
    at += part;
    bytes = bytes.subspan(part);
  }
}

// False: there is no room for it.
bool StreamPool::look(const Way& way, const Piece& piece, Overlaps* overlaps) const noexcept {
  const Direction& it = *way.it;
  overlaps->from = std::max(piece.start, it.next);
  overlaps->count =
      nodes_.overlaps(it.root, static_cast<uint32_t>(piece.start), static_cast<uint32_t>(piece.end),
                      overlaps->node, kStreamOverlapsMax);
  if (overlaps->count > kStreamOverlapsMax) return false;
  Position covered = overlaps->from;
  bool is_known = false;
  for (uint32_t i = 0; i < overlaps->count; ++i) {
    const Bounds old = bounds(it, overlaps->node[i]);
    if (old.start <= covered) covered = std::max(covered, old.end);
    is_known |= old.start == piece.start && old.end == piece.end;
  }
  overlaps->wants_node = !is_known && !(covered >= piece.end && is_constant(it.policy));
  return has_room(way, overlaps->from, piece.end, overlaps->wants_node);
}

// Makes room (true: look again), or does with the segment what the option says.
bool StreamPool::make_room(const Way& way, Piece* piece, Taken* taken, Sink& sink) {
  Direction& it = *way.it;
  if (options_.over_cap == OverCap::refuse) {
    ++counts_.refused;
    *taken = Taken::refused;
    return false;
  }
  if (options_.over_cap == OverCap::stop) {
    ++counts_.refused;
    finish(way, EndReason::cap, sink);
    *taken = Taken::stopped;
    return false;
  }
  if (it.phase == Phase::unanchored) {
    const auto start = static_cast<uint32_t>(piece->start), end = static_cast<uint32_t>(piece->end);
    if (it.waiting) {
      anchor_midstream(way, sink);
    } else {
      begin(way, start, false, sink);
    }
    *piece = {place(it, start), place(it, end), piece->bytes};
  } else if (it.waiting && piece->start > it.next) {
    deliver(way, sink, Force::cap);
  } else {
    if (piece->start > it.next) gap(way, piece->start, GapReason::cap, sink);
    if (!settle_end(way, sink)) give_in_order(way, *piece, sink);
    *taken = Taken::in_order;
    return false;
  }
  *taken = it.phase == Phase::ended ? Taken::stopped : Taken::old;
  return it.phase != Phase::ended && piece->end > it.next;
}

// What both have, before anything is written.
void StreamPool::compare(const Way& way, const Piece& piece, const Overlaps& overlaps, Sink& sink) {
  Position compared = overlaps.from;
  bool is_other = false;
  for (uint32_t i = 0; i < overlaps.count; ++i) {
    const Bounds old = bounds(*way.it, overlaps.node[i]);
    const Position low = std::max(old.start, compared), high = std::min(old.end, piece.end);
    if (low >= high) continue;
    is_other |= differs(way, piece, low, high, false, sink);
    compared = high;
  }
  if (compared > overlaps.from) ++(is_other ? counts_.rexmit_conflict : counts_.rexmit_same);
}

Taken StreamPool::store(const Way& way, Piece piece, Sink& sink) {
  Direction& it = *way.it;
  Overlaps overlaps;
  Taken taken;
  while (!look(way, piece, &overlaps)) {
    if (!make_room(way, &piece, &taken, sink)) return taken;
    if (options_.delivery == Delivery::immediate && piece.start <= it.next) {
      give_in_order(way, piece, sink);
      return Taken::in_order;
    }
  }
  compare(way, piece, overlaps, sink);
  Position at = overlaps.from;
  for (uint32_t i = 0; i < overlaps.count; ++i) {
    const Bounds old = bounds(it, overlaps.node[i]);
    if (takes_new(it.policy, order(piece.start, old.start), order(piece.end, old.end))) continue;
    if (old.start > at) write(way, at, piece.part(at, old.start));
    at = std::max(at, std::min(old.end, piece.end));
  }
  if (at < piece.end) write(way, at, piece.part(at, piece.end));
  ++counts_.waited;
  if (!it.waiting) it.hole_since = now_;
  if (!overlaps.wants_node) return Taken::waiting;
  it.undo = Undo::stored;
  it.undo_from = overlaps.from;
  it.undo_to = piece.end;
  it.undo_node =
      nodes_.insert(&it.root, static_cast<uint32_t>(piece.start), static_cast<uint32_t>(piece.end));
  ++it.waiting;
  return Taken::waiting;
}

}  // namespace bricks::streams
