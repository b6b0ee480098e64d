// Looking packets up in the session table, part by part.
#pragma once

#include "sessions/session_table.hh"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bricks {

// A bit for each of the four digests that is the wanted one.
inline uint32_t matches(const uint64_t* digests, uint64_t digest) noexcept {
#if defined(__x86_64__)
  const __m128i wanted = _mm_set1_epi64x(static_cast<long long>(digest));
  const auto* pairs = reinterpret_cast<const __m128i*>(digests);
  const __m128i low = _mm_cmpeq_epi64(_mm_load_si128(pairs), wanted);
  const __m128i high = _mm_cmpeq_epi64(_mm_load_si128(pairs + 1), wanted);
  return static_cast<uint32_t>(_mm_movemask_ps(_mm_castsi128_ps(_mm_packs_epi32(low, high))));
#else
  return uint32_t{digests[0] == digest} | uint32_t{digests[1] == digest} << 1 |
         uint32_t{digests[2] == digest} << 2 | uint32_t{digests[3] == digest} << 3;
#endif
}

// Lines of the index are asked for as far ahead as packets are looked up: what found() asks for
// comes in meanwhile. Those in their second line are few; they are looked at last.
template <typename Found>
void SessionTable::look_for_words(SessionBatch& batch, uint32_t begin, uint32_t end,
                                  Found found) noexcept {
  const uint64_t seen = (clock_ & 0xffff) << kSessionSeenShift;
  Line* const lines = lines_;
  uint32_t others = 0;
  const auto look = [&](size_t i, Line& line) {
    const uint32_t ways = matches(line.digest, batch.digest[i]);
    if (__builtin_expect(ways == 0, 0)) {
      batch.word[i] = 0;
      return false;
    }
    uint64_t& word = line.word[static_cast<uint32_t>(__builtin_ctz(ways))];
    if ((word ^ seen) & kSessionSeenMask) word = (word & ~kSessionSeenMask) | seen;
    batch.word[i] = word;
    found(word);
    return true;
  };
  for (size_t i = begin; i < end; ++i) {
    __builtin_prefetch(line_at(lines, batch.line[i + kSessionAhead]), 0, 2);
    if (look(i, *line_at(lines, batch.line[i]))) continue;
    __builtin_prefetch(lines + second_of(batch.digest[i]));
    batch.rest[others++] = static_cast<Index>(i);
  }
  for (uint32_t r = 0; r < others; ++r) {
    const uint32_t i = batch.rest[r];
    look(i, lines[second_of(batch.digest[i])]);
  }
}

}  // namespace bricks
