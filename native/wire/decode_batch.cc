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

inline void store_found(Packet& packet, uint32_t& tag, uint64_t digest, bool reverse) noexcept {
  packet.hash = static_cast<uint32_t>(digest >> 32);
  tag = static_cast<uint32_t>(digest);
  set_tail<14, 4, 0>(packet, reverse);
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

// What is left to the build: STATE is set up before the loop; ODD says whether the 16 bytes
// `behind`, or the kind that `off` tells, are not plain; ORDER makes low, high and reverse of
// `ends`. The loop calls nothing, so all it needs stays in registers, and ends at the first packet
// of another kind. The last packets have none to ask for ahead of them: they are a loop of their
// own.
#define BRICKS_DECODE_PART(UNTIL, AHEAD, ODD, ORDER)                                       \
  for (Packet* const until = UNTIL; packet < until; ++packet, ++tag) {                     \
    const uint8_t* frame = packet->data;                                                   \
    AHEAD;                                                                                 \
    if (__builtin_expect(packet->length < kFastBytes, 0)) goto other;                      \
    const __m128i behind = unaligned(frame + 22);                                          \
    const __m128i off = _mm_and_si128(_mm_xor_si128(unaligned(frame + 12), wanted), mask); \
    bool odd;                                                                              \
    ODD;                                                                                   \
    if (__builtin_expect(odd || !(kTcpUdp >> (frame[23] & 31) & 1), 0)) goto other;        \
    if (__builtin_expect(!total_fits(frame, packet->length), 0)) goto other;               \
    const __m128i ends = _mm_shuffle_epi8(behind, key);                                    \
    uint64_t low, high;                                                                    \
    bool reverse;                                                                          \
    ORDER;                                                                                 \
    store_found(*packet, *tag, multiply_fold(low ^ seed0, high ^ seed1), reverse);         \
  }

#define BRICKS_DECODE_LOOP(STATE, ODD, ORDER)                                                 \
  const __m128i mask = constant(kMask), wanted = constant(kWanted), key = constant(kShuffle); \
  const uint64_t seed0 = seed.word[0], seed1 = seed.word[1];                                  \
  Packet *packet = batch.packets + i, *const end = batch.packets + batch.count;               \
  uint32_t* tag = batch.tags + i;                                                             \
  STATE;                                                                                      \
  BRICKS_DECODE_PART(batch.count > kPrefetchAhead ? end - kPrefetchAhead : batch.packets,     \
                     __builtin_prefetch(packet[kPrefetchAhead].data), ODD, ORDER)             \
  BRICKS_DECODE_PART(end, (void)0, ODD, ORDER)                                                \
  other:                                                                                      \
  return static_cast<uint32_t>(packet - batch.packets);

// Both ports at once, in a register of 32 bytes.
#define BRICKS_STATE_WIDE                                                       \
  const __m256i ports = _mm256_set_m128i(constant(kTarget), constant(kSource)); \
  const __m256i tunnels = _mm256_broadcastsi128_si256(constant(kPorts.bytes))
#define BRICKS_ODD_WIDE                                                                 \
  const __m256i both = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(behind), ports); \
  const __m256i any =                                                                   \
      _mm256_or_si256(_mm256_cmpeq_epi16(both, tunnels), _mm256_zextsi128_si256(off));  \
  odd = !_mm256_testz_si256(any, any)

__attribute__((target("arch=x86-64-v4"))) uint32_t decode_v4(Batch& batch, uint32_t i,
                                                             const HashSeed& seed) noexcept {
  BRICKS_DECODE_LOOP(BRICKS_STATE_WIDE, BRICKS_ODD_WIDE, {
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
    BRICKS_DECODE_LOOP(BRICKS_STATE_WIDE, BRICKS_ODD_WIDE, BRICKS_ORDER_BY_COMPARE)}
#define BRICKS_STATE_NARROW                                             \
  const __m128i source = constant(kSource), target = constant(kTarget); \
  const __m128i tunnels = constant(kPorts.bytes)
#define BRICKS_ODD_NARROW                                                          \
  const __m128i from = _mm_cmpeq_epi16(_mm_shuffle_epi8(behind, source), tunnels); \
  const __m128i to = _mm_cmpeq_epi16(_mm_shuffle_epi8(behind, target), tunnels);   \
  const __m128i any = _mm_or_si128(off, _mm_or_si128(from, to));                   \
  odd = !_mm_testz_si128(any, any)

uint32_t decode_v2(Batch& batch, uint32_t i, const HashSeed& seed) noexcept {
    BRICKS_DECODE_LOOP(BRICKS_STATE_NARROW, BRICKS_ODD_NARROW, BRICKS_ORDER_BY_COMPARE)}

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
    store_found(batch.packets[i], batch.tags[i], digest_endpoints(a, b, seed), a > b);
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
