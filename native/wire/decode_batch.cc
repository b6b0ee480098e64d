// The fast path: an untagged Ethernet IPv4 TCP or UDP packet without options that is no fragment.
// One 16-byte load at offset 22 holds protocol, both addresses and both ports, a shuffle makes the
// two endpoint words of it; one masked compare says whether the packet is of that kind. No branch
// depends on anything else. Three builds of the same loop; the processor's best is taken at run
// time.
#include <cstddef>

#include "wire/bytes.hh"
#include "wire/decode.hh"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bricks {

namespace {

constexpr uint32_t kFastBytes = 38;  // through the ports
constexpr uint32_t kTcpUdp = 1u << 6 | 1u << 17;

// network = 14, ip_version = 4, flags reduced to kPacketCut: the last four bytes of a Packet.
constexpr uint32_t kFound = 14u | 4u << 16, kKeep = uint32_t{kPacketCut} << 24;

inline void store_found(Packet& packet, uint32_t hash) noexcept {
  packet.hash = hash;
  auto* tail = reinterpret_cast<uint8_t*>(&packet.network);
  const uint32_t word = (load<uint32_t>(tail) & kKeep) | kFound;
  std::memcpy(tail, &word, sizeof word);
}
static_assert(offsetof(Packet, network) == 28 && offsetof(Packet, flags) == 31);

void decode_all_slow(Batch& batch, const HashSeed& seed) noexcept {
  for (uint32_t i = 0; i < batch.count; ++i) {
    decode_slow(batch.packets[i], batch.link, seed);
    batch.not_ip += batch.packets[i].ip_version == 0;
  }
}

#if defined(__x86_64__)

// Bytes 12..27 of the frame: ethertype 0800; version 4, IHL 5; no fragment bits; protocol 0-7 or
// 16-23 (kTcpUdp decides which of those).
alignas(16) constexpr uint8_t kMask[16] = {0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0x3f, 0xff, 0, 0xe8};
alignas(16) constexpr uint8_t kWanted[16] = {0x08, 0x00, 0x45};
// From bytes 22..37 (ttl protocol csum csum src4 dst4 sport2 dport2): address, port, protocol, 0.
alignas(16) constexpr uint8_t kShuffle[16] = {4, 5, 6,  7,  12, 13, 1, 0x80,
                                              8, 9, 10, 11, 14, 15, 1, 0x80};

inline __m128i constant(const uint8_t* bytes) noexcept {
  return _mm_load_si128(reinterpret_cast<const __m128i*>(bytes));
}
inline __m128i unaligned(const uint8_t* bytes) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}

// The loop, with the ordering of the two words left to the build: low and high in lane 0.
#define BRICKS_DECODE_LOOP(ORDER)                                                                \
  const __m128i mask = constant(kMask), wanted = constant(kWanted), key = constant(kShuffle);    \
  const uint64_t seed0 = seed.word[0], seed1 = seed.word[1];                                     \
  for (uint32_t i = 0, count = batch.count; i < count; ++i) {                                    \
    Packet& packet = batch.packets[i];                                                           \
    const uint8_t* frame = packet.data;                                                          \
    __builtin_prefetch(batch.packets[i + kPrefetchAhead < count ? i + kPrefetchAhead : i].data); \
    if (__builtin_expect(packet.length >= kFastBytes, 1)) {                                      \
      const __m128i off = _mm_and_si128(_mm_xor_si128(unaligned(frame + 12), wanted), mask);     \
      if (__builtin_expect(_mm_testz_si128(off, off) && (kTcpUdp >> (frame[23] & 31) & 1), 1)) { \
        const __m128i ends = _mm_shuffle_epi8(unaligned(frame + 22), key);                       \
        uint64_t low, high;                                                                      \
        ORDER                                                                                    \
        const uint64_t mixed = multiply_fold(low ^ seed0, high ^ seed1);                         \
        store_found(packet, static_cast<uint32_t>(mixed >> 32));                                 \
        continue;                                                                                \
      }                                                                                          \
    }                                                                                            \
    decode_slow(packet, LinkType::ethernet, seed);                                               \
    batch.not_ip += packet.ip_version == 0;                                                      \
  }

__attribute__((target("arch=x86-64-v4"))) void decode_v4(Batch& batch,
                                                         const HashSeed& seed) noexcept {
  BRICKS_DECODE_LOOP({
    const __m128i other = _mm_shuffle_epi32(ends, 0x4e);
    low = static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_min_epu64(ends, other)));
    high = static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_max_epu64(ends, other)));
  })
}

#define BRICKS_ORDER_BY_COMPARE                                       \
  {                                                                   \
    const auto a = static_cast<uint64_t>(_mm_cvtsi128_si64(ends));    \
    const auto b = static_cast<uint64_t>(_mm_extract_epi64(ends, 1)); \
    low = a < b ? a : b;                                              \
    high = a < b ? b : a;                                             \
  }

__attribute__((target("arch=x86-64-v3"))) void decode_v3(Batch& batch,
                                                         const HashSeed& seed) noexcept {
  BRICKS_DECODE_LOOP(BRICKS_ORDER_BY_COMPARE)
}

void decode_v2(Batch& batch, const HashSeed& seed) noexcept {
  BRICKS_DECODE_LOOP(BRICKS_ORDER_BY_COMPARE)
}

using Decoder = void (*)(Batch&, const HashSeed&) noexcept;

Decoder best_decoder() noexcept {
  if (__builtin_cpu_supports("x86-64-v4")) return decode_v4;
  if (__builtin_cpu_supports("x86-64-v3")) return decode_v3;
  return decode_v2;
}

#else  // scalar: the compiler of arm64 makes good use of its three-operand instructions

inline bool is_plain(const uint8_t* frame) noexcept {
  const bool kind = load_be16(frame + 12) == 0x0800 && frame[14] == 0x45;
  const bool whole = (load_be16(frame + 20) & 0x3fff) == 0;
  return kind & whole & ((frame[23] == 6) | (frame[23] == 17));
}

void decode_scalar(Batch& batch, const HashSeed& seed) noexcept {
  for (uint32_t i = 0; i < batch.count; ++i) {
    Packet& packet = batch.packets[i];
    const uint8_t* frame = packet.data;
    if (packet.length < kFastBytes || !is_plain(frame)) {
      decode_slow(packet, LinkType::ethernet, seed);
      batch.not_ip += packet.ip_version == 0;
      continue;
    }
    const uint8_t protocol = frame[23];
    const uint64_t a =
        endpoint_v4(load<uint32_t>(frame + 26), load<uint16_t>(frame + 34), protocol);
    const uint64_t b =
        endpoint_v4(load<uint32_t>(frame + 30), load<uint16_t>(frame + 36), protocol);
    store_found(packet, hash_endpoints(a, b, seed));
  }
}

#endif

}  // namespace

void decode(Batch& batch, const HashSeed& seed) noexcept {
  batch.not_ip = 0;
  if (batch.link != LinkType::ethernet) {
    decode_all_slow(batch, seed);
    return;
  }
#if defined(__x86_64__)
  static const Decoder decoder = best_decoder();
  decoder(batch, seed);
#else
  decode_scalar(batch, seed);
#endif
}

}  // namespace bricks
