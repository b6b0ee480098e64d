// The hash that packet-bricks balanced by, bit for bit, for those who rely on where it put things.
// It is symmetric and that is all: 16 bits of entropy, no fragments, /32 of IPv6 addresses.
#pragma once

#include "wire/packet.hh"

namespace bricks {

// `addresses_only`: its 2-tuple. Bytes that were not captured count as 0; inner IPv4 headers are
// followed to a depth of 8.
uint32_t modulo_hash(const Packet& packet, LinkType link, bool addresses_only,
                     uint32_t level) noexcept;

}  // namespace bricks
