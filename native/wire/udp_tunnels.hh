// The UDP ports that may lead into a tunnel: such packets leave decode()'s fast path.
#pragma once

#include <cstdint>

namespace bricks {

inline constexpr uint16_t kL2tpPort = 1701;
inline constexpr uint16_t kGtpUserPort = 2152;
inline constexpr uint16_t kTeredoPort = 3544;
inline constexpr uint16_t kLispPort = 4341;
inline constexpr uint16_t kVxlanPort = 4789;
inline constexpr uint16_t kVxlanGpePort = 4790;
inline constexpr uint16_t kGenevePort = 6081;
inline constexpr uint16_t kVxlanOldPort = 8472;  // before IANA gave it one; Linux's default

// Eight of them, so that one vector compare asks for all.
inline constexpr uint16_t kTunnelPorts[8] = {kL2tpPort,  kGtpUserPort,  kTeredoPort, kLispPort,
                                             kVxlanPort, kVxlanGpePort, kGenevePort, kVxlanOldPort};

inline bool is_tunnel_port(uint16_t port) noexcept {
  bool found = false;
  for (const uint16_t tunnel : kTunnelPorts) found |= port == tunnel;
  return found;
}

}  // namespace bricks
