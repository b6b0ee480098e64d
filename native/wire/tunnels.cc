// Tunnels right above IP: GRE with all that travels in it, EtherIP, L2TP version 3; and the guesses
// by which a header that names no type is followed or not.
#include "wire/walk.hh"

namespace bricks {

namespace {

constexpr uint16_t kGreChecksum = 0x8000, kGreRouting = 0x4000, kGreKey = 0x2000,
                   kGreSequence = 0x1000, kGreAcknowledgement = 0x0080;
constexpr uint32_t kTagsGuessed = 2;  // VLAN tags that a guess looks behind

// Mirrored frames may be cut: what the headers in them claim is not held against them.
Next read_erspan(Walk& walk, bool sequence, uint16_t type) noexcept {
  walk.open = true;
  if (type == kErspan && !sequence) return Next::frame;  // type I: no header of its own
  if (!walk.need(8)) return Next::stop;
  const uint8_t* head = walk.data + walk.at;
  const int version = head[0] >> 4;
  const uint16_t vlan = load_be16(head) & 0xfff;
  uint32_t bytes = 8;
  bool frame = true;
  if (version == 2) {
    if (!walk.need(12)) return Next::stop;
    bytes = head[11] & 1 ? 20 : 12;         // O: a platform's own header follows
    frame = ((head[10] >> 2) & 0x1f) == 0;  // frame type
  } else if (version != 1) {
    return walk.fail(HeaderFault::bad_version);
  }
  if (!walk.need(bytes)) return Next::stop;
  walk.at += bytes;
  if (!frame) return Next::stop;
  const Next next = read_frame(walk);
  walk.vlan = vlan;  // the tag that was taken from the frame; one that is still there comes nearer
  return next;
}

Next read_wccp(Walk& walk) noexcept {  // version 2 has four bytes of its own before the IP header
  if (!looks_like_ip(walk, walk.at, 4)) {
    if (!walk.need(4)) return Next::stop;
    walk.at += 4;
  }
  return walk.network_of(kIpv4);
}

Next read_gre_payload(Walk& walk, uint16_t flags, uint16_t type) noexcept {
  switch (type) {
    case kErspan:
    case kErspan3:
      return read_erspan(walk, flags & kGreSequence, type);
    case kWccp:
      return read_wccp(walk);
    case kTransparentBridging:
      return Next::frame;
    default:
      return walk.network_of(type);
  }
}

}  // namespace

Next read_gre(Walk& walk) noexcept {  // RFC 2784, 2890; version 1: RFC 2637; NVGRE: RFC 7637
  if (!walk.need(4)) return Next::stop;
  const uint8_t* head = walk.data + walk.at;
  const uint16_t flags = load_be16(head), type = load_be16(head + 2);
  const uint32_t version = flags & 7;
  if ((flags & kGreRouting) || version > 1) return Next::stop;
  if (version == 1 && (type != kPpp || !(flags & kGreKey))) return Next::stop;
  if (version == 1 && !(flags & kGreSequence)) return Next::stop;  // acknowledges, carries nothing
  const uint32_t checksum = flags & kGreChecksum ? 4 : 0, key = flags & kGreKey ? 4 : 0;
  const uint32_t bytes = 4 + checksum + key + (flags & kGreSequence ? 4 : 0) +
                         (version == 1 && (flags & kGreAcknowledgement) ? 4 : 0);
  if (!walk.need(bytes)) return Next::stop;
  walk.at += bytes;
  if (version == 1) return Next::ppp;
  const bool nvgre = type == kTransparentBridging && (flags & 0xf000) == kGreKey;
  if (nvgre) walk.vni = load_be32(head + 4) >> 8;
  return read_gre_payload(walk, flags, type);
}

Next read_ether_ip(Walk& walk) noexcept {  // RFC 3378
  if (!walk.need(2)) return Next::stop;
  if (load_be16(walk.data + walk.at) >> 12 != 3) return Next::stop;
  walk.at += 2;
  return Next::frame;
}

// RFC 3931. How long the cookie is, and whether four bytes of sublayer follow, only the two ends
// know: we try what there is.
Next read_l2tp3(Walk& walk, uint32_t session) noexcept {
  if (walk.end < session + 4 || load<uint32_t>(walk.data + session) == 0) return Next::stop;
  for (const uint32_t skip : {4u, 8u, 12u, 16u}) {
    const uint32_t at = session + skip;
    if (!looks_like_ethernet(walk, at) && !looks_like_ppp(walk, at)) continue;
    walk.at = at;
    return looks_like_ethernet(walk, at) ? Next::frame : Next::ppp;
  }
  return Next::stop;
}

bool looks_like_ip(const Walk& walk, uint32_t at, uint8_t version) noexcept {
  const uint32_t smallest = version == 4 ? 20 : 40;
  if (walk.end < at + smallest) return false;
  const uint8_t* ip = walk.data + at;
  if (ip[0] >> 4 != version) return false;
  const uint32_t header = version == 4 ? (ip[0] & 15u) * 4 : 40;
  const uint32_t total = version == 4 ? load_be16(ip + 2) : 40u + load_be16(ip + 4);
  return header >= smallest && total >= header && (walk.open || at + total <= walk.limit);
}

bool looks_like_ethernet(const Walk& walk, uint32_t at) noexcept {
  uint32_t type_at = at + 12;
  for (uint32_t tags = 0; walk.end >= type_at + 2; ++tags) {
    const uint32_t behind = type_at + 2;
    switch (load_be16(walk.data + type_at)) {
      case kIpv4:
        return looks_like_ip(walk, behind, 4);
      case kIpv6:
        return looks_like_ip(walk, behind, 6);
      case kArp:  // of Ethernet, for IPv4
        return walk.end >= behind + 8 && load_be32(walk.data + behind) == 0x00010800;
      case kMpls:
      case kPppoeSession:
        return walk.end >= behind + 6;
      case kVlan:
      case kQinq:
      case kQinqOld:
        if (tags == kTagsGuessed) return false;
        type_at += 4;
        break;
      default:
        return false;
    }
  }
  return false;
}

bool looks_like_ppp(const Walk& walk, uint32_t at) noexcept {
  if (walk.end >= at + 2 && load_be16(walk.data + at) == 0xff03) at += 2;
  if (walk.end < at + 2) return false;
  const bool compressed = walk.data[at] & 1;
  const uint16_t type = ether_type_of_ppp(compressed ? walk.data[at] : load_be16(walk.data + at));
  at += compressed ? 1 : 2;
  return (type == kIpv4 && looks_like_ip(walk, at, 4)) ||
         (type == kIpv6 && looks_like_ip(walk, at, 6));
}

}  // namespace bricks
