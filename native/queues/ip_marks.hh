// What queues read and write in a packet's outermost IP header: its length, DSCP and ECN. A mark
// belongs in the outermost header, and where a tunnel ends it is carried on (RFC 6040).
#pragma once

#include "queues/meters.hh"
#include "wire/packet.hh"

namespace bricks {

// Bytes of the outermost IP packet as its header says, if that can be; of the whole frame where
// there is none.
uint32_t ip_bytes(const Batch& batch, Index packet) noexcept;
// Offset of that header; 0 and `version` 0: there is none.
uint32_t ip_offset(const Batch& batch, Index packet, uint8_t* version) noexcept;

// `header`: of that version, and whole. False, and nothing written: its sender does not understand
// marks (RFC 3168: Not-ECT). IPv4's checksum is kept right, or as wrong as it was.
bool mark_congestion(uint8_t* header, uint8_t version) noexcept;
void set_dscp(uint8_t* header, uint8_t version, uint8_t dscp) noexcept;
uint8_t dscp_of(const uint8_t* header, uint8_t version) noexcept;
// By drop precedence (RFC 2597): AFx2 is yellow, AFx3 red, all else green.
Colour colour_of(uint8_t dscp) noexcept;

}  // namespace bricks
