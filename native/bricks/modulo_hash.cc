#include "bricks/modulo_hash.hh"

#include <bit>

namespace bricks {

namespace {

constexpr uint32_t kDepthMax = 8;
// What stands for ports where there are none.
constexpr uint32_t kNoSourcePort = 0xfdff, kNoTargetPort = 0xfeff;

// A Toeplitz hash whose key has a period of 16 bits: all 16-bit words of the input fall into one.
uint32_t toeplitz(uint32_t words) noexcept {
  const auto folded = static_cast<uint16_t>(words ^ words >> 16);
  uint16_t hash = 0;
  for (int bit = 0; bit < 16; ++bit) {
    if (folded & 0x8000 >> bit) hash ^= std::rotl(uint16_t{0x506d}, bit);
  }
  return hash * 0x10001u;
}

class Frame {
 public:
  Frame(const Packet& packet, uint32_t level) noexcept
      : data_(packet.data), length_(packet.length), level_(level) {}

  uint32_t byte(uint32_t at) const noexcept { return at < length_ ? data_[at] : 0; }
  uint32_t two(uint32_t at) const noexcept { return byte(at) << 8 | byte(at + 1); }
  uint32_t four(uint32_t at) const noexcept { return two(at) << 16 | two(at + 2); }

  uint32_t hash(uint32_t addresses, uint32_t source, uint32_t target) const noexcept {
    return toeplitz(addresses ^ ((source + level_) & 0xffff) ^ ((target + level_) & 0xffff));
  }
  uint32_t without_ports(uint32_t addresses) const noexcept {
    return hash(addresses, kNoSourcePort, kNoTargetPort);
  }
  uint32_t v4(uint32_t at, bool addresses_only) const noexcept {
    for (uint32_t depth = 0;; ++depth) {
      const uint32_t addresses = four(at + 12) ^ four(at + 16);
      const uint32_t above = at + (byte(at) & 15) * 4;
      const uint32_t protocol = byte(at + 9);
      if (addresses_only) return without_ports(addresses);
      if (protocol == 6 || protocol == 17) return hash(addresses, two(above), two(above + 2));
      if (protocol != 4 || above < at + 20 || depth == kDepthMax) return without_ports(addresses);
      at = above;
    }
  }
  uint32_t v6(uint32_t at) const noexcept { return without_ports(four(at + 8) ^ four(at + 24)); }
  // The four lower bytes of each, with their bytes swapped as little-endian machines did.
  uint32_t macs() const noexcept {
    return without_ports(__builtin_bswap32(four(2)) ^ __builtin_bswap32(four(8)));
  }

 private:
  const uint8_t* data_;
  uint32_t length_, level_;
};

}  // namespace

uint32_t modulo_hash(const Packet& packet, LinkType link, bool addresses_only,
                     uint32_t level) noexcept {
  const Frame frame(packet, level);
  if (link != LinkType::ethernet) {  // never seen by packet-bricks: what is inside, likewise
    if (packet.ip_version == 4) return frame.v4(packet.network, addresses_only);
    return packet.ip_version == 6 ? frame.v6(packet.network) : frame.without_ports(0);
  }
  const uint32_t network = frame.two(12) == 0x8100 ? 18 : 14;
  const uint32_t type = frame.two(network - 2);
  if (type == 0x0800) return frame.v4(network, addresses_only);
  return type == 0x86dd ? frame.v6(network) : frame.macs();
}

}  // namespace bricks
