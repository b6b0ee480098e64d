// The second path: IPv4 without options or IPv6 without extensions, TCP or UDP, with one VLAN tag
// or none. Where they come mixed no predictor could tell which is next: so packets are first sorted
// into a list for each kind without a branch, and then each list has a loop of its own.
#include "wire/decode_common.hh"

#include <algorithm>

#include "wire/bytes.hh"
#include "wire/decode.hh"
#include "wire/ether_type.hh"
#include "wire/udp_tunnels.hh"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bricks {

namespace {

constexpr uint32_t kTagBytes = 4;
constexpr uint32_t kSortBytes = 18;  // through the EtherType behind a tag
constexpr uint32_t kPortBytes = 4;

constexpr uint16_t as_loaded(uint16_t value) noexcept {  // load<uint16_t> of it on the wire
  return std::endian::native == std::endian::little ? __builtin_bswap16(value) : value;
}

// The compiler must not make a branch of it.
inline uint32_t opaque(uint32_t value) noexcept {
  asm("" : "+r"(value));
  return value;
}

// Bit 0: a tag; bit 1: IPv6, else IPv4; bit 2: neither.
constexpr uint32_t kOther = 4, kKinds = 6;

inline uint32_t kind_of(const uint8_t* frame) noexcept {
  const uint32_t tagged = opaque(load<uint16_t>(frame + 12) == as_loaded(kVlan));
  const uint16_t type = load<uint16_t>(frame + 12 + tagged * kTagBytes);
  const uint32_t six = opaque(type == as_loaded(kIpv6));
  const uint32_t four = opaque(type == as_loaded(kIpv4));
  return (tagged | six << 1 | kOther) ^ opaque((four | six) << 2);
}

#if defined(__x86_64__)
struct WirePorts {
  alignas(16) uint8_t wire[16];
};
constexpr WirePorts kWirePorts = [] {
  WirePorts ports{};
  for (uint32_t i = 0; i < 8; ++i) {
    ports.wire[2 * i] = static_cast<uint8_t>(kTunnelPorts[i] >> 8);
    ports.wire[2 * i + 1] = static_cast<uint8_t>(kTunnelPorts[i]);
  }
  return ports;
}();

// Is either of the two ports one of them? `ports` as on the wire.
inline bool has_tunnel_port(const uint8_t* ports) noexcept {
  const __m128i both = _mm_cvtsi32_si128(static_cast<int>(load<uint32_t>(ports)));
  const __m128i tunnels = _mm_load_si128(reinterpret_cast<const __m128i*>(kWirePorts.wire));
  const __m128i from = _mm_shuffle_epi8(both, _mm_set1_epi16(0x0100));
  const __m128i to = _mm_shuffle_epi8(both, _mm_set1_epi16(0x0302));
  const __m128i same = _mm_or_si128(_mm_cmpeq_epi16(from, tunnels), _mm_cmpeq_epi16(to, tunnels));
  return !_mm_testz_si128(same, same);
}
#else
inline bool has_tunnel_port(const uint8_t* ports) noexcept {
  return is_tunnel_port(load_be16(ports)) | is_tunnel_port(load_be16(ports + 2));
}
#endif

template <bool kSix>
constexpr Layers tagged_layers() noexcept {
  Layers layers = {};
  layers.outer_network = layers.key_network = 14 + kTagBytes;
  layers.outer_version = layers.key_version = kSix ? 6 : 4;
  layers.headers = 1;
  layers.transport = 14 + kTagBytes + (kSix ? 40 : 20);
  return layers;
}

template <bool kSix, bool kTagged>
__attribute__((always_inline)) inline bool decode_kind(Batch& batch, uint32_t i,
                                                       const HashSeed& seed) noexcept {
  constexpr uint32_t kNetwork = 14 + (kTagged ? kTagBytes : 0), kHeader = kSix ? 40 : 20;
  constexpr uint32_t kThroughPorts = kNetwork + kHeader + kPortBytes;
  Packet& packet = batch.packets[i];
  if (packet.length < kThroughPorts) return false;
  const uint8_t* ip = packet.data + kNetwork;
  const uint8_t* ports = ip + kHeader;
  const uint8_t protocol = ip[kSix ? 6 : 9];
  const uint32_t total = kSix ? 40u + load_be16(ip + 4) : load_be16(ip + 2);
  const bool shape = kSix ? ip[0] >> 4 == 6
                          : (ip[0] == 0x45) & ((load<uint16_t>(ip + 6) & as_loaded(0x3fff)) == 0);
  const bool fits = total - kHeader - kPortBytes <= packet.length - kThroughPorts;
  const bool tunnel = has_tunnel_port(ports);
  if (!(shape & fits & ((protocol == 6) | (protocol == 17)) & !tunnel)) return false;

  const uint16_t source_port = load<uint16_t>(ports), target_port = load<uint16_t>(ports + 2);
  uint64_t source, target;
  if constexpr (kSix) {
    source =
        endpoint_v6(load<uint64_t>(ip + 8), load<uint64_t>(ip + 16), source_port, protocol, seed);
    target =
        endpoint_v6(load<uint64_t>(ip + 24), load<uint64_t>(ip + 32), target_port, protocol, seed);
  } else {
    source = endpoint_v4(load<uint32_t>(ip + 12), source_port, protocol);
    target = endpoint_v4(load<uint32_t>(ip + 16), target_port, protocol);
  }
  const uint64_t digest = digest_endpoints(source, target, seed);
  packet.hash = static_cast<uint32_t>(digest >> 32);
  set_tail<kNetwork, kSix ? 6 : 4, kTagged ? kPacketLayers : 0>(packet, source > target);
  batch.digests[i] = digest;
  if constexpr (kTagged) {
    static constexpr Layers kTemplate = tagged_layers<kSix>();
    Layers& layers = batch.layers[i];
    layers = kTemplate;
    layers.outer_hash = packet.hash;
    layers.outer_tag = static_cast<uint32_t>(digest);
    layers.protocol = protocol;
    layers.source_port = source_port;
    layers.target_port = target_port;
    layers.vlan = static_cast<uint16_t>(load_be16(packet.data + 14) & 0xfff);
  }
  return true;
}

// Leaves what turns out to be of another kind on `others`; returns its end.
template <bool kSix, bool kTagged>
Index* decode_list(Batch& batch, const Index* at, const Index* end, const HashSeed& seed,
                   Index* others) noexcept {
  const HashSeed kept = seed;  // no store to a packet can change it
  for (; at < end; ++at) {
    if (!decode_kind<kSix, kTagged>(batch, *at, kept)) *others++ = *at;
  }
  return others;
}

}  // namespace

