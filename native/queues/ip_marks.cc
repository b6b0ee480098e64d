#include "queues/ip_marks.hh"

#include "wire/bytes.hh"

namespace bricks {
namespace {

constexpr uint32_t kHeader4 = 20, kHeader6 = 40;

uint8_t traffic_class(const uint8_t* header, uint8_t version) noexcept {
  return version == 4 ? header[1] : static_cast<uint8_t>(header[0] << 4 | header[1] >> 4);
}

void set_traffic_class(uint8_t* header, uint8_t version, uint8_t value) noexcept {
  if (version == 6) {
    header[0] = static_cast<uint8_t>((header[0] & 0xf0) | value >> 4);
    header[1] = static_cast<uint8_t>((header[1] & 0x0f) | value << 4);
    return;
  }
  // RFC 1624: ~(~sum + ~old + new).
  const uint32_t before = load_be16(header);
  header[1] = value;
  uint32_t sum = (~uint32_t{load_be16(header + 10)} & 0xffff) + (~before & 0xffff);
  sum += load_be16(header);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = ~(sum + (sum >> 16)) & 0xffff;
  header[10] = static_cast<uint8_t>(sum >> 8);
  header[11] = static_cast<uint8_t>(sum);
}

}  // namespace

uint32_t ip_offset(const Batch& batch, Index index, uint8_t* version) noexcept {
  const Packet& packet = batch.packets[index];
  uint32_t at = packet.network;
  *version = packet.ip_version;
  if (packet.flags & kPacketLayers && batch.layers[index].outer_version) {
    at = batch.layers[index].outer_network;
    *version = batch.layers[index].outer_version;
  }
  const uint32_t header = *version == 4 ? kHeader4 : kHeader6;
  if (*version == 0 || packet.length < at + header) {
    *version = 0;
    return 0;
  }
  return at;
}

uint32_t ip_bytes(const Batch& batch, Index index) noexcept {
  const uint32_t wire = wire_length(batch, index);
  uint8_t version = 0;
  const uint32_t at = ip_offset(batch, index, &version);
  if (version == 0) return wire;
  const uint8_t* header = batch.packets[index].data + at;
  const uint32_t said =
      version == 4 ? load_be16(header + 2) : load_be16(header + 4) + uint32_t{kHeader6};
  // What offload or a lying header says is not on the wire.
  const uint32_t there = wire - at;
  const bool sane = said >= (version == 4 ? kHeader4 : kHeader6 + 1) && said <= there;
  return sane ? said : there;
}

bool mark_congestion(uint8_t* header, uint8_t version) noexcept {
  const uint8_t value = traffic_class(header, version);
  if ((value & 3) == 0) return false;
  if ((value & 3) != 3) set_traffic_class(header, version, value | 3);
  return true;
}

void set_dscp(uint8_t* header, uint8_t version, uint8_t dscp) noexcept {
  const uint8_t value = traffic_class(header, version);
  set_traffic_class(header, version, static_cast<uint8_t>(dscp << 2 | (value & 3)));
}

uint8_t dscp_of(const uint8_t* header, uint8_t version) noexcept {
  return static_cast<uint8_t>(traffic_class(header, version) >> 2);
}

Colour colour_of(uint8_t dscp) noexcept {
  // AF11 is 10, AF12 12, AF13 14; each class 8 more.
  if (dscp < 10 || dscp > 38 || dscp & 1) return Colour::green;
  const uint8_t precedence = dscp & 7;
  return precedence == 4 ? Colour::yellow : precedence == 6 ? Colour::red : Colour::green;
}

}  // namespace bricks
