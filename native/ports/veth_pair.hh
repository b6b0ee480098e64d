// A pair of virtual Ethernet interfaces: what is sent into one comes out of the other, which may
// lie in another network namespace.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "mem/status.hh"

namespace bricks {

struct VethSettings {
  std::string peer;     // the other end's name
  std::string netns;    // where it goes: a name of `ip netns`, a path, or a process id; empty: here
  uint32_t mtu = 1500;  // of both ends
};

// Goes when this goes; after a crash, when the next of that name is made: the pair is marked with
// the process that made it.
class VethPair {
 public:
  // Both ends made and up, without IPv6. already_exists: there is such an interface, and it is not
  // ours to replace; busy: it is another live process's; no_such_file, invalid_argument,
  // permission_denied, failed.
  static Status make(const std::string& name, const VethSettings& settings,
                     std::shared_ptr<VethPair>* pair);
  ~VethPair();

 private:
  VethPair() = default;
  int socket_ = -1;  // netlink, of the namespace where our end is
  int index_ = 0;
};

}  // namespace bricks
