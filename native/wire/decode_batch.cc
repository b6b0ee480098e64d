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
#include "wire/decode_plain.hh"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bricks {

namespace {

inline void store_found(Packet& packet, uint64_t& to, uint64_t digest, bool reverse) noexcept {
  packet.hash = static_cast<uint32_t>(digest >> 32);
  to = digest;
  set_tail<14, 4, 0>(packet, reverse);
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

inline __m128i constant(const uint8_t* bytes) noexcept {
  return _mm_load_si128(reinterpret_cast<const __m128i*>(bytes));
}
inline __m128i unaligned(const uint8_t* bytes) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}

constexpr uint32_t kAlone = 32;  // packets ahead, where there is one kind of prefetch only

uint32_t decode_each(Batch& batch, uint32_t i, const HashSeed& seed) noexcept {
  const __m128i mask = constant(kPlainMask), wanted = constant(kPlainWanted);
  const __m128i key = constant(kEndpoints), tunnels = constant(kWireTunnelPorts.bytes);
  const __m128i source = constant(kSourcePort), target = constant(kTargetPort);
  const uint32_t end = batch.count;
  for (; i < end; ++i) {
    Packet& packet = batch.packets[i];
    const uint8_t* frame = packet.data;
    __builtin_prefetch(batch.packets[i + kAlone < end ? i + kAlone : i].data);
    if (__builtin_expect(packet.length < kFastBytes, 0)) break;
    const __m128i behind = unaligned(frame + 22);
    const __m128i off = _mm_and_si128(_mm_xor_si128(unaligned(frame + 12), wanted), mask);
    const __m128i from = _mm_cmpeq_epi16(_mm_shuffle_epi8(behind, source), tunnels);
    const __m128i to = _mm_cmpeq_epi16(_mm_shuffle_epi8(behind, target), tunnels);
    const __m128i odd = _mm_or_si128(off, _mm_or_si128(from, to));
    if (__builtin_expect(!_mm_testz_si128(odd, odd), 0)) break;
    if (__builtin_expect(!(kTcpUdp >> (frame[23] & 31) & 1), 0)) break;
    if (__builtin_expect(!total_fits(frame, packet.length), 0)) break;
    const __m128i ends = _mm_shuffle_epi8(behind, key);
    const auto a = static_cast<uint64_t>(_mm_cvtsi128_si64(ends));
    const auto b = static_cast<uint64_t>(_mm_extract_epi64(ends, 1));
    store_found(packet, batch.digests[i], digest_endpoints(a, b, seed), a > b);
  }
  return i;
}

// A pair that are not both plain, and the last packet, one by one.
uint32_t decode_two(Batch& batch, uint32_t i, const HashSeed& seed) noexcept {
  return decode_each(batch, decode_pairs(batch, i, seed), seed);
}

// By features, which clang 14 knows, too; every processor with the last of a level has all of it.
Decoder best_decoder() noexcept {
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
                  __builtin_cpu_supports("fma");
  return v3 ? decode_two : decode_each;
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
    store_found(batch.packets[i], batch.digests[i], digest_endpoints(a, b, seed), a > b);
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
  batch.usual = false;
  std::fill(std::begin(batch.header_faults), std::end(batch.header_faults), 0);
  if (batch.link != LinkType::ethernet) {
    for (uint32_t i = 0; i < batch.count; ++i) decode_one_slow(batch, i, seed);
    return;
  }
  static const Decoder decode_plain = best_decoder();
  uint32_t i = 0;
  bool usual = true;
  for (uint32_t others = 0; (i = decode_plain(batch, i, seed)) < batch.count; ++i, ++others) {
    if (others == kOthersMax) {
      Index rest[kBatchMax];
      const uint32_t count = decode_mixed(batch, i, seed, rest);
      for (uint32_t r = 0; r < count; ++r) decode_one_slow(batch, rest[r], seed);
      return;
    }
    if (!decode_common(batch, i, seed)) decode_one_slow(batch, i, seed);
    usual = false;
  }
  batch.usual = usual;
}

}  // namespace bricks
