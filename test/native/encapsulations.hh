// One packet of every encapsulation that decode() follows, around the same TCP flow. For its tests
// and for the corpus of its fuzzer.
#pragma once

#include <string>

#include "frames.hh"

namespace bricks::frames {

struct Encapsulated {
  std::string name;
  Bytes frame;      // Ethernet
  uint8_t headers;  // IP headers
  uint16_t vlan = 0;
  uint32_t vni = 0;
};

// What is inside: 10.0.0.1:40000 > 10.0.0.2:443, or IPv6 likewise.
inline Bytes inner4(const Ends& ends) { return ip4(ends, {}, tcp(ends)); }
inline Bytes inner6(const Ends& ends) { return ip6(ends, {}, tcp(ends)); }
inline Bytes inner_frame(const Ends& ends) { return ethernet(ends, 0x0800, inner4(ends)); }

// The outer addresses are of another net, and go the same way as the inner ones. With the port at
// both ends the outer flow, too, is the same both ways.
inline Bytes outer4(const Ends& ends, uint8_t protocol, const Bytes& data) {
  return ethernet(ends, 0x0800, ip4(ends, {.protocol = protocol, .net = 172}, data));
}
inline Bytes outer_udp(const Ends& ends, uint16_t port, const Bytes& data) {
  return outer4(ends, 17, udp(port, port, data));
}
inline Bytes outer_gre(const Ends& ends, uint16_t flags, uint16_t type, const Bytes& optional,
                       const Bytes& data) {
  return outer4(ends, 47, gre(flags, type, optional, data));
}

inline void add_shims(std::vector<Encapsulated>& to, const Ends& e) {
  const Bytes ip = inner4(e), frame = inner_frame(e);
  const Bytes ppp = be16(0x0021) + ip;
  to.push_back({"vlan", ethernet(e, 0x8100, tag(5, 0x0800, ip)), 1, 5});
  to.push_back({"qinq", ethernet(e, 0x88a8, tag(7, 0x8100, tag(6, 0x0800, ip))), 1, 6});
  to.push_back({"qinq 9100", ethernet(e, 0x9100, tag(7, 0x8100, tag(6, 0x0800, ip))), 1, 6});
  to.push_back({"vlan, ipv6", ethernet(e, 0x8100, tag(5, 0x86dd, inner6(e))), 1, 5});
  to.push_back({"mpls", ethernet(e, 0x8847, label(16, false, label(17, true, ip))), 1});
  to.push_back({"mpls, ipv6", ethernet(e, 0x8847, label(17, true, inner6(e))), 1});
  to.push_back(
      {"mpls, pseudowire, control word", ethernet(e, 0x8847, label(16, true, be32(3) + frame)), 1});
  to.push_back({"mpls, pseudowire", ethernet(e, 0x8847, label(16, true, frame)), 1});
  Bytes four = frame;  // RFC 4928: an address that looks like IPv4
  four[0] = 0x45;
  to.push_back({"mpls, pseudowire, 45:...", ethernet(e, 0x8847, label(16, true, four)), 1});
  to.push_back({"pppoe", ethernet(e, 0x8864, pppoe(ppp)), 1});
  to.push_back({"pppoe, compressed protocol", ethernet(e, 0x8864, pppoe(Bytes{0x21} + ip)), 1});
  to.push_back({"snap", ethernet(e, 60, Bytes{0xaa, 0xaa, 3, 0, 0, 0, 8, 0} + ip), 1});
  to.push_back({"mac in mac", ethernet(e, 0x88a8, tag(9, 0x88e7, be32(77) + frame)), 1});
  to.push_back({"vn-tag", ethernet(e, 0x8926, be32(1) + be16(0x0800) + ip), 1});
  to.push_back({"nsh", ethernet(e, 0x894f, Bytes{0, 2, 2, 1} + be32(0x100ff) + ip), 1});
}

inline void add_ip_tunnels(std::vector<Encapsulated>& to, const Ends& e) {
  const Bytes ip = inner4(e), ip_six = inner6(e), frame = inner_frame(e);
  const Bytes ppp = be16(0xff03) + be16(0x0021) + ip;
  to.push_back({"ip in ip", outer4(e, 4, ip), 2});
  to.push_back({"6in4", outer4(e, 41, ip_six), 2});
  to.push_back({"4in6", ethernet(e, 0x86dd, ip6(e, {.protocol = 4, .net = 9}, ip)), 2});
  to.push_back({"6in6", ethernet(e, 0x86dd, ip6(e, {.protocol = 41, .net = 9}, ip_six)), 2});
  to.push_back({"mpls in ip", outer4(e, 137, label(16, true, ip)), 2});
  to.push_back({"ethernet in ip", outer4(e, 143, frame), 2});
  to.push_back({"ether-ip", outer4(e, 97, be16(0x3000) + frame), 2});
  to.push_back(
      {"ah", outer4(e, 51, Bytes{4, 4} + be16(0) + be32(1) + be32(2) + Bytes(12) + ip), 2});
  to.push_back({"gre", outer_gre(e, 0, 0x0800, {}, ip), 2});
  to.push_back({"gre, ipv6", outer_gre(e, 0, 0x86dd, {}, ip_six), 2});
  to.push_back({"gre, checksum, key, sequence",
                outer_gre(e, 0xb000, 0x0800, be32(0) + be32(e.source) + be32(3), ip), 2});
  to.push_back({"gre, ethernet", outer_gre(e, 0, 0x6558, {}, frame), 2});
  to.push_back({"gre, mpls", outer_gre(e, 0, 0x8847, {}, label(16, true, ip)), 2});
  to.push_back({"gre, wccp", outer_gre(e, 0, 0x883e, {}, be32(0x0a0b0c0d) + ip), 2});
  to.push_back({"nvgre", outer_gre(e, 0x2000, 0x6558, be32(0x77 << 8 | 3), frame), 2, 0, 0x77});
  to.push_back(
      {"pptp",
       outer_gre(e, 0x3081, 0x880b,
                 be16(static_cast<uint32_t>(ppp.size())) + be16(e.source) + be32(1) + be32(2), ppp),
       2});
  to.push_back({"erspan 1", outer_gre(e, 0, 0x88be, {}, frame), 2});
  to.push_back(
      {"erspan 2",
       outer_gre(e, 0x1000, 0x88be, be32(1), be16(0x1005) + Bytes{0, 9, 0, 0, 0, 1} + frame), 2,
       5});
  const Bytes three = be16(0x2006) + Bytes(8) + be16(0);
  to.push_back({"erspan 3", outer_gre(e, 0x1000, 0x22eb, be32(1), three + frame), 2, 6});
  const Bytes own = be16(0x2006) + Bytes(8) + be16(1) + Bytes(8);
  to.push_back({"erspan 3, platform", outer_gre(e, 0x1000, 0x22eb, be32(1), own + frame), 2, 6});
  to.push_back({"l2tp 3 over ip", outer4(e, 115, be32(8) + be32(0xc00c1e) + frame), 2});
}

inline void add_udp_tunnels(std::vector<Encapsulated>& to, const Ends& e) {
  const Bytes ip = inner4(e), ip_six = inner6(e), frame = inner_frame(e);
  const Bytes tagged = ethernet(e, 0x8100, tag(12, 0x0800, ip));
  to.push_back({"vxlan", outer_udp(e, 4789, vxlan(0x1234, frame)), 2, 0, 0x1234});
  to.push_back({"vxlan 8472, vlan", outer_udp(e, 8472, vxlan(5, tagged)), 2, 12, 5});
  to.push_back(
      {"vxlan-gpe, ip", outer_udp(e, 4790, Bytes{0x0c, 0, 0, 1} + be32(6 << 8) + ip), 2, 0, 6});
  to.push_back(
      {"vxlan-gpe, nsh",
       outer_udp(e, 4790,
                 Bytes{0x0c, 0, 0, 4} + be32(6 << 8) + Bytes{0, 2, 2, 3} + be32(0x100ff) + frame),
       2, 0, 6});
  to.push_back({"geneve", outer_udp(e, 6081, geneve(8, 0x6558, {}, frame)), 2, 0, 8});
  to.push_back(
      {"geneve, options, ipv6", outer_udp(e, 6081, geneve(8, 0x86dd, Bytes(12), ip_six)), 2, 0, 8});
  to.push_back({"gtp-u", outer_udp(e, 2152, gtp_user(0, {}, ip)), 2});
  to.push_back({"gtp-u, sequence", outer_udp(e, 2152, gtp_user(2, Bytes(4), ip)), 2});
  to.push_back(
      {"gtp-u, extensions",
       outer_udp(e, 2152,
                 gtp_user(4, Bytes{0, 0, 0, 0x85, 1, 0, 1, 0x85, 2, 0, 0, 0, 0, 0, 0, 0}, ip_six)),
       2});
  to.push_back({"teredo", outer_udp(e, 3544, ip_six), 2});
  to.push_back({"teredo, authentication, origin",
                outer_udp(e, 3544, Bytes{0, 1, 2, 3} + Bytes(14) + Bytes(8) + ip_six), 2});
  const Bytes ppp = be16(0xff03) + be16(0x0021) + ip;
  to.push_back({"l2tp 2", outer_udp(e, 1701, be16(2) + be16(1) + be16(2) + ppp), 2});
  to.push_back({"l2tp 2, all options",
                outer_udp(e, 1701,
                          be16(0x4a02) + be16(static_cast<uint32_t>(16 + ppp.size())) + be16(1) +
                              be16(2) + be32(0) + be16(2) + Bytes(2) + ppp),
                2});
  to.push_back({"l2tp 3 over udp", outer_udp(e, 1701, be16(3) + be16(0) + be32(8) + frame), 2});
  to.push_back({"lisp", outer_udp(e, 4341, Bytes(8) + ip), 2});
}

inline void add_nested(std::vector<Encapsulated>& to, const Ends& e) {
  const Bytes ip = inner4(e);
  const Bytes tunnel = outer_udp(e, 4789, vxlan(3, inner_frame(e)));
  to.push_back(
      {"vxlan in gre in vlan",
       ethernet(e, 0x8100,
                tag(2, 0x0800, ip4(e, {.protocol = 47, .net = 99}, gre(0, 0x6558, {}, tunnel)))),
       3, 0, 3});
  to.push_back({"ip options", ethernet(e, 0x0800, ip4(e, {.options = Bytes(8, 1)}, tcp(e))), 1});
  const Bytes hops = Bytes{60, 0, 1, 4, 0, 0, 0, 0, 43, 0, 1, 4, 0, 0, 0, 0} +
                     Bytes{135, 0, 0, 0, 0, 0, 0, 0, 51, 0, 0, 0, 0, 0, 0, 0} +
                     Bytes{6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  to.push_back({"ipv6 extensions", ethernet(e, 0x86dd, ip6(e, {.protocol = 0}, hops + tcp(e))), 1});
  to.push_back({"ipv6 atomic fragment",
                ethernet(e, 0x86dd, ip6(e, {.protocol = 44}, fragment6(6, 0, false, 5, tcp(e)))),
                1});
  Bytes deep = ip;
  for (int i = 0; i < 8; ++i) deep = ip4(e, {.protocol = 4, .net = 50}, deep);
  to.push_back({"eight tunnels", ethernet(e, 0x0800, deep), 9});
}

inline std::vector<Encapsulated> encapsulations(const Ends& ends) {
  std::vector<Encapsulated> all;
  add_shims(all, ends);
  add_ip_tunnels(all, ends);
  add_udp_tunnels(all, ends);
  add_nested(all, ends);
  return all;
}

}  // namespace bricks::frames
