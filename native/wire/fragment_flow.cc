// What the first fragment of a datagram tells, and how it is put on the others.
#include "wire/walk.hh"

namespace bricks {

namespace {

void set_digest(Batch& batch, Index index, uint64_t digest, bool reverse) noexcept {
  Packet& packet = batch.packets[index];
  packet.hash = static_cast<uint32_t>(digest >> 32);
  batch.digests[index] = digest;
  packet.flags = static_cast<uint8_t>((packet.flags & ~(kPacketFragment | kPacketReverse)) |
                                      (reverse ? kPacketReverse : 0));
}

bool is_quoted(const Batch& batch, Index index) noexcept {
  return batch.layers[index].key_network != batch.packets[index].network;
}

// Is its flow that of the outermost IP header, too?
bool is_outermost(const Batch& batch, Index index) noexcept {
  const Layers& layers = batch.layers[index];
  return layers.headers <= 1 &&
         (uint64_t{layers.outer_hash} << 32 | layers.outer_tag) == batch.digests[index];
}

}  // namespace

uint8_t datagram_protocol(const Packet& packet, uint16_t network, uint8_t version) noexcept {
  return version == 4 ? packet.data[network + 9] : 0;
}

FragmentFlow fragment_flow(const Batch& batch, Index first) noexcept {
  const Layers& layers = batch.layers[first];
  const Packet& packet = batch.packets[first];
  return {.hash = packet.hash,
          .tag = static_cast<uint32_t>(batch.digests[first]),
          .outer_hash = layers.outer_hash,
          .outer_tag = layers.outer_tag,
          .source_port = layers.source_port,
          .target_port = layers.target_port,
          .protocol = layers.protocol,
          .vlan = layers.vlan,
          .vni = layers.vni,
          .reverse = (packet.flags & kPacketReverse) != 0};
}

FragmentFlow carrier_flow(const Batch& batch, Index first) noexcept {
  FragmentFlow flow = fragment_flow(batch, first);
  const Layers& layers = batch.layers[first];
  flow.source_port = layers.carrier_source_port;
  flow.target_port = layers.carrier_target_port;
  flow.protocol = layers.carrier_protocol;
  return flow;
}

void set_fragment_flow(Batch& batch, Index later, const FragmentFlow& flow) noexcept {
  Layers& layers = batch.layers[later];
  const bool outermost = is_outermost(batch, later);
  const bool quoted = is_quoted(batch, later);
  set_digest(batch, later, uint64_t{flow.hash} << 32 | flow.tag, flow.reverse != quoted);
  layers.source_port = flow.source_port;
  layers.target_port = flow.target_port;
  layers.protocol = flow.protocol;
  layers.vlan = flow.vlan;
  layers.vni = flow.vni;
  if (!outermost) return;
  layers.outer_hash = flow.outer_hash;
  layers.outer_tag = flow.outer_tag;
}

void set_flow_ports(Batch& batch, Index index, uint16_t source_port, uint16_t target_port,
                    const HashSeed& seed) noexcept {
  Layers& layers = batch.layers[index];
  const bool outermost = is_outermost(batch, index);
  FlowDigest flow = digest_flow(batch.packets[index].data + layers.key_network, layers.key_version,
                                layers.protocol, source_port, target_port, seed);
  if (is_quoted(batch, index)) std::swap(flow.reverse, flow.forward);
  set_digest(batch, index, flow.digest, flow.reverse);
  layers.source_port = source_port;
  layers.target_port = target_port;
  if (!outermost) return;
  layers.outer_hash = static_cast<uint32_t>(flow.digest >> 32);
  layers.outer_tag = static_cast<uint32_t>(flow.digest);
}

}  // namespace bricks
