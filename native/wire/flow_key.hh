// The flow key: what both directions of a conversation have in common. The one definition for
// session table, listings and explanations; hashes (wire/flow_hash.hh) are made of the same parts.
#pragma once

#include "wire/packet.hh"

namespace bricks {

// Which flow of a packet counts: an option of each brick that goes by flows.
struct FlowRule {
  bool outer = false;           // of the outermost IP header rather than the innermost
  bool addresses_only = false;  // "tuple = 2": no ports, no protocol
  bool tenant = false;          // VLAN id and VNI are part of the key
  bool operator==(const FlowRule&) const = default;
};

// The endpoint with the lower value (as decode() orders them) comes first.
struct FlowKey {
  uint8_t address[2][16];  // IPv4 in the first four bytes, zeros behind; not IP: MAC, likewise
  uint16_t port[2];        // as on the wire
  uint32_t vni;            // 0 where the rule says no tenant
  uint16_t vlan;
  uint8_t protocol;
  uint8_t ip_version;  // 4, 6, or 0: not IP
  bool operator==(const FlowKey&) const = default;
};
static_assert(sizeof(FlowKey) == 44);

// 64 bits that stand for the flow of a decoded packet under `rule`; for the default rule
// Packet.hash and tag, without a look at the packet. Other rules, and the order of the ends under
// them, take process_hash_seed().
uint64_t flow_digest(const Batch& batch, Index packet, const FlowRule& rule) noexcept;
FlowKey flow_key(const Batch& batch, Index packet, const FlowRule& rule) noexcept;

}  // namespace bricks
