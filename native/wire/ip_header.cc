// IP headers, their extensions, and what they head: ports, ICMP errors, the way into tunnels.
#include "wire/walk.hh"

namespace bricks {

namespace {

constexpr uint32_t kQuoteMax = 1u << 17;  // beyond what any length in a quoted header can say

enum Protocol : uint8_t {
  kHopByHop = 0,
  kIcmp = 1,
  kIpInIp = 4,
  kTcp = 6,
  kUdp = 17,
  kIpv6InIp = 41,
  kRouting = 43,
  kFragmentHeader = 44,
  kGre = 47,
  kAuthentication = 51,
  kIcmp6 = 58,
  kDestinationOptions = 60,
  kEtherIp = 97,
  kL2tp = 115,
  kMobility = 135,
  kMplsInIp = 137,
  kHip = 139,
  kShim6 = 140,
  kEthernet = 143,
};

bool is_extension(uint8_t protocol, uint8_t version) noexcept {
  switch (protocol) {
    case kAuthentication:
      return true;
    case kHopByHop:
    case kRouting:
    case kFragmentHeader:
    case kDestinationOptions:
    case kMobility:
    case kHip:
    case kShim6:
      return version == 6;
    default:
      return false;
  }
}

// Sets what is known of a datagram's fragment. False: not its first one, nothing more to be read.
bool note_fragment(Walk& walk, uint32_t id, uint32_t offset, bool more) noexcept {
  walk.plain = false;
  walk.open = true;
  if (offset == 0 && walk.quoted) return true;  // a quote is nobody's first fragment
  walk.layers.fragment_id = id;
  walk.layers.fragment_at = static_cast<uint16_t>(offset);
  walk.layers.fragment_more = more;
  walk.fragment = offset != 0;
  return !walk.fragment;
}

Next read_fragment_header(Walk& walk) noexcept {
  if (!walk.need(8)) return Next::stop;
  const uint8_t* header = walk.data + walk.at;
  const uint32_t bits = load_be16(header + 2);
  const uint8_t next = header[0];
  walk.layers.protocol = next;
  if (bits & 0xfff9) {  // else it is the whole datagram (RFC 6946)
    if (!note_fragment(walk, load<uint32_t>(header + 4), bits & 0xfff8, bits & 1)) {
      return Next::stop;
    }
  }
  walk.at += 8;
  walk.protocol = next;
  return Next::protocol;
}

Next read_extension(Walk& walk) noexcept {
  walk.plain = false;
  if (walk.extensions++ == kExtensionsMax) return walk.fail(HeaderFault::too_deep);
  if (walk.protocol == kFragmentHeader) return read_fragment_header(walk);
  if (!walk.need(8)) return Next::stop;
  const uint8_t* header = walk.data + walk.at;
  const uint32_t bytes =
      walk.protocol == kAuthentication ? (header[1] + 2u) * 4 : (header[1] + 1u) * 8;
  if (!walk.need(bytes)) return Next::stop;
  walk.at += bytes;
  walk.protocol = header[0];
  return Next::protocol;
}

bool is_error(uint8_t type, uint8_t version) noexcept {
  if (version == 6) return type >= 1 && type <= 4;
  return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

// What an error quotes names the flow; it travels against it.
Next read_icmp(Walk& walk) noexcept {
  if (!walk.need(8)) return Next::stop;
  const uint8_t version = walk.layers.key_version;
  if (walk.quoted || !is_error(walk.data[walk.at], version)) return Next::stop;
  walk.carry();
  walk.at += 8;
  walk.plain = false;
  walk.quoted = walk.open = walk.fresh = true;
  walk.limit = walk.at + kQuoteMax;
  return walk.network_of(version == 4 ? kIpv4 : kIpv6);
}

Next read_ports(Walk& walk) noexcept {
  if (!walk.need(4)) return Next::stop;
  const uint8_t* ports = walk.data + walk.at;
  walk.layers.source_port = load<uint16_t>(ports);
  walk.layers.target_port = load<uint16_t>(ports + 2);
  if (walk.protocol != kUdp) return Next::stop;
  const Next next = read_udp_tunnel(walk, load_be16(ports + 2));
  return next != Next::stop ? next : read_udp_tunnel(walk, load_be16(ports));
}

}  // namespace

bool has_ports(uint8_t protocol) noexcept {
  // TCP, UDP, DCCP, SCTP, UDP-Lite: ports are the first four bytes of each.
  return protocol == kTcp || protocol == kUdp || protocol == 33 || protocol == 132 ||
         protocol == 136;
}

Next read_ipv4(Walk& walk) noexcept {
  const uint32_t begin = walk.at;
  if (!walk.need(20)) return Next::stop;
  const uint8_t* ip = walk.data + begin;
  const uint32_t header = (ip[0] & 15u) * 4;
  if (ip[0] >> 4 != 4) return walk.fail(HeaderFault::bad_version);
  // 0: the device was to fill it in when it cuts the packet up (segmentation offload).
  const uint32_t total = load_be16(ip + 2);
  if (header < 20 || (total != 0 && total < header)) return walk.fail(HeaderFault::bad_length);
  if (!walk.enter(4)) return Next::stop;
  walk.layers.protocol = walk.protocol = ip[9];
  if (total != 0) walk.claim(begin + total);
  const uint32_t bits = load_be16(ip + 6);
  if ((bits & 0x3fff) &&
      !note_fragment(walk, load<uint16_t>(ip + 4), (bits & 0x1fff) * 8, bits & 0x2000)) {
    return Next::stop;
  }
  if (!walk.need(header)) return Next::stop;
  walk.at = begin + header;
  return Next::protocol;
}

Next read_ipv6(Walk& walk) noexcept {
  const uint32_t begin = walk.at;
  if (!walk.need(40)) return Next::stop;
  const uint8_t* ip = walk.data + begin;
  if (ip[0] >> 4 != 6) return walk.fail(HeaderFault::bad_version);
  if (!walk.enter(6)) return Next::stop;
  walk.layers.protocol = walk.protocol = ip[6];
  walk.at = begin + 40;
  // 0: nothing follows, or more than 65,535 bytes do (a jumbogram, segmentation offload).
  if (const uint32_t payload = load_be16(ip + 4); payload != 0) walk.claim(walk.at + payload);
  return Next::protocol;
}

Next read_protocol(Walk& walk) noexcept {
  const uint8_t version = walk.layers.key_version;
  walk.layers.protocol = walk.protocol;
  if (is_extension(walk.protocol, version)) return read_extension(walk);
  if (!walk.quoted) walk.layers.transport = static_cast<uint16_t>(walk.at);
  if (has_ports(walk.protocol)) return read_ports(walk);
  switch (walk.protocol) {
    case kIcmp:
      return version == 4 ? read_icmp(walk) : Next::stop;
    case kIcmp6:
      return version == 6 ? read_icmp(walk) : Next::stop;
    case kIpInIp:
      return walk.network_of(kIpv4);
    case kIpv6InIp:
      return walk.network_of(kIpv6);
    case kMplsInIp:
      return walk.network_of(kMpls);
    case kGre:
      return read_gre(walk);
    case kEtherIp:
      return read_ether_ip(walk);
    case kL2tp:
      return read_l2tp3(walk, walk.at);
    case kEthernet:
      return Next::frame;
    default:
      return Next::stop;
  }
}

}  // namespace bricks
