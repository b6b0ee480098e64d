#include "sessions/packet_bits.hh"

#include <cstring>

namespace bricks {

namespace {

// Which way a packet goes under a rule whose key is not the innermost flow: by the addresses.
bool goes_backward(const Packet& packet, uint32_t network, uint8_t version) noexcept {
  const uint32_t bytes = version == 4 ? 4 : version == 6 ? 16 : 6;
  const uint32_t source = version == 4 ? 12 : version == 6 ? 8 : 6;
  const uint32_t target = version == 4 ? 16 : version == 6 ? 24 : 0;
  if (network + 24 + bytes > packet.length) return false;
  const uint8_t* ip = packet.data + network;
  return std::memcmp(ip + source, ip + target, bytes) > 0;
}

}  // namespace

uint8_t packet_bits_anywhere(const Batch& batch, Index index) noexcept {
  const Packet& packet = batch.packets[index];
  if ((packet.flags & kPacketLayers) || packet.ip_version == 0) {
    return layered_bits(batch, index, {});
  }
  const uint32_t way = packet.flags & kPacketReverse ? 32 : 0;
  const uint8_t* ip = packet.data + packet.network;
  const bool v4 = packet.ip_version == 4;
  const uint32_t at = packet.network + (v4 ? (ip[0] & 15u) * 4 : 40u) + 13;
  const bool tcp = (v4 ? ip[9] : ip[6]) == 6;
  return kTcpBits.bits[way | (tcp && at < packet.length ? packet.data[at] & 31u : 0)];
}

uint8_t layered_bits(const Batch& batch, Index index, const FlowRule& rule) noexcept {
  const Packet& packet = batch.packets[index];
  if (!(packet.flags & kPacketLayers)) {
    const bool other = rule.outer || rule.addresses_only || packet.ip_version == 0;
    if (!other) return packet_bits_anywhere(batch, index);
    return goes_backward(packet, packet.network, packet.ip_version) ? kSessionBackward
                                                                    : kSessionForward;
  }
  const Layers& layers = batch.layers[index];
  if (rule.outer || rule.addresses_only) {
    const uint32_t at = rule.outer ? layers.outer_network : packet.network;
    const uint8_t version = rule.outer ? layers.outer_version : packet.ip_version;
    return goes_backward(packet, at, version) ? kSessionBackward : kSessionForward;
  }
  if (layers.key_network != packet.network) return 0;
  const uint32_t way = packet.flags & kPacketReverse ? 32 : 0;
  const uint32_t at = layers.transport + 13u;
  const bool has_flags = layers.protocol == 6 && layers.transport && layers.fragment_at == 0;
  if (!has_flags || at >= packet.length) return kTcpBits.bits[way];
  return kTcpBits.bits[way | (packet.data[at] & 31u)];
}

}  // namespace bricks
