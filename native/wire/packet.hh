// A packet on its way through an engine, and the batch it travels in. Filled by an input, decoded
// once (wire/decode.hh), read by every brick, taken by outputs.
#pragma once

#include <cstdint>

#include "mem/limits.hh"
#include "wire/link_type.hh"

namespace bricks {

class Region;

using Nanos = uint64_t;  // since 1970 for packets; monotonic where a comment says so
using Index = uint16_t;  // of a packet in its batch

enum PacketFlag : uint8_t {
  kPacketCut = 1,       // wire_lengths[i] says how long it was on the wire
  kPacketFragment = 2,  // decode: an IP fragment, ports not part of the hash
};

inline constexpr uint32_t kNoBuffer = 0;  // netmap reserves index 0
inline constexpr uint32_t kForeignBuffer = 1u << 31;

struct Packet {
  uint8_t* data;       // the frame; outputs may not write to it
  uint32_t length;     // captured bytes at data
  uint32_t hash;       // decode: symmetric flow hash
  Nanos timestamp;     // receive time
  uint32_t buffer;     // index in the batch's region, kNoBuffer when the memory is not a region's
  uint16_t network;    // decode: offset of the IP header; 0 with no IP header means none
  uint8_t ip_version;  // decode: 4, 6, or 0
  uint8_t flags;       // PacketFlag
};
static_assert(sizeof(Packet) == 32);

struct Batch {
  uint32_t count = 0;
  uint32_t not_ip = 0;                 // decode: how many of them are not IP
  LinkType link = LinkType::ethernet;  // of all its packets: an input ends a batch where it changes
  // True when at every packet's data `length` rounded up to 64, and 64 at least, may be read:
  // copies run in whole lines.
  bool padded = false;
  // True when no packet is longer than kBufferPayload or cut: what an input knows of all its
  // packets need not be asked of each. False says nothing.
  bool plain = false;
  bool decoded = false;  // wire/decode.hh has filled in what it adds
  // The memory behind every `buffer`, or nullptr. An output of the same region may exchange
  // buffers: it takes packets[i].buffer and leaves another there, with the length of the packet
  // that is still in it, or marked kForeignBuffer: what is in it is anybody's. release() gives both
  // to the input.
  Region* region = nullptr;
  alignas(64) Packet packets[kBatchMax];
  uint32_t wire_lengths[kBatchMax];  // read only where kPacketCut is set
};

inline uint32_t wire_length(const Batch& batch, uint32_t i) noexcept {
  return batch.packets[i].flags & kPacketCut ? batch.wire_lengths[i] : batch.packets[i].length;
}

}  // namespace bricks
