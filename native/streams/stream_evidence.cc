// What was given out stays for a while, for who sends it again and differently.
#include <algorithm>
#include <cstring>

#include "streams/stream_pool.hh"
#include "wire/flow_hash.hh"

namespace bricks::streams {
namespace {

uint64_t digest(std::span<const uint8_t> bytes) noexcept {
  const HashSeed& seed = process_hash_seed();
  uint64_t word, sum = seed.word[0] ^ bytes.size();
  for (; bytes.size() >= sizeof word; bytes = bytes.subspan(sizeof word)) {
    std::memcpy(&word, bytes.data(), sizeof word);
    sum = multiply_fold(sum ^ seed.word[1], word ^ seed.word[2]);
  }
  word = 0;
  if (!bytes.empty()) std::memcpy(&word, bytes.data(), bytes.size());
  return multiply_fold(sum ^ seed.word[1], word ^ seed.word[2]);
}

}  // namespace

// Bytes at `next` that are the packet's own. Half of the pool is for what waits.
void StreamPool::remember(const Way& way, Position at, std::span<const uint8_t> bytes) noexcept {
  Direction& it = *way.it;
  const Position end = at + bytes.size();
  if (bytes.size() > options_.evidence) {
    it.evidence_from = end - options_.evidence;
    bytes = bytes.last(options_.evidence);
    at = it.evidence_from;
  }
  if (bytes.empty()) return;
  uint32_t wanted = 0;
  for (uint64_t block = at >> kBlockShift; block <= (end - 1) >> kBlockShift; ++block) {
    wanted += block_at(way, block) == kNoBlock;
  }
  if (wanted &&
      (blocks_.free() < blocks_.count() / 2 + wanted || it.blocks + wanted > direction_blocks_)) {
    it.evidence_from = end;
    return;
  }
  write(way, at, bytes);
}

// Forgets what is older than was asked for.
void StreamPool::trim(const Way& way) noexcept {
  Direction& it = *way.it;
  const Position kept = it.next - std::min<uint64_t>(options_.evidence, it.next - it.start);
  const uint64_t first = std::max(kept, it.evidence_from) >> kBlockShift;
  if (first > it.first_block) {
    release_blocks(way, it.first_block, first);
    it.first_block = first;
    it.evidence_from = std::max(it.evidence_from, first << kBlockShift);
  }
  if (!options_.evidence && !it.waiting) {
    release_blocks(way, it.first_block, (it.next >> kBlockShift) + 1);
    it.evidence_from = it.next;
  }
}

// Compares with what is there, block by block, and tells of each that is not the same.
bool StreamPool::differs(const Way& way, const Piece& piece, Position from, Position to,
                         bool delivered, Sink& sink) {
  bool is_other = false;
  while (from < to) {
    const uint64_t number = from >> kBlockShift;
    const Position end = std::min(to, (number + 1) << kBlockShift);
    const uint8_t* had = blocks_.bytes(block_at(way, number)) + (from & (kBlockBytes - 1));
    const std::span<const uint8_t> came = piece.part(from, end);
    if (std::memcmp(had, came.data(), came.size()) != 0) {
      size_t first = 0, last = came.size();
      while (had[first] == came[first]) ++first;
      while (had[last - 1] == came[last - 1]) --last;
      const uint64_t offset = way.it->phase == Phase::unanchored ? 0 : from + first - way.it->start;
      sink.conflict(
          way.number,
          {offset, static_cast<uint32_t>(last - first), digest({had + first, last - first}),
           digest(came.subspan(first, last - first)), had + first, came.data() + first, delivered});
      is_other = true;
    }
    from = end;
  }
  return is_other;
}

// What of the segment lies before `next`.
void StreamPool::repeat(const Way& way, const Piece& piece, Sink& sink) {
  Direction& it = *way.it;
  const Position start = std::max(piece.start, it.start), end = std::min(piece.end, it.next);
  if (start >= end) return;
  const Position from = std::max(start, it.evidence_from);
  const bool is_other = from < end && differs(way, piece, from, end, true, sink);
  ++(is_other     ? counts_.rexmit_conflict
     : from < end ? counts_.rexmit_same
                  : counts_.rexmit_unknown);
  const Position low = std::max(start, it.again_from), high = std::min(end, it.again_to);
  if (low >= high) return;
  // Was dropped: to be judged again.
  sink.payload(way.number, low - it.start, piece.part(low, high));
  it.undo = Undo::again;
  it.undo_from = low;
  it.undo_to = high;
  if (low == it.again_from) it.again_from = high;
  if (high == it.again_to) it.again_to = low;
  if (it.again_from >= it.again_to) it.again_from = it.again_to = 0;
}

}  // namespace bricks::streams
