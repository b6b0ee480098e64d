// The index of the session table: a packet's look, and where words lie.
#include "sessions/session_table.hh"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bricks {

namespace {
constexpr uint32_t kMovesMax = 2;  // beyond the first: 84 lines looked at, at most
}

// The loop, with the comparison of four digests left to the build: a mask of the ways that match.
// A packet whose session is not in its first line, or that changes more than the time it was last
// seen, is for the slow path. Nothing else branches; a word is written only when it changes.
template <typename Match>
inline __attribute__((always_inline)) uint32_t SessionTable::touch_with(SessionBatch& batch,
                                                                        uint32_t count,
                                                                        Match match) noexcept {
  constexpr uint64_t kBitsMask = uint64_t{0xff} << kSessionBitsShift;
  constexpr uint64_t kRead = uint64_t{kSessionRead} << kSessionBitsShift;
  const uint64_t seen = (clock_ & 0xffff) << kSessionSeenShift;
  uint32_t rest = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t digest = batch.digest[i];
    Line& line = lines_[first_of(digest)];
    const uint32_t ways = match(line.digest, digest);
    uint64_t& word = line.word[static_cast<uint32_t>(__builtin_ctz(ways | 16)) & 3];
    const uint64_t before = word;
    const uint64_t after =
        (before & ~kSessionSeenMask) | seen | uint64_t{batch.bits[i]} << kSessionBitsShift;
    batch.pin[i] = word_pin(before);
    const bool changes = ((after ^ before) & kBitsMask) | (before & kRead);
    const bool slow = changes | (ways == 0);
    batch.rest[rest] = static_cast<Index>(i);
    rest += slow;
    if (!slow && after != before) word = after;
  }
  return rest;
}

#if defined(__x86_64__)

uint32_t SessionTable::touch_v2(SessionBatch& batch, uint32_t count) noexcept {
  return touch_with(batch, count, [](const uint64_t* digests, uint64_t digest) {
    const __m128i wanted = _mm_set1_epi64x(static_cast<long long>(digest));
    const auto* pairs = reinterpret_cast<const __m128i*>(digests);
    const __m128i low = _mm_cmpeq_epi64(_mm_load_si128(pairs), wanted);
    const __m128i high = _mm_cmpeq_epi64(_mm_load_si128(pairs + 1), wanted);
    return static_cast<uint32_t>(_mm_movemask_pd(_mm_castsi128_pd(low)) |
                                 _mm_movemask_pd(_mm_castsi128_pd(high)) << 2);
  });
}

uint32_t SessionTable::touch(SessionBatch& batch, uint32_t count) noexcept {
  return touch_v2(batch, count);
}

#else

uint32_t SessionTable::touch(SessionBatch& batch, uint32_t count) noexcept {
  return touch_with(batch, count, [](const uint64_t* digests, uint64_t digest) {
    return uint32_t{digests[0] == digest} | uint32_t{digests[1] == digest} << 1 |
           uint32_t{digests[2] == digest} << 2 | uint32_t{digests[3] == digest} << 3;
  });
}

#endif

int32_t SessionTable::find_in(uint32_t line, uint64_t digest) const noexcept {
  for (int32_t way = 0; way < 4; ++way) {
    if (lines_[line].digest[way] == digest) return way;
  }
  return -1;
}

uint64_t* SessionTable::find(uint64_t digest) noexcept {
  uint32_t line = first_of(digest);
  int32_t way = find_in(line, digest);
  if (way < 0) way = find_in(line = second_of(digest), digest);
  return way < 0 ? nullptr : &lines_[line].word[way];
}

void SessionTable::put(uint32_t line, uint32_t way, uint64_t digest, uint64_t word) noexcept {
  lines_[line].digest[way] = digest;
  lines_[line].word[way] = word;
  records_[word_entry(word)].way = line * 4 + way;
}

// Makes room in a full line: one of its words goes to its other line, where there may first have to
// be made room likewise.
bool SessionTable::move_away(uint32_t line, uint32_t depth, uint32_t* way) noexcept {
  for (uint32_t i = 0; i < 4; ++i) {
    const uint64_t digest = lines_[line].digest[i];
    const uint32_t first = first_of(digest);
    const uint32_t other = first == line ? second_of(digest) : first;
    if (other == line) continue;
    const int32_t found = find_in(other, 0);
    auto room = static_cast<uint32_t>(found);
    if (found < 0 && (depth == 0 || !move_away(other, depth - 1, &room))) continue;
    *way = i;
    if (lines_[line].digest[i] == 0) return true;  // it has been moved on the way
    put(other, room, digest, lines_[line].word[i]);
    lines_[line].digest[i] = 0;
    return true;
  }
  return false;
}

bool SessionTable::insert(uint64_t digest, uint64_t word) noexcept {
  const uint32_t lines[2] = {first_of(digest), second_of(digest)};
  for (const uint32_t line : lines) {
    if (const int32_t way = find_in(line, 0); way >= 0) {
      put(line, static_cast<uint32_t>(way), digest, word);
      return true;
    }
  }
  for (uint32_t depth = 0; depth <= kMovesMax; ++depth) {
    for (const uint32_t line : lines) {
      uint32_t way;
      if (!move_away(line, depth, &way)) continue;
      put(line, way, digest, word);
      return true;
    }
  }
  return false;
}

// One more line: it takes from its half of the index what now belongs to it.
void SessionTable::split_line() noexcept {
  if (line_count_ == mask_ + 1) mask_ = mask_ * 2 + 1;
  const uint32_t half = mask_ >> 1;
  const uint32_t made = line_count_;
  const uint32_t from = made & half;
  uint32_t used = 0;
  for (uint32_t way = 0; way < 4; ++way) {
    const uint64_t digest = lines_[from].digest[way];
    if (digest == 0) continue;
    const auto low = static_cast<uint32_t>(digest), high = static_cast<uint32_t>(digest >> 32);
    // It lies here for one of its two hashes: what that says now.
    const uint32_t hash = first_of(digest) == from ? low : high;
    if ((hash & mask_) != made) continue;
    put(made, used++, digest, lines_[from].word[way]);
    lines_[from].digest[way] = 0;
  }
  ++line_count_;
}

}  // namespace bricks
