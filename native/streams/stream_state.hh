// What is known of a connection. Positions are 64-bit: their lower half is the sequence number, the
// upper one counts how often it went round; offsets are positions less the direction's start.
#pragma once

#include "streams/tcp_streams.hh"

namespace bricks::streams {

using Position = uint64_t;

enum class Phase : uint8_t {
  fresh,       // nothing was seen
  unanchored,  // data waits, where the stream starts is not known (no midstream)
  started,
  ended,
};
enum class Undo : uint8_t { nothing, in_order, filled, stored, again };

struct Direction {
  Position next, acked, highest;  // given out up to; acknowledged of what was seen; seen
  Position start;
  Position fin;  // where the stream ends; 0: nobody knows
  uint32_t waiting, root;
  uint32_t blocks;     // held
  uint32_t recent[4];  // of them, those written last, by number
  Phase phase;
  OverlapPolicy policy;
  bool has_syn, is_confirmed, zero_window, has_probe;
  uint8_t probe;
  Undo undo;
  EndReason end_reason;

  Position claimed;                 // acknowledged beyond what was seen
  Position evidence_from;           // bytes from here to `next` are remembered
  uint64_t first_block, end_block;  // no block is held below, or from there on
  Position urgent_at;               // 0: none
  Position undo_from, undo_to;
  Position again_from, again_to;  // given out, and dropped by who got it
  Nanos hole_since;
  uint32_t undo_node;
};

struct Connection {
  Direction side[2];
  uint32_t next_free;
  bool open;
};

// Which direction a call is about.
struct Way {
  Connection* connection;
  Direction* it;
  uint32_t owner;  // of blocks
  uint32_t number;
};

// Bytes of a segment and where they belong.
struct Piece {
  Position start, end;
  const uint8_t* bytes;
  std::span<const uint8_t> part(Position from, Position to) const noexcept {
    return {bytes + (from - start), to - from};
  }
};

// How one segment lies to another: -1, 0, 1.
inline int32_t order(Position a, Position b) noexcept { return a < b ? -1 : a > b ? 1 : 0; }

// The waiting segments that one lies over, by start.
struct Overlaps {
  uint32_t node[kStreamOverlapsMax];
  uint32_t count;
  Position from;    // before is what was given out
  bool wants_node;  // the segment tells something about later ones
};

struct Bounds {
  Position start, end;
};

enum class Force : uint8_t { none, timeout, cap, flush };

}  // namespace bricks::streams
