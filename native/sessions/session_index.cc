// The index of the session table: a packet's look, and where words lie.
#include "sessions/session_index.hh"

#include <algorithm>

#include "sessions/session_words.hh"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bricks {

namespace {

constexpr uint32_t kMovesMax = 2;  // beyond the first: 84 lines looked at, at most

#if defined(__x86_64__)

// Where the first lines of digests [begin, end) begin, lines being 1 << kShift bytes long; four at
// a time: writes up to three more.
template <uint32_t kShift>
inline void first_lines(const uint64_t* digest, uint32_t begin, uint32_t end, uint32_t lines,
                        uint32_t mask, uint32_t* line) noexcept {
  const __m128i all = _mm_set1_epi32(static_cast<int>(mask));
  const __m128i half = _mm_srli_epi32(all, 1);
  const __m128i there_are = _mm_set1_epi32(static_cast<int>(lines));
  for (size_t i = begin; i < end; i += 4) {
    const __m128 a = _mm_loadu_ps(reinterpret_cast<const float*>(digest + i));
    const __m128 b = _mm_loadu_ps(reinterpret_cast<const float*>(digest + i + 2));
    const __m128i at = _mm_and_si128(_mm_castps_si128(_mm_shuffle_ps(a, b, 0x88)), all);
    const __m128i there = _mm_or_si128(_mm_cmplt_epi32(at, there_are), half);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(line + i),
                     _mm_slli_epi32(_mm_and_si128(at, there), kShift));
  }
}

#else

template <uint32_t kShift>
inline void first_lines(const uint64_t* digest, uint32_t begin, uint32_t end, uint32_t lines,
                        uint32_t mask, uint32_t* line) noexcept {
  for (uint32_t i = begin; i < end; ++i) {
    const uint32_t at = static_cast<uint32_t>(digest[i]) & mask;
    line[i] = (at < lines ? at : at & mask >> 1) << kShift;
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
  for (size_t n = 0; n < count; ++n) {
    __builtin_prefetch(line_at(lines, batch.line[n + kSessionAhead]), 0, 2);
    __builtin_prefetch(line_at(lines, batch.line[n + kSessionNear]));
    const size_t i = position(n);
    const uint64_t digest = batch.digest[i];
    Line& line = *line_at(lines, batch.line[n]);
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

uint32_t SessionTable::touch(SessionBatch& batch, uint32_t count) noexcept {
  if (count == 0) return 0;
  aim(batch, 0, count);
  const uint32_t others = look(batch, count, [](size_t n) { return n; });
  if (others == 0) return 0;
  for (uint32_t r = 0; r < others; ++r) {
    batch.line[r] = second_of(batch.digest[batch.rest[r]]) << kLineShift;
  }
  ask(batch, 0, others);
  return look(batch, others, [&](size_t n) { return size_t{batch.rest[n]}; });
}

void SessionTable::aim(SessionBatch& batch, uint32_t begin, uint32_t end) noexcept {
  first_lines<kLineShift>(batch.digest, begin, end, line_count_, mask_, batch.line);
  ask(batch, begin, end);
}

// The first-level cache waits for few lines at a time and drops prefetches beyond them; the second
// for many. Behind the last, the last again: no test in loops.
void SessionTable::ask(SessionBatch& batch, uint32_t begin, uint32_t end) noexcept {
  std::fill_n(batch.line + end, kSessionAhead, batch.line[end - 1]);
  for (uint32_t i = begin; i < begin + kSessionAhead; ++i) {
    __builtin_prefetch(line_at(lines_, batch.line[i]), 0, 2);
  }
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
