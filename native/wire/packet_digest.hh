// A digest by which copies of one packet are recognised, although they took different ways: from
// its outermost IP header to the end of that IP packet, without what may differ.
#pragma once

#include "wire/flow_hash.hh"
#include "wire/packet.hh"

namespace bricks {

// What two copies of a packet may differ in.
struct CopyTolerance {
  bool ttl = true;       // IPv4 time to live, IPv6 hop limit, of the outermost IP header
  bool vlan = true;      // all between the MAC addresses and the IP header: tags, labels, PPPoE
  bool mac = true;       // MAC addresses
  bool checksum = true;  // of TCP, UDP, UDP-Lite, SCTP; a device that fills them in comes later
};

struct PacketDigest {
  uint64_t word;  // the same for copies; two packets meet in both by chance once in 2^96
  uint32_t check;
};

// Of a decoded packet. Without an IP header: of its payload behind VLAN tags.
PacketDigest packet_digest(const Batch& batch, Index packet, const CopyTolerance& tolerance,
                           const HashSeed& seed) noexcept;

}  // namespace bricks
