// Tunnels over UDP, known by a port of theirs and followed only when their header, and what it
// heads, makes sense: anybody may use these ports for something else.
#include "wire/udp_tunnels.hh"

#include <iterator>

#include "wire/walk.hh"

namespace bricks {

namespace {

// Where a tunnel's payload begins, and what it is.
struct Payload {
  Next next = Next::stop;
  uint32_t at = 0;
  uint16_t type = kNoType;
};

uint32_t load_be24(const uint8_t* at) noexcept {
  return static_cast<uint32_t>(at[0] << 16 | load_be16(at + 1));
}

Payload ip_or_frame(const Walk& walk, uint32_t at) noexcept {
  if (looks_like_ip(walk, at, 4)) return {Next::network, at, kIpv4};
  if (looks_like_ip(walk, at, 6)) return {Next::network, at, kIpv6};
  if (looks_like_ethernet(walk, at)) return {Next::frame, at};
  return {};
}

Payload of_type(const Walk& walk, uint32_t at, uint16_t type) noexcept {
  switch (type) {
    case kIpv4:
      return looks_like_ip(walk, at, 4) ? Payload{Next::network, at, type} : Payload{};
    case kIpv6:
      return looks_like_ip(walk, at, 6) ? Payload{Next::network, at, type} : Payload{};
    case kTransparentBridging:
      return looks_like_ethernet(walk, at) ? Payload{Next::frame, at} : Payload{};
    case kMpls:
    case kNsh:
      return {Next::network, at, type};
    default:
      return {};
  }
}

// RFC 7348: a valid identifier; all else is reserved and to be ignored.
Payload read_vxlan(Walk& walk, uint32_t at) noexcept {
  if (walk.end < at + 8) return {};
  const uint8_t* head = walk.data + at;
  if (!(head[0] & 0x08)) return {};
  const Payload inner = of_type(walk, at + 8, kTransparentBridging);
  if (inner.next != Next::stop) walk.vni = load_be24(head + 4);
  return inner;
}

Payload read_vxlan_gpe(Walk& walk, uint32_t at) noexcept {
  static constexpr uint16_t kTypes[] = {kNoType, kIpv4, kIpv6, kTransparentBridging, kNsh, kMpls};
  if (walk.end < at + 8) return {};
  const uint8_t* head = walk.data + at;
  // Version 0, an identifier, a next protocol; without P and without one it is VXLAN's Ethernet.
  // Some name a protocol and forget P.
  if ((head[0] & 0x38) != 0x08 || head[3] >= std::size(kTypes)) return {};
  const bool named = head[0] & 0x04 || head[3] != 0;
  const uint16_t type = named ? kTypes[head[3]] : uint16_t{kTransparentBridging};
  const Payload inner = of_type(walk, at + 8, type);
  if (inner.next != Next::stop) walk.vni = load_be24(head + 4);
  return inner;
}

Payload read_geneve(Walk& walk, uint32_t at) noexcept {  // RFC 8926
  if (walk.end < at + 8) return {};
  const uint8_t* head = walk.data + at;
  const uint32_t bytes = 8 + (head[0] & 0x3fu) * 4;
  if (head[0] >> 6 != 0 || head[7] != 0 || walk.end < at + bytes) return {};
  const Payload inner = of_type(walk, at + bytes, load_be16(head + 2));
  if (inner.next != Next::stop) walk.vni = load_be24(head + 4);
  return inner;
}

// 3GPP TS 29.281: version 1, GTP rather than GTP', a T-PDU; extension headers are skipped.
Payload read_gtp_user(Walk& walk, uint32_t at) noexcept {
  if (walk.end < at + 8) return {};
  const uint8_t* head = walk.data + at;
  if ((head[0] & 0xf8) != 0x30 || head[1] != 255) return {};
  if (!walk.open && at + 8 + load_be16(head + 2) > walk.limit) return {};
  const bool optional = head[0] & 7;
  uint32_t next = at + 8 + (optional ? 4 : 0);
  if (walk.end < next) return {};
  uint8_t type = head[0] & 4 ? walk.data[next - 1] : 0;
  for (uint32_t i = 0; type != 0; ++i) {
    if (i == kExtensionsMax || walk.end < next + 4) return {};
    const uint32_t bytes = walk.data[next] * 4u;
    if (bytes == 0 || walk.end < next + bytes) return {};
    next += bytes;
    type = walk.data[next - 1];
  }
  return ip_or_frame(walk, next);
}

// RFC 4380: authentication, then origin, then IPv6.
Payload read_teredo(const Walk& walk, uint32_t at) noexcept {
  if (walk.end >= at + 4 && load_be16(walk.data + at) == 0x0001) {
    at += 4 + 9 + walk.data[at + 2] + walk.data[at + 3];
  }
  if (walk.end >= at + 8 && load_be16(walk.data + at) == 0x0000) at += 8;
  return of_type(walk, at, kIpv6);
}

Payload read_l2tp2(const Walk& walk, uint32_t at, uint16_t flags) noexcept {  // RFC 2661
  uint32_t bytes = 2;
  if (flags & 0x4000) {  // length
    if (walk.end < at + 4) return {};
    const uint32_t length = load_be16(walk.data + at + 2);
    if (!walk.open && at + length > walk.limit) return {};
    bytes += 2;
  }
  bytes += 4;                      // tunnel, session
  if (flags & 0x0800) bytes += 4;  // sequence numbers
  if (flags & 0x0200) {            // offset
    if (walk.end < at + bytes + 2) return {};
    bytes += 2u + load_be16(walk.data + at + bytes);
  }
  if (!looks_like_ppp(walk, at + bytes)) return {};
  return {Next::ppp, at + bytes};
}

Payload read_l2tp(Walk& walk, uint32_t at) noexcept {
  if (walk.end < at + 8) return {};
  const uint16_t flags = load_be16(walk.data + at);
  if (flags & 0x8000) return {};  // control
  if ((flags & 0xf) == 2) return read_l2tp2(walk, at, flags);
  if ((flags & 0xf) != 3) return {};
  const Next next = read_l2tp3(walk, at + 4);
  return {next, walk.at};
}

Payload read_lisp(const Walk& walk, uint32_t at) noexcept {  // RFC 9300: eight bytes, then IP
  if (looks_like_ip(walk, at + 8, 4)) return {Next::network, at + 8, kIpv4};
  if (looks_like_ip(walk, at + 8, 6)) return {Next::network, at + 8, kIpv6};
  return {};
}

Payload read_payload(Walk& walk, uint16_t port, uint32_t at) noexcept {
  switch (port) {
    case kVxlanPort:
    case kVxlanOldPort:
      return read_vxlan(walk, at);
    case kVxlanGpePort:
      return read_vxlan_gpe(walk, at);
    case kGenevePort:
      return read_geneve(walk, at);
    case kGtpUserPort:
      return read_gtp_user(walk, at);
    case kTeredoPort:
      return read_teredo(walk, at);
    case kL2tpPort:
      return read_l2tp(walk, at);
    case kLispPort:
      return read_lisp(walk, at);
    default:
      return {};
  }
}

}  // namespace

Next read_udp_tunnel(Walk& walk, uint16_t port) noexcept {
  if (!is_tunnel_port(port) || walk.left() < 8) return Next::stop;
  const uint32_t begin = walk.at;
  const uint32_t length = load_be16(walk.data + begin + 4);
  const uint32_t stop = begin + length;
  if (length < 8 || (!walk.open && stop > walk.limit)) return Next::stop;
  const uint32_t end = walk.end, limit = walk.limit;
  walk.limit = std::min(limit, stop);
  walk.end = std::min(end, walk.limit);
  const Payload payload = read_payload(walk, port, begin + 8);
  if (payload.next == Next::stop) {
    walk.at = begin;
    walk.end = end;
    walk.limit = limit;
    return Next::stop;
  }
  walk.claimed = true;
  walk.at = payload.at;
  walk.type = payload.type;
  return payload.next;
}

}  // namespace bricks
