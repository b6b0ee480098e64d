// The walk: link header -> shims (VLAN, MPLS, PPPoE, LLC/SNAP) -> IP -> ports. Every step takes the
// bytes left and gives up, keeping what it knows, when they are too few.
#include "wire/decode.hh"

#include "wire/bytes.hh"

namespace bricks {

namespace {

enum EtherType : uint16_t {
  kIpv4 = 0x0800,
  kIpv6 = 0x86dd,
  kVlan = 0x8100,
  kQinq = 0x88a8,
  kQinqOld = 0x9100,
  kMpls = 0x8847,
  kMplsMulticast = 0x8848,
  kPppoeSession = 0x8864,
  kNone = 0,
};

// Where we are in the packet, and what the bytes there are.
struct Cursor {
  uint32_t offset;
  uint16_t ethertype;
};

bool has_ports(uint8_t protocol) noexcept {
  // TCP, UDP, DCCP, SCTP, UDP-Lite: ports are the first four bytes of each.
  return protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132 || protocol == 136;
}

uint16_t ethertype_of_ppp(uint16_t protocol) noexcept {
  if (protocol == 0x0021) return kIpv4;
  if (protocol == 0x0057) return kIpv6;
  if (protocol == 0x0281) return kMpls;
  return kNone;
}

// BSD's address families, in either byte order: each system wrote its own AF_INET6.
uint16_t ethertype_of_family(uint32_t family) noexcept {
  if (family > 0xffff) family = __builtin_bswap32(family);
  if (family == 2) return kIpv4;
  if (family == 10 || family == 23 || family == 24 || family == 28 || family == 30) return kIpv6;
  return kNone;
}

uint16_t ethertype_of_version(const uint8_t* data, uint32_t length, uint32_t offset) noexcept {
  if (offset >= length) return kNone;
  const int version = data[offset] >> 4;
  return version == 4 ? kIpv4 : version == 6 ? kIpv6 : kNone;
}

Cursor skip_link(const uint8_t* data, uint32_t length, LinkType link) noexcept {
  switch (link) {
    case LinkType::ethernet:
      if (length < 14) return {length, kNone};
      return {14, load_be16(data + 12)};
    case LinkType::raw:
    case LinkType::raw_bsd:
    case LinkType::ipv4:
    case LinkType::ipv6:
      return {0, ethertype_of_version(data, length, 0)};
    case LinkType::null:
    case LinkType::loop:
      if (length < 4) return {length, kNone};
      return {4, ethertype_of_family(load<uint32_t>(data))};
    case LinkType::linux_sll:
      if (length < 16) return {length, kNone};
      return {16, load_be16(data + 14)};
    case LinkType::linux_sll2:
      if (length < 20) return {length, kNone};
      return {20, load_be16(data)};
    case LinkType::ppp:
    case LinkType::ppp_hdlc: {
      const uint32_t at = length >= 2 && data[0] == 0xff && data[1] == 0x03 ? 2 : 0;
      if (length < at + 2) return {length, kNone};
      return {at + 2, ethertype_of_ppp(load_be16(data + at))};
    }
    case LinkType::c_hdlc:
      if (length < 4) return {length, kNone};
      return {4, load_be16(data + 2)};
  }
  return {length, kNone};
}

// One shim, or false where there is none (or not all of it).
bool skip_shim(const uint8_t* data, uint32_t length, Cursor& at) noexcept {
  switch (at.ethertype) {
    case kVlan:
    case kQinq:
    case kQinqOld:
      if (length < at.offset + 4) return false;
      at.ethertype = load_be16(data + at.offset + 2);
      at.offset += 4;
      return true;
    case kMpls:
    case kMplsMulticast: {
      if (length < at.offset + 4) return false;
      const bool bottom = data[at.offset + 2] & 1;
      at.offset += 4;
      if (bottom) at.ethertype = ethertype_of_version(data, length, at.offset);
      return true;
    }
    case kPppoeSession:
      if (length < at.offset + 8) return false;
      at.ethertype = ethertype_of_ppp(load_be16(data + at.offset + 6));
      at.offset += 8;
      return true;
    default:
      break;
  }
  // IEEE 802.3: a length instead of a type; LLC/SNAP with Ethernet's types behind it.
  if (at.ethertype <= 1500 && length >= at.offset + 8 && data[at.offset] == 0xaa &&
      data[at.offset + 1] == 0xaa && data[at.offset + 2] == 3) {
    at.ethertype = load_be16(data + at.offset + 6);
    at.offset += 8;
    return true;
  }
  return false;
}

uint32_t hash_v4(Packet& packet, uint32_t offset, const HashSeed& seed) noexcept {
  const uint8_t* ip = packet.data + offset;
  const uint32_t left = packet.length - offset;
  const uint8_t protocol = ip[9];
  const uint32_t header = (ip[0] & 15u) * 4;
  uint16_t source_port = 0, target_port = 0;
  if (load_be16(ip + 6) & 0x3fff) {
    packet.flags |= kPacketFragment;
  } else if (has_ports(protocol) && header >= 20 && left >= header + 4) {
    source_port = load<uint16_t>(ip + header);
    target_port = load<uint16_t>(ip + header + 2);
  }
  return hash_endpoints(endpoint_v4(load<uint32_t>(ip + 12), source_port, protocol),
                        endpoint_v4(load<uint32_t>(ip + 16), target_port, protocol), seed);
}

// Past the extension headers: the upper protocol and where it begins; sets kPacketFragment.
uint8_t skip_extensions(Packet& packet, uint32_t& offset) noexcept {
  uint8_t next = packet.data[packet.network + 6];
  for (uint32_t i = 0; i < kExtensionsMax; ++i) {
    const uint8_t* header = packet.data + offset;
    const uint32_t left = packet.length - offset;
    if (left < 8) return next;
    uint32_t bytes;
    switch (next) {
      case 0:    // hop-by-hop
      case 43:   // routing
      case 60:   // destination options
      case 135:  // mobility
      case 139:  // HIP
      case 140:  // shim6
        bytes = (header[1] + 1u) * 8;
        break;
      case 51:  // authentication
        bytes = (header[1] + 2u) * 4;
        break;
      case 44:  // fragment; one that holds the whole datagram (RFC 6946) is none
        if (load_be16(header + 2) & 0xfff9) {
          packet.flags |= kPacketFragment;
          return header[0];
        }
        bytes = 8;
        break;
      default:
        return next;
    }
    if (bytes > left) return next;
    next = header[0];
    offset += bytes;
  }
  return next;
}

uint32_t hash_v6(Packet& packet, uint32_t offset, const HashSeed& seed) noexcept {
  const uint8_t* ip = packet.data + offset;
  uint32_t upper = offset + 40;
  const uint8_t protocol = skip_extensions(packet, upper);
  uint16_t source_port = 0, target_port = 0;
  if (!(packet.flags & kPacketFragment) && has_ports(protocol) && packet.length >= upper + 4) {
    source_port = load<uint16_t>(packet.data + upper);
    target_port = load<uint16_t>(packet.data + upper + 2);
  }
  return hash_endpoints(
      endpoint_v6(load<uint64_t>(ip + 8), load<uint64_t>(ip + 16), source_port, protocol, seed),
      endpoint_v6(load<uint64_t>(ip + 24), load<uint64_t>(ip + 32), target_port, protocol, seed),
      seed);
}

// No IP inside: the pair of MAC addresses, where there are such.
uint32_t hash_macs(const Packet& packet, LinkType link, const HashSeed& seed) noexcept {
  if (link != LinkType::ethernet || packet.length < 14) return hash_endpoints(0, 0, seed);
  const uint64_t target = load<uint64_t>(packet.data) & 0xffffffffffffull;
  const uint64_t source = load<uint64_t>(packet.data + 6) & 0xffffffffffffull;
  return hash_endpoints(source, target, seed);
}

}  // namespace

void decode_slow(Packet& packet, LinkType link, const HashSeed& seed) noexcept {
  packet.flags &= static_cast<uint8_t>(~kPacketFragment);
  packet.network = 0;
  packet.ip_version = 0;
  Cursor at = skip_link(packet.data, packet.length, link);
  for (uint32_t i = 0; i < kShimsMax && skip_shim(packet.data, packet.length, at); ++i) {
  }
  const uint32_t left = packet.length - at.offset;
  if (at.ethertype == kIpv4 && left >= 20 && packet.data[at.offset] >> 4 == 4) {
    packet.network = static_cast<uint16_t>(at.offset);
    packet.ip_version = 4;
    packet.hash = hash_v4(packet, at.offset, seed);
  } else if (at.ethertype == kIpv6 && left >= 40 && packet.data[at.offset] >> 4 == 6) {
    packet.network = static_cast<uint16_t>(at.offset);
    packet.ip_version = 6;
    packet.hash = hash_v6(packet, at.offset, seed);
  } else {
    packet.hash = hash_macs(packet, link, seed);
  }
}

uint32_t hash_addresses(const Packet& packet, const HashSeed& seed) noexcept {
  const uint8_t* ip = packet.data + packet.network;
  if (packet.ip_version == 4) {
    return hash_endpoints(endpoint_v4(load<uint32_t>(ip + 12), 0, 0),
                          endpoint_v4(load<uint32_t>(ip + 16), 0, 0), seed);
  }
  if (packet.ip_version == 6) {
    return hash_endpoints(endpoint_v6(load<uint64_t>(ip + 8), load<uint64_t>(ip + 16), 0, 0, seed),
                          endpoint_v6(load<uint64_t>(ip + 24), load<uint64_t>(ip + 32), 0, 0, seed),
                          seed);
  }
  return packet.hash;
}

}  // namespace bricks
