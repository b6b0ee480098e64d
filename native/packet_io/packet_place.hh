// A packet of the packet IO library in a batch of the engine's kind.
#pragma once

#include <algorithm>

#include "abi/bricks_packet_io.h"
#include "wire/packet.hh"

namespace bricks {

// In the next place, which there is; without what decode adds, and not its owner.
inline Index place_packet(Batch& batch, const struct packet& from) noexcept {
  const auto place = static_cast<Index>(batch.count++);
  Packet& to = batch.packets[place];
  to = {};
  to.data = from.data;
  to.length = from.length;
  to.timestamp = from.timestamp;
  to.buffer = kNoBuffer;
  if (from.wire_length > from.length) to.flags = kPacketCut;
  batch.wire_lengths[place] = std::max(from.wire_length, from.length);
  return place;
}

}  // namespace bricks
