#include "sessions/packet_views.hh"

#include <algorithm>

#include "wire/bytes.hh"

namespace bricks {

namespace {

constexpr uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmp6 = 58;

// Where the IP packet ends, by its own word, were `most` bytes there. 0 says nothing: the network
// card cut it into smaller ones after it was captured.
uint32_t ip_end(const uint8_t* data, uint32_t network, uint8_t version, uint32_t most) noexcept {
  const uint8_t* ip = data + network;
  const uint32_t total = load_be16(ip + (version == 4 ? 2 : 4));
  if (total == 0) return most;
  return std::min(most, network + total + (version == 4 ? 0 : 40));
}

// Bytes of the header at `at`; 0: it is not there, or makes no sense.
uint32_t header_bytes(const uint8_t* data, uint32_t at, uint32_t end, uint8_t protocol) noexcept {
  switch (protocol) {
    case kTcp: {
      if (at + 20 > end) return 0;
      const uint32_t bytes = (data[at + 12] >> 4) * 4u;
      return bytes >= 20 && at + bytes <= end ? bytes : 0;
    }
    case kUdp:
    case kIcmp:
    case kIcmp6:
      return at + 8 <= end ? 8 : 0;
    default:
      return 0;
  }
}

}  // namespace

void view_packet(const Batch& batch, Index index, bricks_packet_view* view) noexcept {
  const Packet& packet = batch.packets[index];
  *view = {};
  view->data = packet.data;
  view->timestamp = packet.timestamp;
  view->length = packet.length;
  view->wire_length = wire_length(batch, index);
  view->ip_version = packet.ip_version;
  if (packet.ip_version == 0) return;
  view->network = packet.network;
  const uint8_t* ip = packet.data + packet.network;
  const bool v4 = packet.ip_version == 4;
  uint32_t at;
  if (packet.flags & kPacketLayers) {
    const Layers& layers = batch.layers[index];
    const bool error = layers.key_network != packet.network;
    view->protocol = error ? (v4 ? kIcmp : kIcmp6) : layers.protocol;
    view->fragment = !error && layers.fragment_at != 0;
    at = layers.transport;
    if (at == 0 && v4) at = packet.network + (ip[0] & 15u) * 4;
    if (at == 0) return;
  } else {
    view->protocol = v4 ? ip[9] : ip[6];
    at = packet.network + (v4 ? (ip[0] & 15u) * 4 : 40u);
  }
  const uint32_t end = ip_end(packet.data, packet.network, packet.ip_version, packet.length);
  if (at >= end) return;
  uint32_t header = 0;
  if (!view->fragment) {
    view->transport = static_cast<uint16_t>(at);
    header = header_bytes(packet.data, at, end, view->protocol);
    const bool known = view->protocol == kTcp || view->protocol == kUdp ||
                       view->protocol == kIcmp || view->protocol == kIcmp6;
    if (view->protocol == kTcp && at + 14 <= end) view->tcp_flags = packet.data[at + 13];
    if (known && header == 0) return;
  }
  uint32_t last = end;
  if (view->protocol == kUdp && !view->fragment) {
    const uint32_t said = load_be16(packet.data + at + 4);
    if (said >= 8) last = std::min(end, at + said);
  }
  if (at + header >= last) return;
  view->payload = static_cast<uint16_t>(at + header);
  view->payload_length = static_cast<uint16_t>(last - at - header);
}

bool view_tcp(const bricks_packet_view& view, TcpSegment* to) noexcept {
  if (view.transport == 0) return false;
  const uint32_t end = ip_end(view.data, view.network, view.ip_version, view.wire_length);
  if (end <= view.transport) return false;
  const uint32_t there = std::min(view.length, end);
  return there > view.transport &&
         read_tcp(view.data + view.transport, there - view.transport, end - view.transport, to);
}

}  // namespace bricks