bool decode_common(Batch& batch, uint32_t i, const HashSeed& seed) noexcept {
  const Packet& packet = batch.packets[i];
  if (packet.length < kSortBytes) return false;
  switch (kind_of(packet.data)) {
    case 0:
      return decode_kind<false, false>(batch, i, seed);
    case 1:
      return decode_kind<false, true>(batch, i, seed);
    case 2:
      return decode_kind<true, false>(batch, i, seed);
    case 3:
      return decode_kind<true, true>(batch, i, seed);
    default:
      return false;
  }
}

uint32_t decode_mixed(Batch& batch, uint32_t i, const HashSeed& seed, Index* others) noexcept {
  Index lists[kKinds][kBatchMax];
  Index* end[kKinds];
  for (uint32_t kind = 0; kind < kKinds; ++kind) end[kind] = lists[kind];
  for (const uint32_t count = batch.count; i < count; ++i) {
    prefetch_far(batch.packets[i + kPrefetchAhead < count ? i + kPrefetchAhead : i].data);
    const Packet& packet = batch.packets[i];
    const bool enough = packet.length >= kSortBytes;
    const uint32_t kind = __builtin_expect(enough, 1) ? kind_of(packet.data) : kOther;
    *end[kind]++ = static_cast<Index>(i);
  }
  Index* to = std::copy(lists[kOther], end[kOther], others);
  to = std::copy(lists[kOther + 1], end[kOther + 1], to);
  to = decode_list<false, false>(batch, lists[0], end[0], seed, to);
  to = decode_list<false, true>(batch, lists[1], end[1], seed, to);
  to = decode_list<true, false>(batch, lists[2], end[2], seed, to);
  to = decode_list<true, true>(batch, lists[3], end[3], seed, to);
  return static_cast<uint32_t>(to - others);
}

}  // namespace bricks
