// The fast path: an untagged Ethernet IPv4 TCP or UDP packet without options that is no fragment. One
// 16-byte load at offset 22 holds protocol, both addresses and both ports; one masked compare says
// whether the packet is of that kind. No branch depends on anything else.
#include <cstring>

#include "wire/bytes.hh"
#include "wire/decode.hh"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__x86_64__)
#define BRICKS_CLONES  // ifunc resolvers run before the sanitizers are ready
#else
#define BRICKS_CLONES \
  __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#endif

namespace bricks {

namespace {

constexpr uint32_t kFastBytes = 38;  // through the ports

// Ethertype and version/IHL at 12..14, fragment offset and MF at 20..21 of the frame; little endian.
constexpr uint32_t kKindMask = 0x00ffffff, kKind = 0x00450008;
constexpr uint16_t kFragmentMask = 0xff3f;

inline bool is_plain(const uint8_t* frame) noexcept {
  const uint32_t kind = (load<uint32_t>(frame + 12) & kKindMask) ^ kKind;
  const uint32_t fragment = load<uint16_t>(frame + 20) & kFragmentMask;
  const uint8_t protocol = frame[23];
  const bool ports = protocol < 64 && (0x20040ull >> (protocol & 63) & 1);  // 6 and 17
  return static_cast<int>((kind | fragment) == 0) & static_cast<int>(ports);
}

// Two endpoint words (endpoint_v4) from bytes 22..37: ttl proto csum csum src4 dst4 sport2 dport2.
inline uint32_t hash_plain(const uint8_t* frame, const HashSeed& seed) noexcept {
  const uint64_t addresses = load<uint64_t>(frame + 26);
  const uint32_t ports = load<uint32_t>(frame + 34);
  const uint64_t protocol = uint64_t{frame[23]} << 48;
  const uint64_t a = (addresses & 0xffffffff) | uint64_t{ports & 0xffff} << 32 | protocol;
  const uint64_t b = addresses >> 32 | uint64_t{ports >> 16} << 32 | protocol;
  return hash_endpoints(a, b, seed);
}

}  // namespace

BRICKS_CLONES
void decode(Batch& batch, const HashSeed& given) noexcept {
  const HashSeed seed = given;
  const uint32_t count = batch.count;
  if (batch.link != LinkType::ethernet || std::endian::native != std::endian::little) {
    for (uint32_t i = 0; i < count; ++i) decode_slow(batch.packets[i], batch.link, seed);
    return;
  }
  for (uint32_t i = 0; i < count; ++i) {
    Packet& packet = batch.packets[i];
    if (__builtin_expect(packet.length >= kFastBytes && is_plain(packet.data), 1)) {
      packet.hash = hash_plain(packet.data, seed);
      packet.network = 14;
      packet.ip_version = 4;
      packet.flags &= kPacketCut;
    } else {
      decode_slow(packet, LinkType::ethernet, seed);
    }
  }
}

}  // namespace bricks
