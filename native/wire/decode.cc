// The path that handles everything: walks the headers (wire/walk.hh) and writes down what it found.
#include "wire/decode.hh"

#include <utility>

#include "wire/walk.hh"

namespace bricks {

bool Walk::need(uint32_t bytes) noexcept {
  if (left() >= bytes) return true;
  // A quote ends where its router found it long enough.
  if (quoted && !fresh) return false;
  const bool said = claimed && limit - at < bytes;
  fail(said ? HeaderFault::bad_length : HeaderFault::cut_short);
  return false;
}

void Walk::claim(uint32_t stop) noexcept {
  if (stop > limit) {
    if (!open) fail(HeaderFault::bad_length);
    return;
  }
  claimed = true;
  limit = stop;
  end = std::min(end, stop);
}

bool Walk::count_shim() noexcept {
  plain = false;
  if (shims++ < kShimsMax) return true;
  fail(HeaderFault::too_deep);
  return false;
}

void Walk::carry() noexcept {
  const bool first = layers.fragment_more && !fragment && !quoted;
  if (first && layers.carrier_version == 0) {
    layers.carrier_id = layers.fragment_id;
    layers.carrier_network = layers.key_network;
    layers.carrier_version = layers.key_version;
    layers.carrier_protocol = layers.protocol;
    layers.carrier_vlan = layers.vlan;
    layers.carrier_vni = layers.vni;
    layers.carrier_source_port = layers.source_port;
    layers.carrier_target_port = layers.target_port;
  }
  layers.fragment_id = 0;
  layers.fragment_more = false;
}

bool Walk::enter(uint8_t ip_version) noexcept {
  if (!fresh) {
    if (tunnels == tunnels_max) {
      fail(HeaderFault::too_deep);
      return false;
    }
    ++tunnels;
    plain = false;
    carry();
    if (!outer_known) {
      outer_known = true;
      const uint64_t digest =
          digest_flow(data + layers.key_network, layers.key_version, layers.protocol,
                      layers.source_port, layers.target_port, seed)
              .digest;
      layers.outer_hash = static_cast<uint32_t>(digest >> 32);
      layers.outer_tag = static_cast<uint32_t>(digest);
    }
  }
  fresh = false;
  shims = extensions = 0;
  layers.key_network = static_cast<uint16_t>(at);
  layers.key_version = ip_version;
  layers.source_port = layers.target_port = 0;
  if (quoted) return true;
  network = static_cast<uint16_t>(at);
  version = ip_version;
  layers.transport = 0;
  layers.vlan = vlan;
  layers.vni = vni;
  if (layers.headers++ == 0) {
    layers.outer_network = network;
    layers.outer_version = version;
  }
  return true;
}

void run(Walk& walk, Next next) noexcept {
  while (true) {
    switch (next) {
      case Next::frame:
        next = read_frame(walk);
        break;
      case Next::network:
        next = read_network(walk);
        break;
      case Next::ppp:
        next = read_ppp(walk);
        break;
      case Next::protocol:
        next = read_protocol(walk);
        break;
      case Next::stop:
        return;
    }
  }
}

FlowDigest digest_flow(const uint8_t* ip, uint8_t version, uint8_t protocol, uint16_t source_port,
                       uint16_t target_port, const HashSeed& seed) noexcept {
  uint64_t source, target;
  if (version == 4) {
    source = endpoint_v4(load<uint32_t>(ip + 12), source_port, protocol);
    target = endpoint_v4(load<uint32_t>(ip + 16), target_port, protocol);
  } else {
    source =
        endpoint_v6(load<uint64_t>(ip + 8), load<uint64_t>(ip + 16), source_port, protocol, seed);
    target =
        endpoint_v6(load<uint64_t>(ip + 24), load<uint64_t>(ip + 32), target_port, protocol, seed);
  }
  return {digest_endpoints(source, target, seed), source > target, source < target};
}

namespace {

// No IP at all: the pair of MAC addresses, where there are such.
FlowDigest digest_macs(const Walk& walk) noexcept {
  if (walk.macs == kNoMacs) return {digest_endpoints(0, 0, walk.seed), false, false};
  const uint8_t* frame = walk.data + walk.macs;
  const uint64_t target = load<uint64_t>(frame) & 0xffffffffffffull;
  const uint64_t source = load<uint64_t>(frame + 6) & 0xffffffffffffull;
  return {digest_endpoints(source, target, walk.seed), source > target, source < target};
}

}  // namespace

FlowDigest digest_walk(const Walk& walk) noexcept {
  const Layers& found = walk.layers;
  if (found.key_version == 0) return digest_macs(walk);
  FlowDigest flow = digest_flow(walk.data + found.key_network, found.key_version, found.protocol,
                                found.source_port, found.target_port, walk.seed);
  if (found.key_network != walk.network) std::swap(flow.reverse, flow.forward);
  return flow;
}

Walk walk_packet(const Batch& batch, Index index, const HashSeed& seed,
                 uint32_t tunnels_max) noexcept {
  const Packet& packet = batch.packets[index];
  const uint32_t end = std::min(packet.length, kFrameMax);
  Walk walk{.data = packet.data,
            .end = end,
            .limit = std::max(end, wire_length(batch, index)),
            .seed = seed,
            .tunnels_max = tunnels_max};
  run(walk, read_link(walk, batch.link));
  if (walk.version == 0 && walk.macs != kNoMacs) walk.layers.key_network = walk.macs;
  return walk;
}

uint32_t hash_addresses(const Packet& packet, const HashSeed& seed) noexcept {
  if (packet.ip_version == 0) return packet.hash;
  const FlowDigest flow =
      digest_flow(packet.data + packet.network, packet.ip_version, 0, 0, 0, seed);
  return static_cast<uint32_t>(flow.digest >> 32);
}

void decode_slow(Batch& batch, Index index, const HashSeed& seed) noexcept {
  Walk walk = walk_packet(batch, index, seed, kTunnelsMax);
  const FlowDigest flow = digest_walk(walk);
  Packet& packet = batch.packets[index];
  packet.hash = static_cast<uint32_t>(flow.digest >> 32);
  packet.network = walk.network;
  packet.ip_version = walk.version;
  packet.flags =
      static_cast<uint8_t>((packet.flags & kPacketCut) | (walk.fragment ? kPacketFragment : 0) |
                           (walk.plain ? 0 : kPacketLayers) | (flow.reverse ? kPacketReverse : 0));
  batch.digests[index] = flow.digest;
  if (walk.plain) return;
  if (!walk.outer_known) {
    walk.layers.outer_hash = packet.hash;
    walk.layers.outer_tag = static_cast<uint32_t>(flow.digest);
  }
  batch.layers[index] = walk.layers;
}

}  // namespace bricks
