// A packet on its way through an engine, and the batch it travels in. Filled by an input, decoded
// once (wire/decode.hh), read by every brick, taken by outputs.
#pragma once

#include <cstdint>

#include "mem/ledger.hh"
#include "mem/limits.hh"
#include "wire/link_type.hh"

namespace bricks {

class Region;

using Nanos = uint64_t;  // since 1970 for packets; monotonic where a comment says so
using Index = uint16_t;  // of a packet in its batch

enum PacketFlag : uint8_t {
  kPacketCut = 1,       // wire_lengths[i] says how long it was on the wire
  kPacketFragment = 2,  // decode: an IP fragment whose datagram's ports nobody has seen yet
  kPacketLayers = 4,    // decode: more than one plain IP header: see batch.layers[i]
  kPacketReverse = 8,   // decode: it goes from the higher endpoint of its flow to the lower
};

inline constexpr uint32_t kNoBuffer = 0;  // netmap reserves index 0
inline constexpr uint32_t kForeignBuffer = 1u << 31;

struct Packet {
  uint8_t* data;       // the frame; outputs may not write to it
  uint32_t length;     // captured bytes at data
  uint32_t hash;       // decode: symmetric hash of the innermost flow
  Nanos timestamp;     // receive time
  uint32_t buffer;     // index in the batch's region, kNoBuffer when the memory is not a region's
  uint16_t network;    // decode: offset of the innermost IP header; 0 and no ip_version: none
  uint8_t ip_version;  // decode: of that header: 4, 6, or 0
  uint8_t flags;       // PacketFlag
};
static_assert(sizeof(Packet) == 32);

// What is to be known of a packet that is not plain: it has shims, a tunnel, IPv6 extensions, a
// fragment, an ICMP error, a lying header. Offsets are from the frame's first byte; 0: there is
// none. Ports are as on the wire (network byte order, as a native load).
struct Layers {
  uint32_t outer_hash;     // of the outermost IP header's flow, upper and lower half;
  uint32_t outer_tag;      // equal to the flow's where nothing is nested
  uint16_t outer_network;  // the outermost IP header
  uint8_t outer_version;   // 4, 6, or 0
  uint8_t headers;         // IP headers one inside the other; quoted ones do not count
  uint16_t key_network;    // the IP header that names the flow: an ICMP error's quoted one, else
  uint8_t key_version;     // Packet.network; version 0: the MAC addresses that do
  uint8_t protocol;        // of the flow
  uint16_t source_port;    // of the flow as on the wire, 0: none; filled in for fragments when
  uint16_t target_port;    // their first one is known
  uint16_t transport;      // what is above the innermost IP header and its extensions
  uint16_t vlan;           // of the frame the innermost IP header is in: its last tag, VLAN id only
  uint32_t vni;            // of the innermost VXLAN, GENEVE or NVGRE
  uint32_t fragment_id;    // kPacketFragment, or a first fragment: the datagram's, as on the wire;
                           // its addresses are at key_network
  uint16_t fragment_at;    // offset in bytes within the datagram
  bool fragment_more;      // more fragments follow
  HeaderFault fault;
  uint32_t carrier_id;       // a first fragment that carries a tunnel: the outer datagram's id,
  uint16_t carrier_network;  // its IP header, and its own flow
  uint16_t carrier_source_port;
  uint16_t carrier_target_port;
  uint8_t carrier_version;  // 4, 6, or 0: none
  uint8_t carrier_protocol;
  uint32_t carrier_vni;  // what vlan and vni are to the innermost header
  uint16_t carrier_vlan;
  uint16_t zero;
};
static_assert(sizeof(Layers) == 56);

// What a batch comes from: an input, or a brick that has released what it held.
struct Source {
  Nanos latest = 0;    // timestamp of the last packet it gave, wherever that went
  Nanos empty_at = 0;  // wall-clock time when it last had nothing, although asked
  bool ended = false;  // it will never have anything again
};

struct Batch {
  uint32_t count = 0;
  uint32_t not_ip = 0;                             // decode: how many of them are not IP
  uint32_t header_faults[kHeaderFaultCount] = {};  // decode: how many of them lie, and how
  uint32_t fragments = 0;              // decode: how many are or carry fragments, first ones too
  LinkType link = LinkType::ethernet;  // of all its packets: an input ends a batch where it changes
  // True when at every packet's data `length` rounded up to 64, and 64 at least, may be read:
  // copies run in whole lines.
  bool padded = false;
  // True when no packet is longer than kBufferPayload or cut: what an input knows of all its
  // packets need not be asked of each. False says nothing.
  bool plain = false;
  // decode: true: each is IPv4 without options, TCP or UDP, right in Ethernet. False says nothing.
  bool usual = false;
  bool decoded = false;            // wire/decode.hh has filled in what it adds
  bool has_applications = false;   // a Session brick has filled in `applications`
  const Source* source = nullptr;  // engine: null: none that a brick was told of
  Nanos now = 0;                   // engine: wall-clock time of this breath
  bool packet_time = false;        // engine: sessions live by packets' times, not by the clock
  // The memory behind every `buffer`, or nullptr. An output of the same region may exchange
  // buffers: it takes packets[i].buffer and leaves another there, with the length of the packet
  // that is still in it, or marked kForeignBuffer: what is in it is anybody's. release() gives both
  // to the input.
  Region* region = nullptr;
  alignas(64) Packet packets[kBatchMax];
  uint32_t wire_lengths[kBatchMax];  // read only where kPacketCut is set
  // decode: the whole flow hash, by which the session table knows a flow: two flows meet in one by
  // chance once in 2^64, and nobody without the seed can make them. Packet.hash is its upper half.
  alignas(64) uint64_t digests[kBatchMax];
  Layers layers[kBatchMax];  // decode: read only where kPacketLayers is set
  // What each packet's session speaks, as far as it is known: enum bricks_protocol. Read only where
  // has_applications is set: wire/application.hh.
  uint8_t applications[kBatchMax];
};

inline uint32_t wire_length(const Batch& batch, uint32_t i) noexcept {
  return batch.packets[i].flags & kPacketCut ? batch.wire_lengths[i] : batch.packets[i].length;
}

}  // namespace bricks
