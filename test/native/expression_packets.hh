// Packets and expressions for the tests of filter/: well-formed, damaged and random, all from a
// seed.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "wire/packet.hh"

namespace expression_test {

using Random = std::mt19937_64;
using Bytes = std::vector<uint8_t>;

inline uint32_t below(Random& random, uint32_t limit) {
  return static_cast<uint32_t>(random() % limit);
}
template <typename T>
const T& one_of(Random& random, const std::vector<T>& all) {
  return all[below(random, static_cast<uint32_t>(all.size()))];
}

inline void put16(Bytes& out, uint32_t value) {
  out.push_back(static_cast<uint8_t>(value >> 8));
  out.push_back(static_cast<uint8_t>(value));
}
inline void put32(Bytes& out, uint32_t value) {
  put16(out, value >> 16);
  put16(out, value & 0xffff);
}

inline uint32_t likely_port(Random& random) {
  static const std::vector<uint32_t> kPorts{80, 443, 53, 22, 8080, 4789, 6081, 2152, 1000, 65535};
  return one_of(random, kPorts);
}

inline void put_transport(Bytes& out, Random& random, uint8_t protocol) {
  put16(out, likely_port(random));
  put16(out, likely_port(random));
  if (protocol == 6) {
    put32(out, static_cast<uint32_t>(random()));
    put32(out, static_cast<uint32_t>(random()));
    put16(out, 0x5000 | below(random, 64));
  } else {
    put16(out, 8 + below(random, 100));
  }
  for (uint32_t n = below(random, 60); n > 0; --n) out.push_back(static_cast<uint8_t>(random()));
}

inline void put_ipv4(Bytes& out, Random& random) {
  static const std::vector<uint8_t> kProtocols{6, 6, 17, 17, 1, 47, 132, 2, 51, 4, 112};
  const uint8_t protocol = one_of(random, kProtocols);
  const uint32_t words = below(random, 4) ? 5 : 5 + below(random, 11);
  out.push_back(static_cast<uint8_t>(0x40 | words));
  out.push_back(static_cast<uint8_t>(below(random, 256)));
  put16(out, 20 + below(random, 1480));
  put16(out, below(random, 65536));
  put16(out, below(random, 3) ? 0x4000 : below(random, 65536));
  out.push_back(64);
  out.push_back(protocol);
  put16(out, 0);
  put32(out, 0x0a000000 | below(random, 4));
  put32(out, below(random, 8) ? 0xc0a80100 | below(random, 4) : 0xffffffff);
  for (uint32_t n = 5; n < words; ++n) put32(out, static_cast<uint32_t>(random()));
  put_transport(out, random, protocol);
}

inline void put_ipv6(Bytes& out, Random& random) {
  static const std::vector<uint8_t> kNext{6, 6, 17, 17, 58, 44, 0, 43, 60, 51, 59};
  uint8_t next = one_of(random, kNext);
  put32(out, 0x60000000 | below(random, 1u << 20));
  put16(out, below(random, 1400));
  out.push_back(next);
  out.push_back(64);
  for (int i = 0; i < 8; ++i) put32(out, i % 4 ? below(random, 3) : 0x20010db8);
  while (next == 0 || next == 43 || next == 60 || next == 51 || next == 44) {
    const uint8_t after = one_of(random, kNext);
    out.push_back(after);
    const uint32_t units = next == 44 ? 0 : below(random, 3);
    out.push_back(static_cast<uint8_t>(units));
    const uint32_t bytes = next == 51 ? (units + 2) * 4 : (units + 1) * 8;
    for (uint32_t n = 2; n < bytes; ++n) out.push_back(static_cast<uint8_t>(random()));
    next = after;
  }
  put_transport(out, random, next);
}

// From the EtherType on: tags, labels, then IPv4, IPv6, ARP or noise.
inline void put_network(Bytes& out, Random& random) {
  for (uint32_t tags = below(random, 3) ? 0 : below(random, 3); tags > 0; --tags) {
    put16(out, below(random, 3) ? 0x8100 : 0x88a8);
    put16(out, below(random, 4));
  }
  const uint32_t kind = below(random, 12);
  if (kind < 5) {
    put16(out, 0x0800);
    put_ipv4(out, random);
  } else if (kind < 8) {
    put16(out, 0x86dd);
    put_ipv6(out, random);
  } else if (kind == 8) {
    put16(out, 0x8847);
    put32(out, below(random, 1u << 20) << 12 | 0x100 | 64);
    put_ipv4(out, random);
  } else if (kind == 9) {
    put16(out, 0x8864);
    put16(out, 0x1100);
    put16(out, below(random, 4));
    put16(out, 100);
    put16(out, 0x0021);
    put_ipv4(out, random);
  } else {
    put16(out, kind == 10 ? 0x0806 : below(random, 1600));
    put32(out, 0x00010800);
    put32(out, 0x06040001);
    for (int i = 0; i < 20; ++i) out.push_back(static_cast<uint8_t>(below(random, 4)));
  }
}

// `link` only decides what stands in front; any packet may be run through any program.
inline Bytes make_packet(Random& random, bricks::LinkType link) {
  Bytes out;
  const uint32_t style = below(random, 8);
  if (style == 0) {  // noise of any length, also 0
    out.resize(below(random, 1515));
    for (uint8_t& byte : out) byte = static_cast<uint8_t>(random());
    return out;
  }
  if (link == bricks::LinkType::raw || link == bricks::LinkType::ipv4) {
    below(random, 2) ? put_ipv4(out, random) : put_ipv6(out, random);
  } else {
    const uint32_t front = link == bricks::LinkType::ethernet    ? 12
                           : link == bricks::LinkType::linux_sll ? 14
                                                                 : below(random, 24);
    for (uint32_t i = 0; i < front; ++i) {
      out.push_back(static_cast<uint8_t>(below(random, 8) ? below(random, 3) : 0xff));
    }
    put_network(out, random);
  }
  if (style == 1) out.resize(below(random, static_cast<uint32_t>(out.size()) + 1));
  if (style == 2) {
    uint8_t& byte = out[below(random, static_cast<uint32_t>(out.size()))];
    byte = static_cast<uint8_t>(byte ^ (1u << below(random, 8)));
  }
  if (style == 3 && out.size() < 1514) out.resize(1514);
  return out;
}

// A batch over packets that end exactly where their memory ends, so that a sanitizer sees
// overreads.
struct Packets {
  std::vector<Bytes> frames;
  bricks::Batch batch;
  std::vector<bricks::Index> picks;

