// Whether an interface that was named without a scheme ("eth3") is opened through AF_XDP. AF_XDP
// takes packets away from the system, has no receive times, no VLAN tags that the device strips and
// no frames beyond a buffer: worth it only where the device itself writes into our memory, and
// right only where nobody else can miss anything. All others get AF_PACKET, which has none of that.
#pragma once

#include <cstdint>
#include <string>

#include "ports/packet_interface.hh"

namespace bricks {

struct XdpFacts {
  uint64_t features = 0;     // of the driver: NETDEV_XDP_ACT_*; 0 before Linux 6.3
  bool addressed = false;    // the system has an IP address on it
  bool enslaved = false;     // it belongs to a bridge, a bond or the like
  bool strips_tags = false;  // the device takes VLAN tags out of frames
  bool has_program = false;  // somebody's XDP program is there
  uint32_t mtu = 0;
};

// Control plane; asks the kernel, changes nothing.
XdpFacts look_for_xdp(const Interface& interface);
// Empty: AF_XDP suits; else why not, in a few words.
std::string why_not_xdp(const XdpFacts& facts);

// True where the device takes VLAN tags out of what it receives; AF_XDP then has no place for them.
bool strips_tags(const Interface& interface);

}  // namespace bricks
