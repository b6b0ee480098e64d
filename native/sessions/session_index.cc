// The index of the session table: a packet's look, and where words lie.
#include "sessions/session_index.hh"

#include <algorithm>

#include "sessions/session_table.hh"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bricks {

namespace {

constexpr uint32_t kMovesMax = 2;  // beyond the first: 84 lines looked at, at most

#if defined(__x86_64__)

// A bit for each of the four digests that is the wanted one.
inline uint32_t matches(const uint64_t* digests, uint64_t digest) noexcept {
  const __m128i wanted = _mm_set1_epi64x(static_cast<long long>(digest));
  const auto* pairs = reinterpret_cast<const __m128i*>(digests);
  const __m128i low = _mm_cmpeq_epi64(_mm_load_si128(pairs), wanted);
  const __m128i high = _mm_cmpeq_epi64(_mm_load_si128(pairs + 1), wanted);
  return static_cast<uint32_t>(_mm_movemask_ps(_mm_castsi128_ps(_mm_packs_epi32(low, high))));
}

// The first lines of `count` digests, four at a time: writes up to three more.
inline void aim(const uint64_t* digest, uint32_t count, uint32_t lines, uint32_t mask,
                uint32_t* line) noexcept {
  const __m128i all = _mm_set1_epi32(static_cast<int>(mask));
  const __m128i half = _mm_srli_epi32(all, 1), end = _mm_set1_epi32(static_cast<int>(lines));
  for (uint32_t i = 0; i < count; i += 4) {
    const __m128 a = _mm_load_ps(reinterpret_cast<const float*>(digest + i));
    const __m128 b = _mm_load_ps(reinterpret_cast<const float*>(digest + i + 2));
    const __m128i at = _mm_and_si128(_mm_castps_si128(_mm_shuffle_ps(a, b, 0x88)), all);
    const __m128i there = _mm_or_si128(_mm_cmplt_epi32(at, end), half);
    _mm_store_si128(reinterpret_cast<__m128i*>(line + i), _mm_and_si128(at, there));
  }
}

#else

inline uint32_t matches(const uint64_t* digests, uint64_t digest) noexcept {
  return uint32_t{digests[0] == digest} | uint32_t{digests[1] == digest} << 1 |
         uint32_t{digests[2] == digest} << 2 | uint32_t{digests[3] == digest} << 3;
}

inline void aim(const uint64_t* digest, uint32_t count, uint32_t lines, uint32_t mask,
                uint32_t* line) noexcept {
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t at = static_cast<uint32_t>(digest[i]) & mask;
    line[i] = at < lines ? at : at & mask >> 1;
  }
}

#endif

}  // namespace

// Looks for packets position(0..count) in the lines `batch.line`[0..count) says. What changes more
// than the time a session was last seen is for the slow path, like what is not there. Nothing
// branches on what memory says but the store: for most of a tick of the clock it has nothing to
// change, and lines stay clean.
template <typename Position>
inline __attribute__((always_inline)) uint32_t SessionTable::look(SessionBatch& batch,
                                                                  uint32_t count,
                                                                  Position position) noexcept {
  constexpr uint64_t kBitsMask = uint64_t{0xff} << kSessionBitsShift;
  constexpr uint64_t kRead = uint64_t{kSessionRead} << kSessionBitsShift;
  const uint64_t seen = (clock_ & 0xffff) << kSessionSeenShift;
  Line* const lines = lines_;
  uint32_t rest = 0;
  for (uint32_t n = 0; n < count; ++n) {
    __builtin_prefetch(lines + batch.line[n + kSessionAhead], 0, 2);
    __builtin_prefetch(lines + batch.line[n + kSessionNear]);
    const uint32_t i = position(n);
    const uint64_t digest = batch.digest[i];
    Line& line = lines[batch.line[n]];
    const uint32_t ways = matches(line.digest, digest);
    uint64_t& word = line.word[static_cast<uint32_t>(__builtin_ctz(ways | 16)) & 3];
    const uint64_t before = word;
    const uint64_t after =
        (before & ~kSessionSeenMask) | seen | uint64_t{batch.bits[i]} << kSessionBitsShift;
    batch.pin[i] = word_pin(before);
    const bool slow = (((after ^ before) & kBitsMask) | (before & kRead)) != 0 || ways == 0;
    batch.rest[rest] = static_cast<Index>(i);
    rest += slow;
    if (after != before) word = slow ? before : after;
  }
  return rest;
}

