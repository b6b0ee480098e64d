#include "bricks/distribute.hh"

#if defined(__x86_64__)
// GCC 12's own header makes the value that an intrinsic does not care for of itself (GCC's bug
// 105593).
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#endif

namespace bricks {

namespace {

void one_by_one(const Index* picks, const uint16_t* outlet, uint32_t count,
                Outlets::List* lists) noexcept {
  for (uint32_t k = 0; k < count; ++k) *lists[outlet[k]].end++ = picks[k];
}

#if defined(__x86_64__)

constexpr uint32_t kBlock = 32;  // picks in a register
static_assert(kBatchMax % kBlock == 0);

// List by list: of each block those that are its own, side by side. One by one, a list's end would
// be stored and loaded again for each packet, which takes longer than all the rest.
__attribute__((target("arch=x86-64-v4,avx512vbmi2"))) void list_by_list(
    const Index* picks, const uint16_t* outlet, uint32_t count,
    std::span<Outlets::List> lists) noexcept {
  for (uint32_t n = 0; n < lists.size(); ++n) {
    const __m512i own = _mm512_set1_epi16(static_cast<int16_t>(n));
    Index* end = lists[n].end;
    for (uint32_t at = 0; at < count; at += kBlock) {
      const __mmask32 there = count - at >= kBlock ? ~0u : (1u << (count - at)) - 1;
      const __m512i to = _mm512_maskz_loadu_epi16(there, outlet + at);
      const __mmask32 mine = _mm512_mask_cmpeq_epi16_mask(there, to, own);
      const __m512i block = _mm512_maskz_loadu_epi16(there, picks + at);
      // The whole register: no more than kBatchMax from where the list ended before.
      _mm512_storeu_si512(end, _mm512_maskz_compress_epi16(mine, block));
      end += __builtin_popcount(mine);
    }
    lists[n].end = end;
  }
}

#endif

}  // namespace

void distribute(const Index* picks, const uint16_t* outlet, uint32_t count,
                std::span<Outlets::List> lists) noexcept {
#if defined(__x86_64__)
  static const bool compresses =
      __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("bmi2");
  // It costs by blocks and lists, not by packets.
  const size_t steps = lists.size() * ((count + kBlock - 1) / kBlock);
  if (compresses && steps <= count / 2) return list_by_list(picks, outlet, count, lists);
#endif
  one_by_one(picks, outlet, count, lists.data());
}

}  // namespace bricks
