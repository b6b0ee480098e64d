// The fast path: an untagged Ethernet IPv4 TCP or UDP packet without options that is no fragment,
// leads into no tunnel and whose total length fits. One 16-byte load at offset 22 holds protocol,
// both addresses and both ports, a shuffle makes the two endpoint words of it; one test says
// whether the packet is of that kind. No branch depends on anything else. Three builds of the same
// loop; the processor's best is taken at run time.
#include <algorithm>
#include <iterator>

#include "wire/bytes.hh"
#include "wire/decode.hh"
#include "wire/decode_common.hh"
#include "wire/udp_tunnels.hh"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bricks {

namespace {

constexpr uint32_t kFastBytes = 38;  // through the ports
constexpr uint32_t kTotalMin = 24;   // what the IP header's total length covers of them
constexpr uint32_t kTcpUdp = 1u << 6 | 1u << 17;

inline void store_found(Batch& batch, uint32_t i, uint64_t digest, bool reverse) noexcept {
  batch.packets[i].hash = static_cast<uint32_t>(digest >> 32);
  batch.tags[i] = static_cast<uint32_t>(digest);
  set_tail<14, 4, 0>(batch.packets[i], reverse);
}

// Total length: no less than we read, no more than there is (a packet that is cut goes the slow
// way).
inline bool total_fits(const uint8_t* frame, uint32_t length) noexcept {
  return load_be16(frame + 16) - kTotalMin <= length - kFastBytes;
}

void decode_one_slow(Batch& batch, uint32_t i, const HashSeed& seed) noexcept {
  decode_slow(batch, static_cast<Index>(i), seed);
  batch.not_ip += batch.packets[i].ip_version == 0;
  if (!(batch.packets[i].flags & kPacketLayers)) return;
  const Layers& layers = batch.layers[i];
  batch.fragments +=
      (batch.packets[i].flags & kPacketFragment) || layers.fragment_more || layers.carrier_version;
  const HeaderFault fault = layers.fault;
  batch.header_faults[static_cast<uint32_t>(fault)] += fault != HeaderFault::none;
}

// Decodes packets from number `i` on, up to the first that is not plain: returns its number.
using Decoder = uint32_t (*)(Batch&, uint32_t i, const HashSeed&) noexcept;

#if defined(__x86_64__)

// Bytes 12..27 of the frame: ethertype 0800; version 4, IHL 5; no fragment bits; protocol 0-7 or
// 16-23 (kTcpUdp decides which of those).
alignas(16) constexpr uint8_t kMask[16] = {0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0x3f, 0xff, 0, 0xe8};
alignas(16) constexpr uint8_t kWanted[16] = {0x08, 0x00, 0x45};
// From bytes 22..37 (ttl protocol csum csum src4 dst4 sport2 dport2): address, port, protocol, 0.
alignas(16) constexpr uint8_t kShuffle[16] = {4, 5, 6,  7,  12, 13, 1, 0x80,
                                              8, 9, 10, 11, 14, 15, 1, 0x80};

// Either port (bytes 12-13 and 14-15 of the same), eight times.
alignas(16) constexpr uint8_t kSource[16] = {12, 13, 12, 13, 12, 13, 12, 13,
                                             12, 13, 12, 13, 12, 13, 12, 13};
alignas(16) constexpr uint8_t kTarget[16] = {14, 15, 14, 15, 14, 15, 14, 15,
                                             14, 15, 14, 15, 14, 15, 14, 15};
struct WirePorts {
  alignas(16) uint8_t bytes[16];
};
constexpr WirePorts kPorts = [] {
  WirePorts ports{};
  for (uint32_t i = 0; i < 8; ++i) {
    ports.bytes[2 * i] = static_cast<uint8_t>(kTunnelPorts[i] >> 8);
    ports.bytes[2 * i + 1] = static_cast<uint8_t>(kTunnelPorts[i]);
  }
  return ports;
}();

inline __m128i constant(const uint8_t* bytes) noexcept {
  return _mm_load_si128(reinterpret_cast<const __m128i*>(bytes));
}
inline __m128i unaligned(const uint8_t* bytes) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}

// The loop, with the ordering of the two words left to the build: low and high in lane 0. It calls
// nothing, so all it needs stays in registers, and ends at the first packet of another kind.
#define BRICKS_DECODE_LOOP(ORDER)                                                                \
  const __m128i mask = constant(kMask), wanted = constant(kWanted), key = constant(kShuffle);    \
  const __m128i source = constant(kSource), target = constant(kTarget);                          \
  const __m128i tunnels = constant(kPorts.bytes);                                                \
  const uint64_t seed0 = seed.word[0], seed1 = seed.word[1];                                     \
  for (const uint32_t count = batch.count; i < count; ++i) {                                     \
    const Packet& packet = batch.packets[i];                                                     \
    const uint8_t* frame = packet.data;                                                          \
    __builtin_prefetch(batch.packets[i + kPrefetchAhead < count ? i + kPrefetchAhead : i].data); \
    if (__builtin_expect(packet.length >= kFastBytes, 1)) {                                      \
      const __m128i behind = unaligned(frame + 22);                                              \
      const __m128i off = _mm_and_si128(_mm_xor_si128(unaligned(frame + 12), wanted), mask);     \
      const __m128i from = _mm_cmpeq_epi16(_mm_shuffle_epi8(behind, source), tunnels);           \
      const __m128i to = _mm_cmpeq_epi16(_mm_shuffle_epi8(behind, target), tunnels);             \
      const __m128i odd = _mm_or_si128(off, _mm_or_si128(from, to));                             \
      if (__builtin_expect(_mm_testz_si128(odd, odd) && (kTcpUdp >> (frame[23] & 31) & 1) &&     \
                               total_fits(frame, packet.length),                                 \
                           1)) {                                                                 \
        const __m128i ends = _mm_shuffle_epi8(behind, key);                                      \
        uint64_t low, high;                                                                      \
        bool reverse;                                                                            \
        ORDER                                                                                    \
        store_found(batch, i, multiply_fold(low ^ seed0, high ^ seed1), reverse);                \
        continue;                                                                                \
      }                                                                                          \
    }                                                                                            \
    break;                                                                                       \
  }                                                                                              \
  return i;

