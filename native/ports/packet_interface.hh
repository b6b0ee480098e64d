// What the packet: port must know of a network interface, and the words for when it is not there.
// Control plane, in the network namespace of the calling thread.
#pragma once

#include <cstdint>
#include <string>

#include "mem/status.hh"
#include "wire/link_type.hh"

namespace bricks {

struct Interface {
  std::string name;
  int index = 0;
  uint32_t mtu = 0;  // bytes after the link header
  bool up = false;
  bool ethernet = false;  // a MAC header in front, promiscuous mode makes sense
  // The kernel gives packets with their link header; false: from the network header on, as raw IP.
  bool link_header = false;
  LinkType link = LinkType::ethernet;
};

// no_such_interface names those there are; unsupported: a kind of link that is not ours.
Status find_interface(const std::string& name, Interface* interface);

// How many receive queues the interface has; 1 where it does not say.
uint32_t receive_queues(const Interface& interface);

// An AF_PACKET socket that receives nothing yet. permission_denied says how to get the right.
// `link_header` as in Interface. The caller owns *fd.
Status open_packet_socket(const Interface& interface, int* fd);

// Warnings are sentences with "; " between them. Of an input whose interface is down, or gone.
void add_warning(std::string* warnings, const std::string& words);
void warn_of_absence(const std::string& interface, bool down, bool gone, std::string* warnings);

}  // namespace bricks