  Packets(Random& random, bricks::LinkType link, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) add(make_packet(random, link), random);
    batch.link = link;
  }
  Packets() = default;

  void add(const Bytes& frame, Random& random) {
    const uint32_t i = batch.count++;
    frames.push_back(frame);
    frames.back().shrink_to_fit();
    bricks::Packet& packet = batch.packets[i];
    packet = {};
    packet.data = frames.back().data();
    packet.length = static_cast<uint32_t>(frame.size());
    if (below(random, 8) == 0) {
      packet.flags = bricks::kPacketCut;
      batch.wire_lengths[i] = packet.length + 1 + below(random, 2000);
    }
    picks.push_back(static_cast<bricks::Index>(i));
  }
};

// clang-format off: one a line would be a page of its own
inline const std::vector<std::string> kPlainPrimitives{
    "ip",
    "ip6",
    "arp",
    "tcp",
    "udp",
    "icmp",
    "icmp6",
    "sctp",
    "igmp",
    "vlan",
    "vlan 1",
    "vlan 2",
    "mpls",
    "mpls 3",
    "pppoes",
    "pppoes 2",
    "ip multicast",
    "ip6 multicast",
    "broadcast",
    "multicast",
    "ether multicast",
    "ip protochain 6",
    "ip6 protochain 17",
    "ip6 protochain 58",
    "ip proto 47",
    "ip6 proto 44",
    "ether proto 0x806",
    "geneve",
    "rarp",
    "vrrp",
    "ah",
    "stp",
    "llc",
    "iso",
    "net 10.0.0.0/30",
    "src net 192.168.1.0/24",
    "dst net 192.168.1.0/31",
    "host 10.0.0.1",
    "src host 10.0.0.2",
    "dst host 255.255.255.255",
    "host 2001:db8::1",
    "ip6 net 2001:db8::/32",
    "arp host 0.1.2.3",
    "ether host 00:01:02:00:01:02",
    "ether src ff:00:01:02:00:00",
    "len > 60",
    "len <= 100",
    "greater 128",
    "less 90",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "ip[6:2] & 0x1fff = 0",
    "ip[2:2] > 576",
    "ip[8] < 65",
    "udp[4:2] > 20",
    "tcp[12] >> 4 = 5",
    "ether[0] & 1 = 1",
    "ip6[6] = 58",
    "ip[0] & 0xf > 5",
    "((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0",
    "icmp[0] = 8",
    "len % 3 = 1",
    "ip[4:2] / 7 > 100",
    "ip[1] * 3 ^ 5 > 40",
    "ip[2:2] / (ip[1] & 3) = 20",
    "ip[2:2] % ip[8] = 4",
    "-ip[0] > 5",
    "1 << ip[8] > 2"};
// clang-format on

inline std::string make_primitive(Random& random) {
  const uint32_t kind = below(random, 4);
  if (kind == 0) {
    static const std::vector<std::string> kSides{"", "src ", "dst ", "src and dst "};
    static const std::vector<std::string> kProtocols{"", "tcp ", "udp ", "sctp "};
    std::string text = one_of(random, kProtocols) + one_of(random, kSides);
    const uint32_t port = likely_port(random);
    if (below(random, 4)) return text + "port " + std::to_string(port);
    return text + "portrange " + std::to_string(port / 2) + "-" + std::to_string(port);
  }
  if (kind == 1) {
    static const std::vector<std::string> kBases{"ether", "ip",   "tcp", "udp",
                                                 "ip6",   "icmp", "link"};
    static const std::vector<std::string> kSizes{"", ":1", ":2", ":4"};
    static const std::vector<std::string> kCompare{" = ", " != ", " > ", " < ", " >= ", " <= "};
    return one_of(random, kBases) + "[" + std::to_string(below(random, 80)) +
           one_of(random, kSizes) + "] & " + std::to_string(below(random, 256)) +
           one_of(random, kCompare) + std::to_string(below(random, 256));
  }
  return one_of(random, kPlainPrimitives);
}

inline std::string make_expression(Random& random, int depth = 3) {
  switch (depth > 0 ? below(random, 5) : 0) {
    case 1:
      return "not (" + make_expression(random, depth - 1) + ")";
    case 2:
    case 3:
      return "(" + make_expression(random, depth - 1) + ") and (" +
             make_expression(random, depth - 1) + ")";
    case 4:
      return "(" + make_expression(random, depth - 1) + ") or (" +
             make_expression(random, depth - 1) + ")";
    default:
      return make_primitive(random);
  }
}

}  // namespace expression_test
