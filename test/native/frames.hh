// Packets made by hand, from the inside out: each function puts one header before what it carries.
// Lengths are right, checksums are not made (nobody here reads them). For tests of the decoder and
// for the corpus of its fuzzer.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

namespace bricks::frames {

using Bytes = std::vector<uint8_t>;

inline Bytes operator+(Bytes head, const Bytes& rest) {
  head.insert(head.end(), rest.begin(), rest.end());
  return head;
}
inline void put16(Bytes& to, size_t at, uint32_t value) {
  to[at] = static_cast<uint8_t>(value >> 8);
  to[at + 1] = static_cast<uint8_t>(value);
}
inline Bytes be16(uint32_t v) { return {static_cast<uint8_t>(v >> 8), static_cast<uint8_t>(v)}; }
inline Bytes be32(uint32_t v) { return be16(v >> 16) + be16(v & 0xffff); }

// Who talks to whom; the same at every level of a nested packet unless the level says otherwise.
struct Ends {
  uint8_t source = 1, target = 2;  // last byte of their addresses, IPv4, IPv6 and MAC
  uint16_t source_port = 40000, target_port = 443;
  Ends reversed() const { return {target, source, target_port, source_port}; }
};

inline Bytes tcp(const Ends& ends, const Bytes& data = Bytes(6, 'x')) {
  return be16(ends.source_port) + be16(ends.target_port) + be32(1) + be32(2) +
         Bytes{0x50, 0x18, 1, 0, 0, 0, 0, 0} + data;
}
inline Bytes udp(uint16_t from, uint16_t to, const Bytes& data) {
  return be16(from) + be16(to) + be16(static_cast<uint32_t>(8 + data.size())) + be16(0) + data;
}

struct Ip {
  uint8_t protocol = 6;
  uint8_t net = 10;  // first byte of both addresses
  uint16_t id = 7;
  uint16_t at = 0;  // of a fragment, in bytes
  bool more = false;
  Bytes options = {};  // IPv4: a multiple of four
};
inline Bytes ip4(const Ends& ends, const Ip& ip, const Bytes& data) {
  const auto header = static_cast<uint32_t>(20 + ip.options.size());
  Bytes made = {static_cast<uint8_t>(0x40 | header / 4), 0};
  made = made + be16(static_cast<uint32_t>(header + data.size())) + be16(ip.id) +
         be16(static_cast<uint32_t>(ip.at / 8) | (ip.more ? 0x2000u : 0u)) +
         Bytes{64, ip.protocol, 0, 0, ip.net, 0, 0, ends.source, ip.net, 0, 0, ends.target};
  return made + ip.options + data;
}
inline Bytes ip6(const Ends& ends, const Ip& ip, const Bytes& data) {
  Bytes made =
      Bytes{0x60, 0, 0, 0} + be16(static_cast<uint32_t>(data.size())) + Bytes{ip.protocol, 64};
  for (const uint8_t end : {ends.source, ends.target}) {
    made = made + Bytes{0x20, 0x01, 0x0d, 0xb8, ip.net, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, end};
  }
  return made + data;
}
inline Bytes fragment6(uint8_t next, uint16_t at, bool more, uint32_t id, const Bytes& data) {
  return Bytes{next, 0} + be16(static_cast<uint32_t>(at & 0xfff8) | (more ? 1u : 0u)) + be32(id) +
         data;
}

inline Bytes ethernet(const Ends& ends, uint16_t type, const Bytes& data) {
  return Bytes{2, 0, 0, 0, 0, ends.target, 2, 0, 0, 0, 0, ends.source} + be16(type) + data;
}
inline Bytes tag(uint16_t vlan, uint16_t type, const Bytes& data) {
  return be16(vlan) + be16(type) + data;
}
inline Bytes label(uint32_t value, bool bottom, const Bytes& data) {
  return be32(value << 12 | (bottom ? 0x100u : 0u) | 64) + data;
}
inline Bytes pppoe(const Bytes& ppp) {
  return Bytes{0x11, 0, 0, 9} + be16(static_cast<uint32_t>(ppp.size())) + ppp;
}
inline Bytes gre(uint16_t flags, uint16_t type, const Bytes& optional, const Bytes& data) {
  return be16(flags) + be16(type) + optional + data;
}
inline Bytes vxlan(uint32_t vni, const Bytes& frame) {
  return Bytes{8, 0, 0, 0} + be32(vni << 8) + frame;
}
inline Bytes geneve(uint32_t vni, uint16_t type, const Bytes& options, const Bytes& data) {
  return Bytes{static_cast<uint8_t>(options.size() / 4), 0} + be16(type) + be32(vni << 8) +
         options + data;
}
// flags: E 4, S 2, PN 1; `optional`: the four bytes and extension headers that come with them.
inline Bytes gtp_user(uint8_t flags, const Bytes& optional, const Bytes& data) {
  return Bytes{static_cast<uint8_t>(0x30 | flags), 255} +
         be16(static_cast<uint32_t>(optional.size() + data.size())) + be32(0x1234) + optional +
         data;
}
inline Bytes icmp(uint8_t type, uint8_t code, const Bytes& data) {
  return Bytes{type, code, 0, 0, 0, 0, 0, 0} + data;
}

}  // namespace bricks::frames
