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

// A hash without collisions, so that one load and one compare ask for all.
struct TunnelPortTable {
  uint32_t multiplier = 1;
  uint16_t port[16] = {};
  constexpr uint32_t slot(uint16_t p) const noexcept { return (p * multiplier >> 16) & 15; }
  constexpr TunnelPortTable() noexcept {
    for (bool found = false; !found; multiplier += found ? 0 : 2) {
      found = true;
      for (uint16_t& p : port) p = 0;
      for (const uint16_t tunnel : kTunnelPorts) {
        uint16_t& at = port[slot(tunnel)];
        found &= at == 0;
        at = tunnel;
      }
    }
  }
};
inline constexpr TunnelPortTable kTunnelPortTable;

inline bool is_tunnel_port(uint16_t port) noexcept {
  return (kTunnelPortTable.port[kTunnelPortTable.slot(port)] == port) & (port != 0);
}

}  // namespace bricks
