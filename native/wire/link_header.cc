// Link headers, and the shims between them and IP: VLAN tags, MPLS labels, PPPoE, LLC/SNAP, NSH.
#include "wire/walk.hh"

namespace bricks {

namespace {

// BSD's address families, in either byte order: each system wrote its own AF_INET6.
uint16_t type_of_family(uint32_t family) noexcept {
  if (family > 0xffff) family = __builtin_bswap32(family);
  if (family == 2) return kIpv4;
  if (family == 10 || family == 23 || family == 24 || family == 28 || family == 30) return kIpv6;
  return kNoType;
}

// A header of `bytes` with an EtherType at `type_at`.
Next skip_to_type(Walk& walk, uint32_t bytes, uint32_t type_at) noexcept {
  if (!walk.need(bytes)) return Next::stop;
  const uint16_t type = load_be16(walk.data + walk.at + type_at);
  walk.at += bytes;
  return walk.network_of(type);
}

// Behind the last label there is IP, or a pseudowire with or without a control word (RFC 4385,
// RFC 4448): nothing says which. An Ethernet address may begin with 4 or 6 (RFC 4928).
Next read_under_labels(Walk& walk) noexcept {
  if (!walk.need(1)) return Next::stop;
  const int nibble = walk.data[walk.at] >> 4;
  if (nibble == 4 || nibble == 6) {
    const bool ip = looks_like_ip(walk, walk.at, static_cast<uint8_t>(nibble));
    if (!ip && looks_like_ethernet(walk, walk.at)) return Next::frame;
    return walk.network_of(nibble == 4 ? kIpv4 : kIpv6);
  }
  if (nibble == 0 && walk.left() >= 4 && looks_like_ethernet(walk, walk.at + 4)) {
    walk.at += 4;
    return Next::frame;
  }
  return looks_like_ethernet(walk, walk.at) ? Next::frame : Next::stop;
}

Next read_label(Walk& walk) noexcept {
  if (!walk.need(4)) return Next::stop;
  const bool bottom = walk.data[walk.at + 2] & 1;
  walk.at += 4;
  return bottom ? read_under_labels(walk) : Next::network;
}

Next read_pppoe(Walk& walk) noexcept {
  if (!walk.need(6)) return Next::stop;
  const uint32_t length = load_be16(walk.data + walk.at + 4);
  walk.at += 6;
  walk.claim(walk.at + length);
  return Next::ppp;
}

Next read_nsh(Walk& walk) noexcept {  // RFC 8300
  if (!walk.need(8)) return Next::stop;
  const uint8_t* head = walk.data + walk.at;
  const uint32_t bytes = (load_be16(head) & 0x3fu) * 4;
  const uint8_t next = head[3];
  if (bytes < 8) return walk.fail(HeaderFault::bad_length);
  if (!walk.need(bytes)) return Next::stop;
  walk.at += bytes;
  switch (next) {
    case 1:
      return walk.network_of(kIpv4);
    case 2:
      return walk.network_of(kIpv6);
    case 3:
      return Next::frame;
    case 5:
      return walk.network_of(kMpls);
    default:
      return Next::stop;
  }
}

bool is_snap(const Walk& walk) noexcept {
  if (walk.left() < 8) return false;
  const uint8_t* llc = walk.data + walk.at;
  if (llc[0] != 0xaa || llc[1] != 0xaa || llc[2] != 3) return false;
  const uint32_t organisation = load_be32(llc + 2) & 0xffffff;
  return organisation == 0 || organisation == 0xf8;  // what follows is an EtherType
}

Next read_shim(Walk& walk) noexcept {
  switch (walk.type) {
    case kVlan:
    case kQinq:
    case kQinqOld:
    case kQinqOlder:
      if (!walk.need(4)) return Next::stop;
      walk.vlan = load_be16(walk.data + walk.at) & 0xfff;
      return skip_to_type(walk, 4, 2);
    case kVnTag:
      return skip_to_type(walk, 6, 4);
    case kMpls:
    case kMplsMulticast:
      return read_label(walk);
    case kPppoeSession:
      return read_pppoe(walk);
    case kNsh:
      return read_nsh(walk);
    case kMacInMac:  // flags and service id, then a whole frame
      if (!walk.need(4)) return Next::stop;
      walk.at += 4;
      return Next::frame;
    case kPpp:
      return Next::ppp;
    case kTransparentBridging:
      return Next::frame;
    default:  // IEEE 802.3, a length instead of a type; is_snap() has looked
      return skip_to_type(walk, 8, 6);
  }
}

bool is_shim(const Walk& walk) noexcept {
  switch (walk.type) {
    case kVlan:
    case kQinq:
    case kQinqOld:
    case kQinqOlder:
    case kVnTag:
    case kMpls:
    case kMplsMulticast:
    case kPppoeSession:
    case kNsh:
    case kMacInMac:
    case kPpp:
    case kTransparentBridging:
      return true;
    default:
      return walk.type <= 1500 && is_snap(walk);
  }
}

}  // namespace

uint16_t type_of_nibble(const Walk& walk) noexcept {
  if (walk.left() == 0) return kNoType;
  const int version = walk.data[walk.at] >> 4;
  return version == 4 ? kIpv4 : version == 6 ? kIpv6 : kNoType;
}

uint16_t ether_type_of_ppp(uint16_t protocol) noexcept {
  if (protocol == 0x0021) return kIpv4;
  if (protocol == 0x0057) return kIpv6;
  if (protocol == 0x0281) return kMpls;
  if (protocol == 0x0283) return kMplsMulticast;
  return kNoType;
}

Next read_link(Walk& walk, LinkType link) noexcept {
  switch (link) {
    case LinkType::ethernet:
      return Next::frame;
    case LinkType::raw:
    case LinkType::raw_bsd:
    case LinkType::ipv4:
    case LinkType::ipv6:
      return walk.network_of(type_of_nibble(walk));
    case LinkType::null:
    case LinkType::loop:
      if (!walk.need(4)) return Next::stop;
      walk.at = 4;
      return walk.network_of(type_of_family(load<uint32_t>(walk.data)));
    case LinkType::linux_sll:
      return skip_to_type(walk, 16, 14);
    case LinkType::linux_sll2:
      return skip_to_type(walk, 20, 0);
    case LinkType::ppp:
    case LinkType::ppp_hdlc:
      return Next::ppp;
    case LinkType::c_hdlc:
      return skip_to_type(walk, 4, 2);
  }
  return read_other_link(walk, static_cast<uint16_t>(link));
}

Next read_frame(Walk& walk) noexcept {
  if (!walk.need(14)) return Next::stop;
  walk.plain &= walk.at == 0;
  walk.macs = static_cast<uint16_t>(walk.at);
  walk.vlan = 0;
  return skip_to_type(walk, 14, 12);
}

Next read_ppp(Walk& walk) noexcept {
  if (walk.left() >= 2 && walk.data[walk.at] == 0xff && walk.data[walk.at + 1] == 0x03) {
    walk.at += 2;  // address and control
  }
  if (!walk.need(1)) return Next::stop;
  uint16_t protocol = walk.data[walk.at];
  if (protocol & 1) {  // compressed to one byte (RFC 1661, 6.5)
    walk.at += 1;
  } else {
    if (!walk.need(2)) return Next::stop;
    protocol = load_be16(walk.data + walk.at);
    walk.at += 2;
  }
  const uint16_t type = ether_type_of_ppp(protocol);
  return type == kNoType ? Next::stop : walk.network_of(type);
}

Next read_network(Walk& walk) noexcept {
  if (walk.type == kIpv4) return read_ipv4(walk);
  if (walk.type == kIpv6) return read_ipv6(walk);
  if (!is_shim(walk)) return Next::stop;
  return walk.count_shim() ? read_shim(walk) : Next::stop;
}

}  // namespace bricks
