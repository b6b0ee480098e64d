// What comes after netmap: and what it means to the kernel module: which port, which of its rings.
#pragma once

#include <cstdint>
#include <string>

#include "mem/status.hh"

namespace bricks {

// The parts of a port that can be opened, with the values of nmreq_register.nr_mode.
enum class NetmapPart : uint32_t {
  hardware = 1,
  host = 2,
  both = 3,
  one_hardware = 4,
  one_host = 8
};

struct NetmapName {
  std::string port;  // as the kernel knows it: "eth3", "vale0:x", "eth3{0"
  NetmapPart part = NetmapPart::hardware;
  uint16_t ring = 0;  // of one_hardware, one_host
  bool vale = false;  // a port of a VALE switch
  bool pipe = false;  // the module's own pipe

  bool interface() const noexcept { return !vale && !pipe; }
};

// "eth3": all hardware rings; "eth3-2": that one; "eth3^": the host's rings; "eth3^1": that one;
// "eth3*": both kinds; "vale0:x"; "eth3{0", "eth3}0". An interface whose own name ends in "-2" is
// meant when there is one. `queue` (-1: none): the engine's, where the name says nothing of rings.
// invalid_port_name.
Status parse_netmap_name(const std::string& target, int32_t queue, NetmapName* name);

}  // namespace bricks
