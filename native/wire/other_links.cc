// Link types that captures have beside Ethernet and what networks use: what a radio, a firewall's
// log, Solaris' IP observability or an old network puts before IP (tcpdump.org/linktypes.html).
#include "wire/walk.hh"

namespace bricks {

namespace {

// LINKTYPE_ numbers beside those of LinkType.
enum : uint32_t {
  kFddi = 10,
  kIeee80211 = 105,
  kFrameRelay = 107,
  kRadiotap = 127,
  kArcnetLinux = 129,
  kPpi = 192,
  kIpnet = 226,
  kNflog = 239,
};

constexpr uint16_t kLlc = 1;               // LLC follows, as behind a length of IEEE 802.3
constexpr uint32_t kNflogAttributes = 24;  // there are not so many kinds of them
constexpr uint32_t kNflogPayload = 9;

uint32_t load_le16(const uint8_t* at) noexcept { return at[0] | at[1] << 8; }

Next read_ip_at(Walk& walk, uint32_t bytes) noexcept {
  if (!walk.need(bytes + 1)) return Next::stop;
  walk.at += bytes;
  return walk.network_of(type_of_nibble(walk));
}

Next read_llc_at(Walk& walk, uint32_t bytes) noexcept {
  if (!walk.need(bytes)) return Next::stop;
  walk.at += bytes;
  return walk.network_of(kLlc);
}

// IEEE 802.11: data that is neither encrypted nor a later fragment.
Next read_wlan(Walk& walk) noexcept {
  if (!walk.need(24)) return Next::stop;
  const uint8_t* head = walk.data + walk.at;
  const bool data = (head[0] & 0x4f) == 0x08, encrypted = head[1] & 0x40;
  if (!data || encrypted || head[22] & 15) return Next::stop;
  const bool quality = head[0] & 0x80;
  uint32_t bytes = 24 + ((head[1] & 3) == 3 ? 6u : 0u);  // between access points: a fourth address
  bool aggregate = false;
  if (quality) {
    if (!walk.need(bytes + 2)) return Next::stop;
    aggregate = head[bytes] & 0x80;
    bytes += 2 + (head[1] & 0x80 ? 4u : 0u);  // HT control
  }
  return read_llc_at(walk, bytes + (aggregate ? 14u : 0u));  // of A-MSDUs the first subframe
}

Next read_radiotap(Walk& walk) noexcept {
  if (!walk.need(8)) return Next::stop;
  const uint32_t bytes = load_le16(walk.data + walk.at + 2);
  if (bytes < 8) return walk.fail(HeaderFault::bad_length);
  if (!walk.need(bytes)) return Next::stop;
  walk.at += bytes;
  return read_wlan(walk);
}

Next read_ppi(Walk& walk) noexcept {
  if (!walk.need(8)) return Next::stop;
  const uint8_t* head = walk.data + walk.at;
  const uint32_t bytes = load_le16(head + 2);
  const uint32_t link = load_le16(head + 4) | load_le16(head + 6) << 16;
  if (bytes < 8) return walk.fail(HeaderFault::bad_length);
  if (!walk.need(bytes)) return Next::stop;
  walk.at += bytes;
  if (link == static_cast<uint32_t>(LinkType::ethernet)) return Next::frame;
  if (link == kIeee80211) return read_wlan(walk);
  return link == static_cast<uint32_t>(LinkType::raw) ? read_ip_at(walk, 0) : Next::stop;
}

// Attributes, each with its length and type, filled up to four bytes; in the byte order of the
// machine that wrote them, which is little-endian nearly always.
Next read_nflog(Walk& walk) noexcept {
  if (!walk.need(4)) return Next::stop;
  walk.at += 4;
  for (uint32_t i = 0; i < kNflogAttributes; ++i) {
    if (!walk.need(4)) return Next::stop;
    const uint32_t length = load_le16(walk.data + walk.at);
    const uint32_t type = load_le16(walk.data + walk.at + 2) & 0x7fff;
    if (length < 4) return walk.fail(HeaderFault::bad_length);
    if (type == kNflogPayload) return read_ip_at(walk, 4);
    const uint32_t bytes = (length + 3) & ~3u;
    if (!walk.need(bytes)) return Next::stop;
    walk.at += bytes;
  }
  return walk.fail(HeaderFault::too_deep);
}

// An address of two to four bytes, then RFC 2427's encapsulation or Cisco's: an EtherType.
Next read_frame_relay(Walk& walk) noexcept {
  uint32_t bytes = 0;
  do {
    if (bytes == 4 || !walk.need(bytes + 1)) return Next::stop;
  } while (!(walk.data[walk.at + bytes++] & 1));
  if (!walk.need(bytes + 2)) return Next::stop;
  walk.at += bytes;
  const uint8_t* head = walk.data + walk.at;
  if (head[0] != 3) {
    walk.at += 2;
    return walk.network_of(load_be16(head));
  }
  if (head[1] == 0xcc || head[1] == 0x8e) {
    walk.at += 2;
    return walk.network_of(head[1] == 0xcc ? kIpv4 : kIpv6);
  }
  if (head[1] != 0 || !walk.need(8) || head[2] != 0x80) return Next::stop;
  walk.at += 8;
  return head[3] || head[4] || head[5] ? Next::stop : walk.network_of(load_be16(head + 6));
}

// RFC 1051, and RFC 1201 where the packet is whole.
Next read_arcnet(Walk& walk) noexcept {
  if (!walk.need(6)) return Next::stop;
  const uint8_t* head = walk.data + walk.at;
  if (head[4] == 0xf0) return read_ip_at(walk, 5);
  return head[4] == 0xd4 && head[5] == 0 ? read_ip_at(walk, 8) : Next::stop;
}

Next read_fddi(Walk& walk) noexcept {
  if (!walk.need(1) || (walk.data[walk.at] & 0x30) != 0x10) return Next::stop;
  return read_llc_at(walk, 13);
}

}  // namespace

Next read_other_link(Walk& walk, uint32_t link) noexcept {
  switch (link) {
    case kFddi:
      return read_fddi(walk);
    case kIeee80211:
      return read_wlan(walk);
    case kFrameRelay:
      return read_frame_relay(walk);
    case kRadiotap:
      return read_radiotap(walk);
    case kArcnetLinux:
      return read_arcnet(walk);
    case kPpi:
      return read_ppi(walk);
    case kIpnet:
      return read_ip_at(walk, 24);
    case kNflog:
      return read_nflog(walk);
    default:
      return Next::stop;
  }
}

}  // namespace bricks
