#include "wire/flow_key.hh"

#include <utility>

#include "wire/walk.hh"

namespace bricks {

namespace {

// A flow as a packet shows it: whose addresses, whose ports.
struct Parts {
  uint16_t at;  // of the IP header, or of the MAC addresses
  uint8_t version;
  uint8_t protocol;
  uint16_t source_port, target_port;
};

Parts plain_parts(const Packet& packet) noexcept {
  Parts parts = {packet.network, packet.ip_version, 0, 0, 0};
  if (packet.ip_version == 0) return parts;
  const uint8_t* ip = packet.data + packet.network;
  parts.protocol = ip[packet.ip_version == 4 ? 9 : 6];
  if (has_ports(parts.protocol)) {  // all there, or it would not be plain
    const uint8_t* ports = ip + (packet.ip_version == 4 ? (ip[0] & 15u) * 4 : 40);
    parts.source_port = load<uint16_t>(ports);
    parts.target_port = load<uint16_t>(ports + 2);
  }
  return parts;
}

Parts parts_of(const Layers& layers) noexcept {
  return {layers.key_network, layers.key_version, layers.protocol, layers.source_port,
          layers.target_port};
}

Parts parts_of(const Batch& batch, Index index, const FlowRule& rule) noexcept {
  const Packet& packet = batch.packets[index];
  if (!(packet.flags & kPacketLayers)) return plain_parts(packet);
  const Layers& layers = batch.layers[index];
  const bool same = (layers.headers <= 1 && layers.key_network == packet.network) ||
                    (uint64_t{layers.outer_hash} << 32 | layers.outer_tag) == batch.digests[index];
  if (!rule.outer || same) return parts_of(layers);
  // The same walk, that enters no tunnel.
  return parts_of(walk_packet(batch, index, process_hash_seed(), 0).layers);
}

bool has_macs(const Batch& batch, Index index, const Parts& parts) noexcept {
  return (batch.link == LinkType::ethernet || parts.at != 0) &&
         batch.packets[index].length >= parts.at + 14u;
}

uint16_t vlan_of(const Batch& batch, Index index, const FlowRule& rule) noexcept {
  const Packet& packet = batch.packets[index];
  if (!(packet.flags & kPacketLayers)) return 0;
  const Layers& layers = batch.layers[index];
  const bool own = layers.headers <= 1 && layers.fragment_at == 0;  // else what its first one said
  if (!rule.outer || own) return layers.vlan;
  // The tag right before the outermost IP header.
  const uint16_t at = layers.outer_network;
  if (batch.link != LinkType::ethernet || at < 18) return 0;
  const uint16_t type = load_be16(packet.data + at - 6);
  const bool tag = type == kVlan || type == kQinq || type == kQinqOld || type == kQinqOlder;
  return tag ? load_be16(packet.data + at - 4) & 0xfff : 0;
}

uint32_t vni_of(const Batch& batch, Index index, const FlowRule& rule) noexcept {
  const bool layered = batch.packets[index].flags & kPacketLayers;
  return layered && !rule.outer ? batch.layers[index].vni : 0;
}

uint64_t base_digest(const Batch& batch, Index index, const FlowRule& rule) noexcept {
  const Packet& packet = batch.packets[index];
  if (rule.addresses_only && packet.ip_version != 0) {
    const Parts parts = parts_of(batch, index, rule);
    return digest_flow(packet.data + parts.at, parts.version, 0, 0, 0, process_hash_seed()).digest;
  }
  if (rule.outer && (packet.flags & kPacketLayers)) {
    const Layers& layers = batch.layers[index];
    return uint64_t{layers.outer_hash} << 32 | layers.outer_tag;
  }
  return batch.digests[index];
}

}  // namespace

uint64_t flow_digest(const Batch& batch, Index index, const FlowRule& rule) noexcept {
  const uint64_t digest = base_digest(batch, index, rule);
  if (!rule.tenant) return digest;
  const uint64_t tenant = uint64_t{vni_of(batch, index, rule)} << 12 | vlan_of(batch, index, rule);
  if (tenant == 0) return digest;
  const HashSeed& seed = process_hash_seed();
  return multiply_fold(digest ^ seed.word[2], tenant ^ seed.word[3]);
}

FlowKey flow_key(const Batch& batch, Index index, const FlowRule& rule) noexcept {
  FlowKey key = {};
  const Packet& packet = batch.packets[index];
  Parts parts = parts_of(batch, index, rule);
  if (rule.addresses_only) parts = {parts.at, parts.version, 0, 0, 0};
  const uint8_t* data = packet.data + parts.at;
  bool reverse = packet.flags & kPacketReverse;
  if (parts.version == 0) {
    if (has_macs(batch, index, parts)) {
      std::memcpy(key.address[0], data + 6, 6);
      std::memcpy(key.address[1], data, 6);
    }
  } else {
    const uint32_t bytes = parts.version == 4 ? 4 : 16;
    const uint32_t from = parts.version == 4 ? 12 : 8;
    std::memcpy(key.address[0], data + from, bytes);
    std::memcpy(key.address[1], data + from + bytes, bytes);
    key.port[0] = parts.source_port;
    key.port[1] = parts.target_port;
    if (rule.outer || rule.addresses_only) {
      reverse = digest_flow(data, parts.version, parts.protocol, parts.source_port,
                            parts.target_port, process_hash_seed())
                    .reverse;
    } else if (packet.flags & kPacketLayers && parts.at != packet.network) {
      reverse = !reverse;  // an ICMP error goes against what it quotes
    }
  }
  if (reverse) {
    uint8_t first[16];
    std::memcpy(first, key.address[0], 16);
    std::memcpy(key.address[0], key.address[1], 16);
    std::memcpy(key.address[1], first, 16);
    std::swap(key.port[0], key.port[1]);
  }
  key.protocol = parts.protocol;
  key.ip_version = parts.version;
  if (rule.tenant) {
    key.vlan = vlan_of(batch, index, rule);
    key.vni = vni_of(batch, index, rule);
  }
  return key;
}

}  // namespace bricks
