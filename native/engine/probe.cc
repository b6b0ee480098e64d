// The packet that asks: the smallest frame of that flow that decodes.
#include <arpa/inet.h>

#include <cstring>

#include "engine/explain.hh"

namespace bricks {

namespace {

constexpr uint16_t kVlanMax = 4094;
constexpr uint32_t kVniMax = (1u << 24) - 1;
constexpr uint16_t kVxlanPort = 4789;  // RFC 7348
// Ends of the tunnel that nobody named: documentation addresses (RFC 5737).
constexpr char kTunnelSource[] = "192.0.2.1", kTunnelTarget[] = "192.0.2.2";

struct Protocol {
  const char* name;
  uint8_t number, number_ipv6;
  uint16_t bytes;  // of the header we make
};
constexpr Protocol kProtocols[] = {
    {"tcp", 6, 6, 20}, {"udp", 17, 17, 8}, {"icmp", 1, 58, 8}, {"sctp", 132, 132, 12}};

class Writer {
 public:
  explicit Writer(std::vector<uint8_t>* to) : to_(*to) {}
  void u8(uint32_t v) { to_.push_back(static_cast<uint8_t>(v)); }
  void u16(uint32_t v) { u8(v >> 8), u8(v); }
  void u32(uint32_t v) { u16(v >> 16), u16(v); }
  void zeros(size_t n) { to_.resize(to_.size() + n); }
  void bytes(const uint8_t* from, size_t n) { to_.insert(to_.end(), from, from + n); }

 private:
  std::vector<uint8_t>& to_;
};

void ethernet(Writer& out, uint16_t type, int32_t vlan) {
  out.u16(0x0200), out.u32(1);  // locally administered
  out.u16(0x0200), out.u32(2);
  if (vlan >= 0) out.u16(0x8100), out.u16(static_cast<uint32_t>(vlan));
  out.u16(type);
}

void ip(Writer& out, bool v6, uint8_t protocol, const uint8_t* source, const uint8_t* target,
        uint32_t payload) {
  if (v6) {
    out.u32(6u << 28), out.u16(payload), out.u8(protocol), out.u8(64);
  } else {
    out.u16(0x4500), out.u16(20 + payload), out.u32(0), out.u8(64), out.u8(protocol), out.u16(0);
  }
  const size_t width = v6 ? 16 : 4;
  out.bytes(source, width), out.bytes(target, width);
}

void transport(Writer& out, const Protocol& protocol, bool v6, uint16_t source, uint16_t target) {
  if (protocol.number == 1) {
    out.u8(v6 ? 128 : 8), out.zeros(7);  // echo request
    return;
  }
  out.u16(source), out.u16(target);
  switch (protocol.number) {
    case 6:  // a segment of an established connection: ACK
      out.zeros(8), out.u16(0x5010), out.zeros(6);
      break;
    case 17:
      out.u16(8), out.u16(0);
      break;
    default:
      out.zeros(8);
  }
}

Status wrong(const std::string& what) { return {Code::invalid_argument, what}; }

}  // namespace

Status make_probe(const FlowQuestion& question, std::vector<uint8_t>* frame) {
  const Protocol* protocol = nullptr;
  for (const Protocol& each : kProtocols) {
    if (question.protocol == each.name) protocol = &each;
  }
  if (!protocol) {
    return wrong("no protocol '" + question.protocol + "'; there are tcp, udp, icmp and sctp");
  }
  uint8_t source[16], target[16];
  const auto read = [&](int family) {
    return inet_pton(family, question.source.c_str(), source) == 1 &&
           inet_pton(family, question.target.c_str(), target) == 1;
  };
  const bool v6 = !read(AF_INET);
  if (v6 && !read(AF_INET6)) {
    return wrong("'" + question.source + "' and '" + question.target +
                 "' must be two IPv4 addresses, or two IPv6 addresses");
  }
  if (question.vlan > kVlanMax) {
    return wrong("vlan is " + std::to_string(question.vlan) + "; it is 0 to " +
                 std::to_string(kVlanMax));
  }
  if (question.vni > kVniMax) {
    return wrong("vni is " + std::to_string(question.vni) + "; it is 0 to " +
                 std::to_string(kVniMax));
  }
  frame->clear();
  Writer out(frame);
  const uint32_t header = v6 ? 40 : 20, shim = question.vlan >= 0 ? 4 : 0;
  const uint32_t inner = 14 + shim + header + protocol->bytes;
  if (question.vni >= 0) {
    uint8_t from[4], to[4];
    inet_pton(AF_INET, kTunnelSource, from);
    inet_pton(AF_INET, kTunnelTarget, to);
    ethernet(out, 0x0800, -1);
    ip(out, false, 17, from, to, 8 + 8 + inner);
    out.u16(49152), out.u16(kVxlanPort), out.u16(8 + 8 + inner), out.u16(0);
    out.u32(0x08000000), out.u32(static_cast<uint32_t>(question.vni) << 8);
  }
  ethernet(out, v6 ? 0x86dd : 0x0800, question.vlan);
  ip(out, v6, v6 ? protocol->number_ipv6 : protocol->number, source, target, protocol->bytes);
  transport(out, *protocol, v6, question.source_port, question.target_port);
  return {};
}

}  // namespace bricks