// The same without bits, for the whole word.
template <typename Position>
inline __attribute__((always_inline)) uint32_t SessionTable::look_for_words(
    SessionBatch& batch, uint32_t count, Position position) noexcept {
  const uint64_t seen = (clock_ & 0xffff) << kSessionSeenShift;
  Line* const lines = lines_;
  uint32_t rest = 0;
  for (uint32_t n = 0; n < count; ++n) {
    __builtin_prefetch(lines + batch.line[n + kSessionAhead], 0, 2);
    const uint32_t i = position(n);
    Line& line = lines[batch.line[n]];
    const uint32_t ways = matches(line.digest, batch.digest[i]);
    if (__builtin_expect(ways == 0, 0)) {
      batch.word[i] = 0;
      batch.rest[rest++] = static_cast<Index>(i);
      continue;
    }
    uint64_t& word = line.word[__builtin_ctz(ways)];
    if ((word ^ seen) & kSessionSeenMask) word = (word & ~kSessionSeenMask) | seen;
    batch.word[i] = word;
  }
  return rest;
}

// `looking(count, position)` is one of the two.
template <typename Looking>
inline uint32_t SessionTable::look_all(SessionBatch& batch, uint32_t count,
                                       Looking looking) noexcept {
  if (count == 0) return 0;
  // The first-level cache waits for few lines at a time and drops prefetches beyond them; the
  // second for many. Behind the last, the last again: no test in the loop.
  const auto begin = [&](uint32_t lines) {
    std::fill_n(batch.line + lines, kSessionAhead, batch.line[lines - 1]);
    for (uint32_t i = 0; i < kSessionAhead; ++i) __builtin_prefetch(lines_ + batch.line[i], 0, 2);
  };
  aim(batch.digest, count, line_count_, mask_, batch.line);
  begin(count);
  const uint32_t others = looking(count, [](uint32_t n) { return n; });
  if (others == 0) return 0;
  for (uint32_t r = 0; r < others; ++r) {
    batch.line[r] = second_of(batch.digest[batch.rest[r]]);
  }
  begin(others);
  return looking(others, [&](uint32_t n) { return uint32_t{batch.rest[n]}; });
}

uint32_t SessionTable::touch(SessionBatch& batch, uint32_t count) noexcept {
  return look_all(batch, count,
                  [&](uint32_t some, auto position) { return look(batch, some, position); });
}

uint32_t SessionTable::touch_words(SessionBatch& batch, uint32_t count) noexcept {
  return look_all(batch, count, [&](uint32_t some, auto position) {
    return look_for_words(batch, some, position);
  });
}

int32_t SessionIndex::find_in(uint32_t line, uint64_t digest) const noexcept {
  for (int32_t way = 0; way < 4; ++way) {
    if (lines_[line].digest[way] == digest) return way;
  }
  return -1;
}

uint64_t* SessionIndex::find_word(uint64_t digest) noexcept {
  uint32_t line = first_of(digest);
  int32_t way = find_in(line, digest);
  if (way < 0) way = find_in(line = second_of(digest), digest);
  return way < 0 ? nullptr : &lines_[line].word[way];
}

void SessionIndex::put(uint32_t line, uint32_t way, uint64_t digest, uint64_t word) noexcept {
  lines_[line].digest[way] = digest;
  lines_[line].word[way] = word;
  records_[word_entry(word)].way = line * 4 + way;
}

// Makes room in a full line: one of its words goes to its other line, where there may first have to
// be made room likewise.
bool SessionIndex::move_away(uint32_t line, uint32_t depth, uint32_t* way) noexcept {
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

bool SessionIndex::insert(uint64_t digest, uint64_t word) noexcept {
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
void SessionIndex::split_line() noexcept {
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
