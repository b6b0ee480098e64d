// The fast path where there are registers of 32 bytes: two packets side by side, a lane each. The
// same tests as in wire/decode_batch.cc, made for both at once.
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>

#include "wire/decode.hh"
#include "wire/decode_common.hh"
#include "wire/decode_plain.hh"

namespace bricks {

namespace {

#define BRICKS_V3 __attribute__((target("arch=x86-64-v3"), always_inline)) inline

BRICKS_V3 __m128i bytes16(const uint8_t* at) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}
BRICKS_V3 __m256i twice(const uint8_t* at) noexcept {
  return _mm256_broadcastsi128_si256(bytes16(at));
}
BRICKS_V3 __m256i both(const uint8_t* low, const uint8_t* high) noexcept {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(bytes16(low)), bytes16(high), 1);
}

// What stays in registers.
struct Constants {
  __m256i mask, wanted, key, source, target, tunnels, protocols, one, seed;
  __m128i found, reverse;
  BRICKS_V3 explicit Constants(const HashSeed& seeds) noexcept
      : mask(twice(kPlainMask)),
        wanted(twice(kPlainWanted)),
        key(twice(kEndpoints)),
        source(twice(kSourcePort)),
        target(twice(kTargetPort)),
        tunnels(twice(kWireTunnelPorts.bytes)),
        protocols(_mm256_set1_epi32(kTcpUdp)),
        one(_mm256_set1_epi64x(1ll << 32)),
        seed(twice(reinterpret_cast<const uint8_t*>(seeds.word))),
        found(_mm_set1_epi32(14 | 4 << 16)),
        reverse(_mm_set1_epi32(kPacketReverse << 24)) {}
};

BRICKS_V3 bool all_zero(__m256i value) noexcept { return _mm256_testz_si256(value, value); }

BRICKS_V3 void store_tail(Packet& packet, __m128i higher, const Constants& is) noexcept {
  const __m128i tail = _mm_or_si128(_mm_and_si128(higher, is.reverse), is.found);
  _mm_storeu_si32(&packet.network, tail);
}

// False: one of the two is not plain, and nothing has been done. kWhole: no packet is cut, so there
// are no flags to keep.
template <bool kWhole>
BRICKS_V3 bool decode_pair(Packet* packet, uint64_t* digests, const Constants& is) noexcept {
  if (__builtin_expect(packet[0].length < kFastBytes || packet[1].length < kFastBytes, 0)) {
    return false;
  }
  const uint8_t *a = packet[0].data, *b = packet[1].data;
  const bool fits = total_fits(a, packet[0].length) && total_fits(b, packet[1].length);
  if (__builtin_expect(!fits, 0)) return false;
  const __m256i behind = both(a + 22, b + 22);
  const __m256i ends = _mm256_shuffle_epi8(behind, is.key);
  const __m256i off = _mm256_and_si256(_mm256_xor_si256(both(a + 12, b + 12), is.wanted), is.mask);
  // Each endpoint's upper half is port and protocol: so many bits further is the protocol's own.
  const __m256i known = _mm256_srlv_epi32(is.protocols, _mm256_srli_epi32(ends, 16));
  const __m256i from = _mm256_cmpeq_epi16(_mm256_shuffle_epi8(behind, is.source), is.tunnels);
  const __m256i to = _mm256_cmpeq_epi16(_mm256_shuffle_epi8(behind, is.target), is.tunnels);
  const __m256i odd = _mm256_or_si256(_mm256_or_si256(off, _mm256_andnot_si256(known, is.one)),
                                      _mm256_or_si256(from, to));
  if (__builtin_expect(!all_zero(odd), 0)) return false;

  // Their highest byte is 0: a signed compare does.
  const __m256i other = _mm256_shuffle_epi32(ends, 0x4e);
  const __m256i higher = _mm256_shuffle_epi32(_mm256_cmpgt_epi64(ends, other), 0x44);
  const __m256i factors = _mm256_xor_si256(_mm256_blendv_epi8(ends, other, higher), is.seed);
  const __m128i factor[2] = {_mm256_castsi256_si128(factors), _mm256_extracti128_si256(factors, 1)};
  const __m128i reverse[2] = {_mm256_castsi256_si128(higher), _mm256_extracti128_si256(higher, 1)};
#pragma GCC unroll 2
  for (uint32_t k = 0; k < 2; ++k) {
    const uint64_t digest =
        spread(multiply_fold(static_cast<uint64_t>(_mm_cvtsi128_si64(factor[k])),
                             static_cast<uint64_t>(_mm_extract_epi64(factor[k], 1))));
    packet[k].hash = static_cast<uint32_t>(digest >> 32);
    digests[k] = digest;
    if (kWhole) {
      store_tail(packet[k], reverse[k], is);
    } else {
      set_tail<14, 4, 0>(packet[k], _mm_cvtsi128_si32(reverse[k]) & 1);
    }
  }
  return true;
}

template <bool kWhole>
BRICKS_V3 uint32_t decode_all(Batch& batch, uint32_t i, const HashSeed& seed) noexcept {
  const Constants is(seed);
  Packet *packet = batch.packets + i, *const end = batch.packets + batch.count;
  uint64_t* digests = batch.digests + i;
  for (; packet + kPrefetchAhead + 1 < end; packet += 2, digests += 2) {
    prefetch_far(packet[kPrefetchAhead].data);
    prefetch_far(packet[kPrefetchAhead + 1].data);
    __builtin_prefetch(packet[kPrefetchNear].data);
    __builtin_prefetch(packet[kPrefetchNear + 1].data);
    if (!decode_pair<kWhole>(packet, digests, is))
      return static_cast<uint32_t>(packet - batch.packets);
  }
  for (; packet + 1 < end; packet += 2, digests += 2) {
    const Packet* near = std::min<const Packet*>(packet + kPrefetchNear, end - 2);
    __builtin_prefetch(near[0].data);
    __builtin_prefetch(near[1].data);
    if (!decode_pair<kWhole>(packet, digests, is)) break;
  }
  return static_cast<uint32_t>(packet - batch.packets);
}

}  // namespace

__attribute__((target("arch=x86-64-v3"))) uint32_t decode_pairs(Batch& batch, uint32_t i,
                                                                const HashSeed& seed) noexcept {
  return batch.plain ? decode_all<true>(batch, i, seed) : decode_all<false>(batch, i, seed);
}

}  // namespace bricks

#endif
