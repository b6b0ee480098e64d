// What is above an IP header: enough for a listing's payload bytes, TCP flags and ICMP type. Which
// flow a packet belongs to is decode()'s business alone (wire/flow_key.hh).
#pragma once

#include <cstdint>

namespace bricks::flows {

// What is above an IP header and its extensions.
struct Body {
  uint32_t at = 0;     // offset in the frame; perhaps beyond what was captured
  uint32_t bytes = 0;  // on the wire
  uint8_t protocol = 0;
  bool first = true;  // no fragment, or a datagram's first
};
// False: there is no IP header of `version` at `network`.
bool find_body(const uint8_t* data, uint32_t length, uint32_t wire_length, uint32_t network,
               uint8_t version, Body* body) noexcept;

struct Transport {
  uint8_t protocol = 0;        // behind all extension headers
  bool has_ports = false;      // the next two were captured
  uint16_t ports[2] = {0, 0};  // source, target
  uint32_t payload = 0;        // bytes above the transport header, as long as on the wire
  uint8_t tcp_flags = 0;       // of a whole TCP header
  bool has_icmp = false;       // the next two were captured
  uint8_t icmp_type = 0, icmp_code = 0;
};

// The packet has `length` captured bytes of `wire_length` at `data`, and an IP header of `version`
// at `network`. Never reads beyond `length`, whatever headers claim.
Transport read_transport(const uint8_t* data, uint32_t length, uint32_t wire_length,
                         uint32_t network, uint8_t version) noexcept;

bool has_ports(uint8_t protocol) noexcept;  // TCP, UDP, DCCP, SCTP, UDP-Lite

}  // namespace bricks::flows
