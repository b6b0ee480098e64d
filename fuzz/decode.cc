// Fuzzes decode(): the first byte of an input picks the link type and whether the packet is cut,
// the rest is the packet, in memory of just that size. Whatever it is, decode() stays inside it,
// gives offsets inside it, and its paths agree bit for bit. Run: docs/flows.md.
#include "wire/decode.hh"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "must.hh"
#include "wire/bytes.hh"
#include "wire/flow_key.hh"
#include "wire/packet_digest.hh"

namespace bricks {

namespace {

constexpr LinkType kLinks[] = {
    LinkType::ethernet,  LinkType::null, LinkType::raw_bsd, LinkType::ppp,
    LinkType::ppp_hdlc,  LinkType::raw,  LinkType::c_hdlc,  LinkType::loop,
    LinkType::linux_sll, LinkType::ipv4, LinkType::ipv6,    LinkType::linux_sll2,
    LinkType{127},       LinkType{10},   LinkType{105},     LinkType{107},
    LinkType{129},       LinkType{192},  LinkType{226},     LinkType{239}};
constexpr uint8_t kCutBit = 0x80;
constexpr uint32_t kCutBy = 100;

void check_layers(const Packet& packet, const Layers& layers) noexcept {
  const uint32_t length = packet.length;
  MUST(layers.headers <= kTunnelsMax + 1);
  MUST((layers.headers == 0) == (packet.ip_version == 0));
  MUST(layers.transport <= length);
  MUST(layers.vlan <= 0xfff && layers.vni <= 0xffffff);
  MUST(static_cast<uint32_t>(layers.fault) < kHeaderFaultCount);
  const auto whole = [length](uint32_t at, uint8_t version) {
    return at + (version == 4 ? 20u : version == 6 ? 40u : 0u) <= length;
  };
  MUST(whole(layers.outer_network, layers.outer_version));
  MUST(whole(layers.key_network, layers.key_version));
  MUST(whole(layers.carrier_network, layers.carrier_version));
  MUST(layers.outer_network <= packet.network || packet.ip_version == 0);
  if (packet.flags & kPacketFragment) {
    MUST(layers.fragment_at > 0);
    MUST(layers.source_port == 0 && layers.target_port == 0);
  }
}

void check_keys(Batch& batch, uint64_t digest) noexcept {
  MUST(flow_digest(batch, 0, {}) == digest);
  for (uint32_t bits = 0; bits < 8; ++bits) {
    const FlowRule rule = {
        .outer = (bits & 1) != 0, .addresses_only = (bits & 2) != 0, .tenant = (bits & 4) != 0};
    const FlowKey key = flow_key(batch, 0, rule);
    const uint64_t again = flow_digest(batch, 0, rule);
    MUST(again == flow_digest(batch, 0, rule));
    MUST(key.ip_version == 0 || key.ip_version == 4 || key.ip_version == 6);
    MUST(!rule.addresses_only || (key.protocol == 0 && key.port[0] == 0 && key.port[1] == 0));
  }
}

// The other fragments of what this one says.
void check_fragments(Batch& batch, const HashSeed& seed) noexcept {
  if (!(batch.packets[0].flags & kPacketLayers)) return;
  if (batch.layers[0].carrier_version != 0) (void)carrier_flow(batch, 0);
  if (!(batch.packets[0].flags & kPacketFragment)) return;
  set_flow_ports(batch, 0, 0x1234, 0x5678, seed);
  MUST(!(batch.packets[0].flags & kPacketFragment));
  const FragmentFlow flow = fragment_flow(batch, 0);
  MUST(flow.source_port == 0x1234 && flow.target_port == 0x5678);
  set_fragment_flow(batch, 0, flow);
  MUST(fragment_flow(batch, 0).hash == flow.hash);
}

void check_one(const uint8_t* bytes, size_t size) noexcept {
  static const auto batch = std::make_unique<Batch>();
  const HashSeed& seed = process_hash_seed();
  const uint32_t length = static_cast<uint32_t>(std::min<size_t>(size - 1, kFrameMax));
  const auto exact = std::make_unique<uint8_t[]>(length);
  std::copy_n(bytes + 1, length, exact.get());
  const bool cut = bytes[0] & kCutBit;
  Packet packet = {};
  packet.data = exact.get();
  packet.length = length;
  packet.flags = cut ? kPacketCut : 0;
  // Alone, and behind so many others that the way for mixtures is taken.
  constexpr uint32_t kCopies = 8;
  batch->link = kLinks[(bytes[0] & ~kCutBit) % std::size(kLinks)];
  batch->count = kCopies;
  for (uint32_t i = 0; i < kCopies; ++i) {
    batch->packets[i] = packet;
    batch->wire_lengths[i] = length + kCutBy;
  }
  decode(*batch, seed);
  const Packet fast = batch->packets[0];
  const uint64_t flow = batch->digests[0];
  MUST(flow >> 32 == fast.hash);
  if (batch->usual) {  // nobody asks again
    const uint8_t* frame = packet.data;
    MUST(fast.network == 14 && fast.ip_version == 4 && frame[14] == 0x45 &&
         (frame[23] == 6 || frame[23] == 17));
    MUST(load_be16(frame + 16) >= 24u && load_be16(frame + 16) + 14u <= length);
    MUST(!(fast.flags & (kPacketLayers | kPacketFragment)));
  }
  const Layers layers = fast.flags & kPacketLayers ? batch->layers[0] : Layers{};
  for (uint32_t i = 1; i < kCopies; ++i) {
    MUST(std::memcmp(&batch->packets[i], &fast, sizeof fast) == 0 && batch->digests[i] == flow);
    MUST(!(fast.flags & kPacketLayers) ||
         std::memcmp(&batch->layers[i], &layers, sizeof layers) == 0);
  }
  batch->packets[0] = packet;
  decode_slow(*batch, 0, seed);
  const Packet& slow = batch->packets[0];
  MUST(std::memcmp(&slow, &fast, sizeof fast) == 0 && batch->digests[0] == flow);
  MUST(((fast.flags & kPacketCut) != 0) == cut);
  MUST(fast.ip_version == 0 || fast.network + (fast.ip_version == 4 ? 20u : 40u) <= length);
  MUST(!(fast.flags & kPacketFragment) || (fast.flags & kPacketLayers));
  if (fast.flags & kPacketLayers) {
    MUST(std::memcmp(&batch->layers[0], &layers, sizeof layers) == 0);
    check_layers(fast, layers);
  }
  (void)hash_addresses(fast, seed);
  const PacketDigest digest = packet_digest(*batch, 0, {}, seed);
  MUST(packet_digest(*batch, 0, {}, seed).word == digest.word);
  (void)packet_digest(*batch, 0, {.ttl = false, .vlan = false, .mac = false, .checksum = false},
                      seed);
  check_keys(*batch, flow);
  check_fragments(*batch, seed);
}

}  // namespace

}  // namespace bricks

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size > 0) bricks::check_one(bytes, size);
  return 0;
}
