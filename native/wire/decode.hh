// Decodes every packet of a batch once: network offset, IP version, flow hash. Never reads beyond a
// packet's captured bytes, whatever its headers claim; bounded work per packet.
#pragma once

#include "wire/flow_hash.hh"
#include "wire/packet.hh"

namespace bricks {

// Depths that are followed; what lies deeper is counted as too_deep.
inline constexpr uint32_t kShimsMax = 8;       // VLAN tags, MPLS labels, PPPoE, SNAP: of one frame
inline constexpr uint32_t kExtensionsMax = 8;  // extension headers of one IPv6 or GTP-U header
inline constexpr uint32_t kTunnelsMax = 8;     // IP headers inside the outermost one

// How far ahead of its reading decode() asks for headers: into the second-level cache first, which
// can wait for many lines at once, then nearer. The caller has asked for the first kPrefetchAhead.
inline constexpr uint32_t kPrefetchAhead = 64, kPrefetchNear = 12;

inline void prefetch_far(const void* line) noexcept { __builtin_prefetch(line, 0, 2); }

// Fills hash, network, ip_version and the decode flags of batch.packets[0..count), their digests
// and, where kPacketLayers is set, layers; batch.usual, batch.not_ip and batch.header_faults.
void decode(Batch& batch, const HashSeed& seed) noexcept;

// One packet by the path that handles everything; decode()'s fast path must agree with it bit for
// bit (tested). Leaves the batch's counts alone.
void decode_slow(Batch& batch, Index packet, const HashSeed& seed) noexcept;

// The hash over addresses and protocol only ("2-tuple"), of a decoded packet.
uint32_t hash_addresses(const Packet& packet, const HashSeed& seed) noexcept;

// What the fragments of a datagram have in common, once its first one has been seen.
struct FragmentFlow {
  uint32_t hash, tag;                 // of the innermost flow, which only the first fragment shows
  uint32_t outer_hash, outer_tag;     // of the outermost
  uint16_t source_port, target_port;  // of the datagram itself, as on the wire
  uint8_t protocol;                   // likewise, above its extension headers
  uint16_t vlan;                      // of the innermost flow, as in Layers
  uint32_t vni;
  bool reverse;  // kPacketReverse
};

// Datagrams are told apart by tenant, addresses, id and, IPv4 only, protocol (RFC 791, RFC 8200):
// this, of the IP header at `network`, 0 for IPv6.
uint8_t datagram_protocol(const Packet& packet, uint16_t network, uint8_t version) noexcept;
// To be remembered under key_network and fragment_id of a decoded first fragment (fragment_more
// set, fragment_at 0) ...
FragmentFlow fragment_flow(const Batch& batch, Index first) noexcept;
// ... and under carrier_network and carrier_id where carrier_version is set: the datagram whose
// first fragment this is carries a tunnel or an ICMP error. A packet may be both, and may be a
// kPacketFragment of the inner datagram: then this is asked after that has been resolved.
FragmentFlow carrier_flow(const Batch& batch, Index first) noexcept;
// Makes a kPacketFragment one of that flow: hash, tag, layers, kPacketReverse, and no longer
// kPacketFragment. An ICMP error that quotes it (key_network is not network) goes the other way.
void set_fragment_flow(Batch& batch, Index later, const FragmentFlow& flow) noexcept;

// The same from ports alone (as on the wire): hash, tag, outer hash and ports are computed anew.
void set_flow_ports(Batch& batch, Index packet, uint16_t source_port, uint16_t target_port,
                    const HashSeed& seed) noexcept;

}  // namespace bricks
