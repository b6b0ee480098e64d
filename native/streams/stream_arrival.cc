// A segment comes: what its header says, and which way its payload goes.
#include <algorithm>
#include <cassert>

#include "streams/stream_pool.hh"

namespace bricks::streams {
namespace {

// More than this was not lost in one piece at a stream's end: such an ACK is not believed.
constexpr uint64_t kClaimMax = 1u << 24;
// Further ahead nobody's window reaches (RFC 7323: 2^30 bytes).
constexpr uint64_t kAheadMax = 1u << 30;
// Positions begin here, so that there is room below.
constexpr Position kOrigin = Position{1} << 33;
// Where data waits for its SYN, the start is taken to be so far below.
constexpr uint64_t kUnanchoredRoom = 1u << 29;

// A FIN before any SYN ended it: nothing of the stream has been.
bool is_void(const Direction& it) noexcept {
  return it.phase == Phase::ended && it.end_reason == EndReason::fin && !it.has_syn &&
         it.next == it.start;
}

}  // namespace

void StreamPool::begin(const Way& way, uint32_t seq, bool has_syn, Sink& sink) {
  Direction& it = *way.it;
  it.start = it.next = it.acked = it.highest = it.evidence_from = kOrigin + seq;
  it.first_block = it.end_block = it.start >> kBlockShift;
  it.phase = Phase::started;
  it.has_syn = has_syn;
  if (has_syn) return;
  ++counts_.gaps[static_cast<uint32_t>(GapReason::midstream)];
  sink.gap(way.number, 0, 0, GapReason::midstream);
}

// The start of a direction whose data came first.
void StreamPool::anchor(const Way& way, Position start, Sink& sink) {
  Direction& it = *way.it;
  it.start = it.next = it.evidence_from = start;
  it.acked = std::max(it.acked, start);
  it.highest = std::max(it.highest, start);
  it.first_block = start >> kBlockShift;
  it.phase = Phase::started;
  while (it.waiting) {
    const uint32_t node = nodes_.first(it.root);
    const auto [from, to] = bounds(it, node);
    if (from >= start) break;
    release_blocks(way, from >> kBlockShift,
                   std::min(((to - 1) >> kBlockShift) + 1, it.first_block));
    if (to > start) break;
    drop_node(it, node);
    ++counts_.before_start;
  }
  deliver(way, sink, Force::none);
}

void StreamPool::anchor_midstream(const Way& way, Sink& sink) {
  const Position start = bounds(*way.it, nodes_.first(way.it->root)).start;
  ++counts_.gaps[static_cast<uint32_t>(GapReason::midstream)];
  sink.gap(way.number, 0, 0, GapReason::midstream);
  anchor(way, start, sink);
}

// `seq`: of the byte behind the SYN. False: the segment is not of this connection.
bool StreamPool::take_syn(const Way& way, uint32_t seq, const TcpSegment& segment, Sink& sink) {
  Direction& it = *way.it;
  const Direction& other = way.connection->side[1 - way.number];
  if (segment.flags & kAck && other.has_syn && other.phase == Phase::started &&
      (place(other, segment.ack) < other.start || place(other, segment.ack) > other.highest + 1)) {
    ++counts_.bad_syn;  // it answers another SYN (RFC 9293, 3.10.7.3)
    return false;
  }
  if (it.phase == Phase::fresh) {
    begin(way, seq, true, sink);
    return true;
  }
  const Position at = place(it, seq);
  if (it.phase == Phase::unanchored) {
    it.has_syn = true;
    anchor(way, at, sink);
    return true;
  }
  if (at == it.start) return it.has_syn = true;
  const bool is_used = it.next != it.start || it.waiting || it.is_confirmed;
  if (!is_used) {  // another try with another number, and nobody answered the first
    release_all(way);
    it.fin = 0;
    begin(way, seq, true, sink);
    return true;
  }
  ++counts_.bad_syn;
  return false;
}

// `segment` goes the other way and acknowledges what this one sent.
void StreamPool::acknowledge(const Way& way, const TcpSegment& segment, Sink& sink) {
  Direction& it = *way.it;
  it.zero_window = segment.window == 0 && !(segment.flags & kSyn);
  if (it.phase == Phase::fresh || it.phase == Phase::ended) return;
  const Position at = place(it, segment.ack);
  it.is_confirmed |= at == it.start;
  if (at > it.highest) {
    if (at - it.highest <= kClaimMax) it.claimed = std::max(it.claimed, at);
  } else if (at <= it.acked) {
    return;
  }
  it.acked = std::max(it.acked, std::min(at, it.highest));
  if (it.again_to && it.acked >= it.again_to) it.again_from = it.again_to = 0;
  if (it.phase == Phase::unanchored) {
    if (it.acked > bounds(it, nodes_.first(it.root)).start) anchor_midstream(way, sink);
    return;
  }
  if (it.has_probe && it.acked > it.next) accept_probe(way, sink);
  if (it.waiting) deliver(way, sink, Force::none);
}

// The first one counts, until the stream goes over it.
void StreamPool::note_fin(Direction& it, Position fin) noexcept {
  if (it.fin == fin) return;
  if (it.fin || fin < it.next) {
    ++counts_.bad_fin;
    return;
  }
  it.fin = fin;
}

// The receiver took the byte after all.
void StreamPool::accept_probe(const Way& way, Sink& sink) {
  Direction& it = *way.it;
  it.has_probe = false;
  const Undo undo = it.undo;
  const Taken taken = store(way, {it.next, it.next + 1, &it.probe}, sink);
  it.undo = undo;
  if (taken == Taken::waiting) deliver(way, sink, Force::none);
}

void StreamPool::look_for_timeout(const Way& way, Sink& sink) {
  Direction& it = *way.it;
  if (!options_.hole_timeout || !it.waiting || now_ < it.hole_since) return;
  if (now_ - it.hole_since <= options_.hole_timeout) return;
  if (it.phase == Phase::unanchored) {
    anchor_midstream(way, sink);
  } else {
    deliver(way, sink, Force::timeout);
  }
}

Taken StreamPool::take_after_end(const Way& way, const Piece& piece, Sink& sink) {
  Direction& it = *way.it;
  if (it.end_reason != EndReason::fin) return Taken::stopped;
  if (piece.end == piece.start) return Taken::nothing;
  ++counts_.segments;
  if (piece.end > it.next) {
    ++counts_.beyond_fin;
    return Taken::invalid;
  }
  repeat(way, piece, sink);
  return Taken::old;
}

Taken StreamPool::take(const Way& way, const Piece& piece, Sink& sink) {
  Direction& it = *way.it;
  ++counts_.segments;
  if (piece.end <= it.start) {
    ++counts_.before_start;
    return Taken::invalid;
  }
  const bool is_byte = piece.end - piece.start == 1;
  if (is_byte && piece.end == it.next && piece.end == it.highest) {  // RFC 9293, 3.8.4
    ++counts_.keep_alives;
    return Taken::nothing;
  }
  if (piece.start < it.next && it.phase == Phase::started) repeat(way, piece, sink);
  if (piece.end <= it.next) return Taken::old;
  it.highest = std::max(it.highest, piece.end);
  if (piece.start == it.next && is_byte && it.zero_window) {  // RFC 9293, 3.8.6.1
    ++counts_.probes;
    it.has_probe = true;
    it.probe = piece.bytes[0];
    return Taken::nothing;
  }
  if (piece.start <= it.next) {
    it.has_probe = false;  // it was not taken: here it comes again
    if (options_.delivery == Delivery::immediate && it.phase == Phase::started) {
      ++counts_.in_order;
      give_in_order(way, piece, sink);
      return Taken::in_order;
    }
  }
  const Taken taken = store(way, piece, sink);
  if (taken == Taken::waiting && it.phase == Phase::started) deliver(way, sink, Force::none);
  return taken;
}

Taken StreamPool::segment(uint32_t connection, uint32_t direction, const TcpSegment& segment,
                          Sink& sink) {
  assert(connections_[connection].open && direction < 2);
  const Way it = way(connection, direction);
  Direction& side = *it.it;
  now_ = segment.time;
  side.undo = Undo::nothing;
  if (segment.flags & kRst) return Taken::nothing;  // what it carries is for humans (RFC 9293)
  if (segment.flags & kAck) acknowledge(way(connection, 1 - direction), segment, sink);
  const uint32_t seq = segment.seq + (segment.flags & kSyn ? 1 : 0);
  if (segment.flags & kSyn && (side.phase != Phase::ended || is_void(side))) {
    if (!take_syn(it, seq, segment, sink)) return Taken::invalid;
  } else if (side.phase == Phase::fresh) {
    if (options_.midstream) {
      begin(it, seq, false, sink);
    } else if (segment.length == 0) {
      return Taken::nothing;
    } else {
      side.phase = Phase::unanchored;
      side.next = kOrigin + seq - kUnanchoredRoom;
      side.acked = side.highest = side.next;
    }
  }
  const Position at = place(side, seq);
  const Position wire_end = at + std::max(segment.length, segment.wire_length);
  const Piece piece{at, at + segment.length, segment.payload};
  if (side.phase == Phase::ended) return take_after_end(it, piece, sink);
  if (at > side.next + kAheadMax) {
    ++counts_.beyond_window;
    return Taken::invalid;
  }
  if (side.has_probe && at > side.next) accept_probe(it, sink);
  if (segment.flags & kFin) note_fin(side, wire_end);
  if (segment.flags & kUrgent && segment.urgent && options_.urgent != UrgentPolicy::in_line &&
      at + segment.urgent > side.next) {
    side.urgent_at = at + segment.urgent - 1;
  }
  Taken taken = Taken::nothing;
  if (segment.length) taken = take(it, piece, sink);
  if (side.fin && side.phase == Phase::started) settle_end(it, sink);
  if (side.waiting) look_for_timeout(it, sink);
  return taken;
}

// What was given out cannot be taken back: it comes once more with the retransmission.
void StreamPool::judge_again(Direction& it) noexcept {
  it.again_from = it.again_to ? std::min(it.again_from, it.undo_from) : it.undo_from;
  it.again_to = std::max(it.again_to, it.undo_to);
}

void StreamPool::undo(uint32_t connection, uint32_t direction) noexcept {
  const Way it = way(connection, direction);
  Direction& side = *it.it;
  if (side.undo == Undo::nothing) return;
  ++counts_.undone;
  if (side.fin == side.undo_to) {  // the FIN was the segment's, or comes again with it
    side.fin = 0;
    if (side.phase == Phase::ended && side.end_reason == EndReason::fin) {
      side.phase = Phase::started;
    }
  }
  switch (side.undo) {
    case Undo::nothing:
      break;
    case Undo::in_order:
      side.next = side.undo_from;
      side.evidence_from = std::min(side.evidence_from, side.next);
      side.first_block = std::min(side.first_block, side.next >> kBlockShift);
      release_unused(it, side.undo_to);
      break;
    case Undo::stored:
      drop_node(side, side.undo_node);
      release_unused(it, side.undo_to);
      side.undo_to = std::min(side.undo_to, side.next);
      if (side.undo_from < side.undo_to) judge_again(side);
      break;
    case Undo::filled:
    case Undo::again:
      judge_again(side);
  }
  side.undo = Undo::nothing;
}

}  // namespace bricks::streams
