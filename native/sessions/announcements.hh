// What the payload of one packet announces: endpoints of flows to come. Pure functions over bytes
// that anybody may have written; a line that is split across packets is missed.
#pragma once

#include <cstdint>
#include <span>

#include "wire/flow_key.hh"

namespace bricks {

inline constexpr uint32_t kAnnouncedMax = 16;  // endpoints of one packet; the rest is passed over

struct Announced {
  uint8_t address[16];  // as in FlowKey
  uint16_t port;        // as on the wire
  uint8_t protocol;
  bool sender;  // address is not given: it is that of whoever sent the packet
  bool other;   // nor here: that of the other side
};

using Payload = std::span<const uint8_t>;

// Each returns how many it has written to `to` (kAnnouncedMax).
// FTP's control connection: PORT, EPRT and the answers to PASV and EPSV (RFC 959, 2428).
uint32_t read_ftp(Payload payload, Announced* to) noexcept;
// A body of SDP in SIP or elsewhere: media with their RTCP (RFC 4566, 3605).
uint32_t read_sdp(Payload payload, uint8_t ip_version, Announced* to) noexcept;
// RTSP's Transport header (RFC 2326). `from_client`: it is the client that sent it.
uint32_t read_rtsp(Payload payload, bool from_client, Announced* to) noexcept;
// A read or write request of TFTP (RFC 1350), sent from that port: the answer comes from another.
uint32_t read_tftp(Payload payload, uint16_t source_port, Announced* to) noexcept;

}  // namespace bricks