__attribute__((target("arch=x86-64-v4"))) uint32_t decode_v4(Batch& batch, uint32_t i,
                                                             const HashSeed& seed) noexcept {
  BRICKS_DECODE_LOOP({
    const __m128i other = _mm_shuffle_epi32(ends, 0x4e);
    low = static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_min_epu64(ends, other)));
    high = static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_max_epu64(ends, other)));
    reverse = static_cast<uint64_t>(_mm_cvtsi128_si64(ends)) != low;
  })
}

#define BRICKS_ORDER_BY_COMPARE                                       \
  {                                                                   \
    const auto a = static_cast<uint64_t>(_mm_cvtsi128_si64(ends));    \
    const auto b = static_cast<uint64_t>(_mm_extract_epi64(ends, 1)); \
    reverse = a > b;                                                  \
    low = reverse ? b : a;                                            \
    high = reverse ? a : b;                                           \
  }

__attribute__((target("arch=x86-64-v3"))) uint32_t decode_v3(Batch& batch, uint32_t i,
                                                             const HashSeed& seed) noexcept {
    BRICKS_DECODE_LOOP(BRICKS_ORDER_BY_COMPARE)}

uint32_t decode_v2(Batch& batch, uint32_t i,
                   const HashSeed& seed) noexcept {BRICKS_DECODE_LOOP(BRICKS_ORDER_BY_COMPARE)}

// By features, which clang 14 knows, too; every processor with the last of a level has all of it.
Decoder best_decoder() noexcept {
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
                  __builtin_cpu_supports("fma");
  const bool v4 = v3 && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd");
  return v4 ? decode_v4 : v3 ? decode_v3 : decode_v2;
}

#else  // scalar: the compiler of arm64 makes good use of its three-operand instructions

inline bool is_plain(const uint8_t* frame) noexcept {
  const bool kind = load_be16(frame + 12) == 0x0800 && frame[14] == 0x45;
  const bool whole = (load_be16(frame + 20) & 0x3fff) == 0;
  const bool tunnel = is_tunnel_port(load_be16(frame + 34)) | is_tunnel_port(load_be16(frame + 36));
  return kind & whole & ((frame[23] == 6) | (frame[23] == 17)) & !tunnel;
}

uint32_t decode_scalar(Batch& batch, uint32_t i, const HashSeed& seed) noexcept {
  for (; i < batch.count; ++i) {
    const Packet& packet = batch.packets[i];
    const uint8_t* frame = packet.data;
    if (packet.length < kFastBytes || !is_plain(frame) || !total_fits(frame, packet.length)) break;
    const uint8_t protocol = frame[23];
    const uint64_t a =
        endpoint_v4(load<uint32_t>(frame + 26), load<uint16_t>(frame + 34), protocol);
    const uint64_t b =
        endpoint_v4(load<uint32_t>(frame + 30), load<uint16_t>(frame + 36), protocol);
    store_found(batch, i, digest_endpoints(a, b, seed), a > b);
  }
  return i;
}

Decoder best_decoder() noexcept { return decode_scalar; }

#endif

// Once so many of a batch are not plain, the rest of it goes the way that mixtures do not slow
// down.
constexpr uint32_t kOthersMax = 4;

}  // namespace

void decode(Batch& batch, const HashSeed& seed) noexcept {
  batch.not_ip = 0;
  batch.fragments = 0;
  std::fill(std::begin(batch.header_faults), std::end(batch.header_faults), 0);
  if (batch.link != LinkType::ethernet) {
    for (uint32_t i = 0; i < batch.count; ++i) decode_one_slow(batch, i, seed);
    return;
  }
  static const Decoder decode_plain = best_decoder();
  uint32_t i = 0;
  for (uint32_t others = 0; (i = decode_plain(batch, i, seed)) < batch.count; ++i, ++others) {
    if (others == kOthersMax) {
      Index rest[kBatchMax];
      const uint32_t count = decode_mixed(batch, i, seed, rest);
      for (uint32_t r = 0; r < count; ++r) decode_one_slow(batch, rest[r], seed);
      return;
    }
    if (!decode_common(batch, i, seed)) decode_one_slow(batch, i, seed);
  }
}

}  // namespace bricks
