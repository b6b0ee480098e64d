// The steering table: traffic of a known number of flows, through an engine and through the
// kernel's own AF_PACKET fanout. Which flow a frame is of stands in its last bytes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "../../test/native/frames.hh"

namespace bench {

using bricks::frames::Bytes;

struct Traffic {
  std::vector<Bytes> frames;
  uint32_t flows = 0;
};

// outputs[flow]: the outputs that got packets of it, with how many.
using Steered = std::vector<std::map<uint32_t, uint32_t>>;

Bytes marker(uint32_t flow);
// The flow a frame is of; UINT32_MAX: none of ours.
uint32_t flow_of(const uint8_t* frame, size_t length);

// AF_PACKET, PACKET_FANOUT_HASH, that many sockets on one end of a veth pair in a network namespace
// of their own; `before` and `after` are the outputs of the same flows with that many sockets, then
// with one taken away or added. False, with the reason: not on this machine.
struct KernelRun {
  const Traffic& traffic;
  uint32_t sockets;
  int change = 0;  // -1, 0, +1
  Steered before = {}, after = {};
};
bool steer_by_kernel(std::vector<KernelRun>& runs, std::string* why);

}  // namespace bench
