// Decodes every packet of a batch once: network offset, IP version, flow hash. Never reads beyond a
// packet's captured bytes, whatever its headers claim; bounded work per packet.
#pragma once

#include "wire/flow_hash.hh"
#include "wire/packet.hh"

namespace bricks {

inline constexpr uint32_t kShimsMax = 8;       // VLAN tags, MPLS labels, PPPoE, SNAP: together
inline constexpr uint32_t kExtensionsMax = 8;  // IPv6 extension headers

// How far ahead of its reading decode() asks for headers; the caller has asked for the first ones.
inline constexpr uint32_t kPrefetchAhead = 32;

// Fills hash, network, ip_version and the decode flags of batch.packets[0..count).
void decode(Batch& batch, const HashSeed& seed) noexcept;

// The path that handles everything; decode()'s fast path must agree with it bit for bit (tested).
void decode_slow(Packet& packet, LinkType link, const HashSeed& seed) noexcept;

// The hash over addresses and protocol only ("2-tuple"), of a decoded packet.
uint32_t hash_addresses(const Packet& packet, const HashSeed& seed) noexcept;

}  // namespace bricks
