// The walk of the slow path, from one header to the next: link header, shims, IP, tunnels, what an
// ICMP error quotes. Each step takes the bytes it needs, or notes a fault and stops; the flow is
// that of the last header that made sense. Private to wire/.
#pragma once

#include <algorithm>

#include "wire/bytes.hh"
#include "wire/decode.hh"
#include "wire/ether_type.hh"

namespace bricks {

// What is at Walk.at.
enum class Next : uint8_t {
  stop,
  frame,     // an Ethernet header
  network,   // what Walk.type says
  ppp,       // PPP's protocol field, perhaps behind address and control
  protocol,  // what Walk.protocol says
};

inline constexpr uint16_t kNoMacs = 0xffff;

struct Walk {
  const uint8_t* data;
  uint32_t end;    // bytes that may be read: captured, and inside what headers say
  uint32_t limit;  // the same, captured or not
  const HashSeed& seed;
  uint32_t tunnels_max = kTunnelsMax;

  uint32_t at = 0;  // never beyond `end`
  uint16_t type = kNoType;
  uint8_t protocol = 0;

  bool plain = true;      // nothing that Layers would have to tell
  bool fragment = false;  // kPacketFragment
  bool claimed = false;   // a header has said where `limit` is
  bool open = false;      // more may belong here than there is: first fragments, quotes, mirrors
  bool quoted = false;    // inside what an ICMP error quotes
  bool fresh = true;      // the next IP header is the first one of the packet, or of the quote
  uint8_t shims = 0;      // since the frame or IP header
  uint8_t extensions = 0;
  uint8_t tunnels = 0;
  bool outer_known = false;
  uint16_t macs = kNoMacs;  // the innermost Ethernet header
  uint16_t vlan = 0;        // of the frame we are in
  uint32_t vni = 0;

  uint16_t network = 0;
  uint8_t version = 0;
  Layers layers = {};

  uint32_t left() const noexcept { return end - at; }
  Next fail(HeaderFault fault) noexcept {
    if (layers.fault == HeaderFault::none) layers.fault = fault;
    plain = false;
    return Next::stop;
  }
  // False: fewer than `bytes` are left, which is noted as a fault.
  bool need(uint32_t bytes) noexcept;
  // A header says that what it heads ends at `stop`.
  void claim(uint32_t stop) noexcept;
  // One shim more; false: too many.
  bool count_shim() noexcept;
  // An IP header at `at` is believed: the flow is its flow from now on. False: too deep.
  bool enter(uint8_t ip_version) noexcept;
  // A datagram whose first fragment this is turns out to carry something with a flow of its own.
  void carry() noexcept;
  Next network_of(uint16_t ether_type) noexcept {
    type = ether_type;
    return Next::network;
  }
};

// Does what is at `at` look like that, lengths included? No more than a guess for Ethernet.
bool looks_like_ip(const Walk& walk, uint32_t at, uint8_t version) noexcept;
bool looks_like_ethernet(const Walk& walk, uint32_t at) noexcept;
bool looks_like_ppp(const Walk& walk, uint32_t at) noexcept;

bool has_ports(uint8_t protocol) noexcept;
uint16_t ether_type_of_ppp(uint16_t protocol) noexcept;
uint16_t type_of_nibble(const Walk& walk) noexcept;  // of a bare IP header, by its first four bits

Next read_link(Walk& walk, LinkType link) noexcept;
Next read_other_link(Walk& walk, uint32_t link) noexcept;  // what only captures have
Next read_frame(Walk& walk) noexcept;
Next read_ppp(Walk& walk) noexcept;
Next read_network(Walk& walk) noexcept;  // shims; IP headers by way of the next two
Next read_ipv4(Walk& walk) noexcept;
Next read_ipv6(Walk& walk) noexcept;
Next read_protocol(Walk& walk) noexcept;  // extension headers, ports, ICMP errors, tunnels
Next read_gre(Walk& walk) noexcept;
Next read_ether_ip(Walk& walk) noexcept;
Next read_l2tp3(Walk& walk, uint32_t session) noexcept;  // session: where its id is
Next read_udp_tunnel(Walk& walk, uint16_t port) noexcept;

void run(Walk& walk, Next next) noexcept;

// The 64 bits of a flow, and whether a packet goes from its higher endpoint to the lower, or back.
struct FlowDigest {
  uint64_t digest;
  bool reverse, forward;  // neither, where both ends are the same
};
FlowDigest digest_flow(const uint8_t* ip, uint8_t version, uint8_t protocol, uint16_t source_port,
                       uint16_t target_port, const HashSeed& seed) noexcept;
FlowDigest digest_walk(const Walk& walk) noexcept;
Walk walk_packet(const Batch& batch, Index packet, const HashSeed& seed,
                 uint32_t tunnels_max) noexcept;

}  // namespace bricks
