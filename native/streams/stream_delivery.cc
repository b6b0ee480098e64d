// Bytes in order go out.
#include <algorithm>

#include "streams/stream_pool.hh"

namespace bricks::streams {
void StreamPool::gap(const Way& way, Position to, GapReason reason, Sink& sink) {
  Direction& it = *way.it;
  ++counts_.gaps[static_cast<uint32_t>(reason)];
  counts_.missing += to - it.next;
  sink.gap(way.number, it.next - it.start, to - it.next, reason);
  const uint64_t last = it.next >> kBlockShift, first = to >> kBlockShift;
  it.next = it.evidence_from = to;
  it.highest = std::max(it.highest, to);
  if (last >= first) return;
  release_blocks(way, it.first_block, last + 1);
  it.first_block = first;  // nothing waits in between
}

// The one that is urgent goes its own way.
void StreamPool::emit_urgent(const Way& way, std::span<const uint8_t> bytes, Sink& sink) {
  Direction& it = *way.it;
  const uint64_t before = it.urgent_at - it.next;
  const Position next = it.next;
  it.urgent_at = 0;
  ++counts_.urgent;
  if (before) emit(way, bytes.first(before), sink);
  const uint64_t offset = next + before - it.start;
  if (options_.urgent == UrgentPolicy::out_of_band) {
    sink.urgent(way.number, offset, bytes[before]);
  } else if (options_.urgent == UrgentPolicy::gap) {
    ++counts_.gaps[static_cast<uint32_t>(GapReason::urgent)];
    sink.gap(way.number, offset, 1, GapReason::urgent);
  }
  it.next = next + before + 1;
  if (before + 1 < bytes.size()) emit(way, bytes.subspan(before + 1), sink);
  it.next = next;
}

// The bytes at `next`, which the caller moves.
void StreamPool::emit(const Way& way, std::span<const uint8_t> bytes, Sink& sink) {
  Direction& it = *way.it;
  if (options_.depth) {
    const uint64_t before = it.next - it.start;
    if (before >= options_.depth) return;
    bytes = bytes.first(std::min<uint64_t>(bytes.size(), options_.depth - before));
  }
  if (it.urgent_at >= it.next && it.urgent_at < it.next + bytes.size()) {
    return emit_urgent(way, bytes, sink);
  }
  counts_.delivered += bytes.size();
  sink.payload(way.number, it.next - it.start, bytes);
}

// Of the segment itself, from `next` on.
void StreamPool::give_part(const Way& way, const Piece& piece, Position to, Sink& sink) {
  Direction& it = *way.it;
  if (to <= it.next) return;
  const std::span<const uint8_t> bytes = piece.part(it.next, to);
  emit(way, bytes, sink);
  remember(way, it.next, bytes);
  it.next = to;
}

// Of what waited, from `next` on.
void StreamPool::give_blocks(const Way& way, Position to, Sink& sink) {
  Direction& it = *way.it;
  while (it.next < to) {
    const uint64_t number = it.next >> kBlockShift;
    const Position end = std::min(to, (number + 1) << kBlockShift);
    const uint8_t* bytes = blocks_.bytes(block_at(way, number));
    emit(way, {bytes + (it.next & (kBlockBytes - 1)), end - it.next}, sink);
    it.next = end;
  }
}

// What waits begins before the segment ends. All of that goes out now: with the segment it is in
// order. So neither memory nor a bound is needed for how much it is.
void StreamPool::give_among_waiting(const Way& way, const Piece& piece, Sink& sink) {
  Direction& it = *way.it;
  const Position from = it.next;
  Position compared = from, until = piece.end;
  bool is_other = false;
  while (it.waiting) {
    const uint32_t node = nodes_.first(it.root);
    const auto [start, end] = bounds(it, node);
    if (start >= piece.end) break;
    drop_node(it, node);
    const Position both = std::min(end, piece.end);
    if (std::max(start, compared) < both) {
      is_other |= differs(way, piece, std::max(start, compared), both, false, sink);
      compared = both;
    }
    until = std::max(until, end);
    if (takes_new(it.policy, order(piece.start, start), order(piece.end, end))) continue;
    give_part(way, piece, std::min(start, both), sink);
    if (both > it.next) give_blocks(way, both, sink);
  }
  if (compared > from) ++(is_other ? counts_.rexmit_conflict : counts_.rexmit_same);
  give_part(way, piece, piece.end, sink);
  if (!settle_end(way, sink)) give_blocks(way, until, sink);
}

void StreamPool::give_in_order(const Way& way, const Piece& piece, Sink& sink) {
  Direction& it = *way.it;
  it.undo = Undo::in_order;
  it.undo_from = it.next;
  it.undo_to = piece.end;
  if (!it.waiting) {
    give_part(way, piece, piece.end, sink);
    if ((it.fin || options_.depth) && settle_end(way, sink)) return;
    return trim(way);
  }
  const uint32_t waiting = it.waiting;
  give_among_waiting(way, piece, sink);
  if (!settle_end(way, sink)) {
    trim(way);
    deliver(way, sink, Force::none);
  }
  if (it.waiting != waiting) it.undo = Undo::filled;
}

// False: it is waited for.
bool StreamPool::pass_hole(const Way& way, Position to, Force force, Sink& sink) {
  if (way.it->acked > to) {
    gap(way, to, GapReason::ack_passed, sink);
  } else if (force == Force::none) {
    return false;
  } else {
    gap(way, to,
        force == Force::cap       ? GapReason::cap
        : force == Force::timeout ? GapReason::timeout
                                  : GapReason::flush,
        sink);
  }
  return true;
}

// Gives out what waits and may go. Forced: one segment that may not (flush: all).
void StreamPool::deliver(const Way& way, Sink& sink, Force force) {
  Direction& it = *way.it;
  const Position before = it.next;
  while (it.waiting) {
    const uint32_t node = nodes_.first(it.root);
    const auto [start, end] = bounds(it, node);
    if (end <= it.next) {
      drop_node(it, node);
      continue;
    }
    if (start > it.next && !pass_hole(way, start, force, sink)) break;
    if (settle_end(way, sink)) return;
    const bool wants_ack = options_.delivery == Delivery::acked && force == Force::none;
    const Position to = wants_ack ? std::min(end, it.acked) : end;
    if (to <= it.next) break;
    give_blocks(way, to, sink);
    if (settle_end(way, sink)) return;
    if (force != Force::flush) force = Force::none;
  }
  if (it.next == before) return;
  it.hole_since = now_;
  trim(way);
}

// Is the stream over?
bool StreamPool::settle_end(const Way& way, Sink& sink) {
  Direction& it = *way.it;
  if (it.phase == Phase::ended) return true;
  if (it.fin && it.next >= it.fin) {
    if (it.next == it.fin) {
      finish(way, EndReason::fin, sink);
      return true;
    }
    it.fin = 0;  // the stream goes over it: it was not the receiver's
    ++counts_.bad_fin;
  }
  if (!options_.depth || it.next - it.start < options_.depth) return false;
  finish(way, EndReason::depth, sink);
  return true;
}

void StreamPool::finish(const Way& way, EndReason reason, Sink& sink) {
  Direction& it = *way.it;
  if (reason == EndReason::fin) {
    counts_.beyond_fin += it.waiting;
    drop_waiting(way, (it.next >> kBlockShift) + 1);
    trim(way);
  } else {
    release_all(way);
  }
  it.has_probe = false;
  it.end_reason = reason;
  const bool has_start = it.phase == Phase::started;
  it.phase = Phase::ended;
  sink.end(way.number, has_start ? it.next - it.start : 0, reason);
}

void StreamPool::flush(const Way& way, Sink& sink) {
  Direction& it = *way.it;
  if (it.phase == Phase::unanchored && it.waiting) anchor_midstream(way, sink);
  if (it.phase != Phase::started) return;
  if (it.has_probe) accept_probe(way, sink);
  deliver(way, sink, Force::flush);
  if (it.phase == Phase::ended) return;
  // One more than was seen is a FIN that was not.
  const bool is_claimed = it.claimed > it.next + 1;
  const Position end = it.fin ? it.fin : is_claimed ? it.claimed : it.next;
  if (end > it.next) {
    gap(way, end, it.claimed >= end ? GapReason::ack_passed : GapReason::flush, sink);
  }
  if (it.fin) settle_end(way, sink);
}

}  // namespace bricks::streams
