#include "flows/transport.hh"

#include <algorithm>

#include "wire/bytes.hh"
#include "wire/decode.hh"

namespace bricks::flows {
namespace {

constexpr uint8_t kTcp = 6, kUdp = 17, kDccp = 33, kSctp = 132, kUdpLite = 136;
constexpr uint8_t kIcmp = 1, kIcmp6 = 58;

uint32_t less(uint32_t a, uint32_t b) noexcept { return a > b ? a - b : 0; }

bool find_body4(const uint8_t* data, uint32_t length, uint32_t wire_length, uint32_t network,
                Body* body) noexcept {
  if (length < network + 20) return false;
  const uint8_t* ip = data + network;
  const uint32_t header = (ip[0] & 15u) * 4;
  const uint32_t total = load_be16(ip + 2);
  // 0: the network card cut this packet into smaller ones after it was captured (TSO).
  const uint32_t there = less(wire_length, network);
  const uint32_t claimed = total == 0 ? there : std::min(total, there);
  body->protocol = ip[9];
  body->at = network + std::max(header, 20u);
  body->bytes = less(claimed, std::max(header, 20u));
  body->first = (load_be16(ip + 6) & 0x1fff) == 0;
  return true;
}

// Past the extension headers, as decode() walks them.
bool find_body6(const uint8_t* data, uint32_t length, uint32_t wire_length, uint32_t network,
                Body* body) noexcept {
  if (length < network + 40) return false;
  const uint8_t* ip = data + network;
  const uint32_t claimed = load_be16(ip + 4), there = less(wire_length, network + 40);
  body->protocol = ip[6];
  body->at = network + 40;
  body->bytes = claimed == 0 ? there : std::min(claimed, there);  // 0: a jumbogram, or TSO
  for (uint32_t i = 0; i < kExtensionsMax && length >= body->at + 8; ++i) {
    const uint8_t* header = data + body->at;
    uint32_t bytes;
    switch (body->protocol) {
      case 0:
      case 43:
      case 60:
      case 135:
      case 139:
      case 140:
        bytes = (header[1] + 1u) * 8;
        break;
      case 51:
        bytes = (header[1] + 2u) * 4;
        break;
      case 44:
        bytes = 8;
        body->first = (load_be16(header + 2) & 0xfff8) == 0;
        break;
      default:
        return true;
    }
    body->protocol = header[0];
    body->at += bytes;
    body->bytes = less(body->bytes, bytes);
    if (!body->first) return true;
  }
  return true;
}

// AH in IPv4: the header is 32-bit words minus two long.
void skip_authentication(const uint8_t* data, uint32_t length, Body* body) noexcept {
  if (body->protocol != 51 || length < body->at + 8) return;
  const uint32_t bytes = (data[body->at + 1] + 2u) * 4;
  body->protocol = data[body->at];
  body->at += bytes;
  body->bytes = less(body->bytes, bytes);
}

void read_ports(const uint8_t* data, uint32_t left, const Body& body, Transport* found) noexcept {
  if (left < 4) return;
  found->has_ports = true;
  found->ports[0] = load_be16(data);
  found->ports[1] = load_be16(data + 2);
  switch (body.protocol) {
    case kTcp: {
      if (left < 14) return;
      found->tcp_flags = data[13];
      const uint32_t header = (data[12] >> 4) * 4u;
      found->payload = header < 20 ? 0 : less(body.bytes, header);
      return;
    }
    case kSctp:
      found->payload = less(body.bytes, 12);
      return;
    case kDccp:
      if (left >= 5) found->payload = less(body.bytes, data[4] * 4u);
      return;
    default: {  // UDP, UDP-Lite
      // A first fragment's UDP length is that of the datagram; what is here is in `bytes`.
      const uint32_t said = left >= 6 && body.protocol == kUdp ? load_be16(data + 4) : 0;
      found->payload = less(said >= 8 ? std::min(said, body.bytes) : body.bytes, 8);
    }
  }
}

}  // namespace

bool find_body(const uint8_t* data, uint32_t length, uint32_t wire_length, uint32_t network,
               uint8_t version, Body* body) noexcept {
  const bool is_there = version == 4   ? find_body4(data, length, wire_length, network, body)
                        : version == 6 ? find_body6(data, length, wire_length, network, body)
                                       : false;
  if (is_there && version == 4 && body->first) skip_authentication(data, length, body);
  return is_there;
}

bool has_ports(uint8_t protocol) noexcept {
  return protocol == kTcp || protocol == kUdp || protocol == kDccp || protocol == kSctp ||
         protocol == kUdpLite;
}

Transport read_transport(const uint8_t* data, uint32_t length, uint32_t wire_length,
                         uint32_t network, uint8_t version) noexcept {
  Transport found;
  Body body;
  if (!find_body(data, length, wire_length, network, version, &body)) return found;
  found.protocol = body.protocol;
  if (!body.first) {  // all of it is the datagram's
    found.payload = has_ports(body.protocol) ? body.bytes : 0;
    return found;
  }
  const uint32_t left = less(length, body.at);
  if (has_ports(body.protocol)) read_ports(data + body.at, left, body, &found);
  if ((body.protocol == kIcmp || body.protocol == kIcmp6) && left >= 2) {
    found.has_icmp = true;
    found.icmp_type = data[body.at];
    found.icmp_code = data[body.at + 1];
  }
  return found;
}

}  // namespace bricks::flows
