#include "wire/packet_digest.hh"

#include <algorithm>
#include <cstring>

#include "wire/bytes.hh"
#include "wire/ether_type.hh"

namespace bricks {

namespace {

// Headers are copied so far to have fields taken out; beyond it they are compared as they are.
constexpr uint32_t kHeadMax = 256;

class Digest {
 public:
  explicit Digest(const HashSeed& seed) noexcept
      : seed_(seed), a_(seed.word[0]), b_(seed.word[2]) {}
  void add(const uint8_t* from, uint32_t bytes) noexcept {
    a_ ^= bytes;  // so that what is added apart stays apart
    for (; bytes >= 16; bytes -= 16, from += 16)
      mix(load<uint64_t>(from), load<uint64_t>(from + 8));
    if (bytes == 0) return;
    uint8_t rest[16] = {};
    std::memcpy(rest, from, bytes);
    mix(load<uint64_t>(rest), load<uint64_t>(rest + 8));
  }
  PacketDigest end() const noexcept {
    const uint64_t check = multiply_fold(b_ ^ seed_.word[1], a_ ^ seed_.word[3]);
    return {multiply_fold(a_ ^ seed_.word[3], b_ ^ seed_.word[0]),
            static_cast<uint32_t>(check >> 32)};
  }

 private:
  void mix(uint64_t x, uint64_t y) noexcept {
    a_ = multiply_fold(x ^ seed_.word[1], y ^ a_);
    b_ = multiply_fold(y ^ seed_.word[3], x ^ b_ ^ seed_.word[2]);
  }
  const HashSeed& seed_;
  uint64_t a_, b_;
};

void mask(uint8_t* head, uint32_t bytes, uint32_t at, uint32_t count) noexcept {
  if (at + count <= bytes) std::memset(head + at, 0, count);
}

// `at`: of the transport header in `head`.
void mask_checksum(uint8_t* head, uint32_t bytes, uint32_t at, uint8_t protocol) noexcept {
  if (at < 20) return;  // an IP header that says it is shorter than that: nothing is above it
  switch (protocol) {
    case 6:
      return mask(head, bytes, at + 16, 2);
    case 17:
    case 136:
      return mask(head, bytes, at + 6, 2);
    case 132:
      return mask(head, bytes, at + 8, 4);
    default:
      return;
  }
}

void digest_link(Digest& digest, const Batch& batch, const Packet& packet, uint32_t network,
                 const CopyTolerance& tolerance) noexcept {
  const uint32_t macs = batch.link == LinkType::ethernet ? std::min(12u, network) : 0;
  if (!tolerance.mac) digest.add(packet.data, macs);
  if (!tolerance.vlan) digest.add(packet.data + macs, network - macs);
}

// No IP header: from the type behind the VLAN tags on.
void digest_other(Digest& digest, const Batch& batch, const Packet& packet,
                  const CopyTolerance& tolerance) noexcept {
  uint32_t at = 0;
  if (batch.link == LinkType::ethernet && packet.length >= 14) {
    at = 12;
    for (uint32_t tags = 0; tags < 8 && at + 6 <= packet.length; ++tags, at += 4) {
      const uint16_t type = load_be16(packet.data + at);
      if (type != kVlan && type != kQinq && type != kQinqOld && type != kQinqOlder) break;
    }
  }
  digest_link(digest, batch, packet, at, tolerance);
  digest.add(packet.data + at, packet.length - at);
}

}  // namespace

PacketDigest packet_digest(const Batch& batch, Index index, const CopyTolerance& tolerance,
                           const HashSeed& seed) noexcept {
  const Packet& packet = batch.packets[index];
  const Layers* layers = packet.flags & kPacketLayers ? &batch.layers[index] : nullptr;
  const uint32_t network = layers ? layers->outer_network : packet.network;
  const uint8_t version = layers ? layers->outer_version : packet.ip_version;
  Digest digest(seed);
  if (version == 0) {
    digest_other(digest, batch, packet, tolerance);
    return digest.end();
  }
  digest_link(digest, batch, packet, network, tolerance);
  const uint8_t* ip = packet.data + network;
  const uint32_t fixed = version == 4 ? 20 : 40;
  uint32_t bytes = packet.length - network;
  // What an Ethernet frame is filled up with, and its FCS, are not the packet's. 0: the device was
  // to fill in the length.
  const uint32_t claimed = load_be16(ip + (version == 4 ? 2 : 4));
  const uint32_t total = version == 4 ? claimed : claimed + fixed;
  if (claimed != 0 && total >= fixed) bytes = std::min(bytes, total);

  uint8_t head[kHeadMax];
  const uint32_t copied = std::min(bytes, kHeadMax);
  std::memcpy(head, ip, copied);
  if (version == 4) {
    if (tolerance.ttl) mask(head, copied, 8, 1);
    if (tolerance.ttl || tolerance.checksum) mask(head, copied, 10, 2);
  } else if (tolerance.ttl) {
    mask(head, copied, 7, 1);
  }
  if (tolerance.checksum) {
    const bool later = version == 4 ? (load_be16(ip + 6) & 0x1fff) != 0 : false;
    const uint32_t above = version == 4 ? (ip[0] & 15u) * 4 : fixed;
    if (!later) mask_checksum(head, copied, above, ip[version == 4 ? 9 : 6]);
    // Behind extension headers, and inside a tunnel.
    const bool inner = layers && layers->transport > network && layers->fragment_at == 0 &&
                       layers->key_network == packet.network;
    if (inner) mask_checksum(head, copied, layers->transport - network, layers->protocol);
  }
  digest.add(head, copied);
  digest.add(ip + copied, bytes - copied);
  return digest.end();
}

}  // namespace bricks
