#include "sessions/related_flows.hh"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "wire/flow_hash.hh"

namespace bricks {

namespace {

constexpr uint8_t kTcp = 6, kUdp = 17;
constexpr Nanos kSecond = 1000000000;
constexpr Nanos kSoon = 60 * kSecond, kCall = 180 * kSecond;  // a phone rings for minutes

enum class Kind { none, ftp, sip, rtsp, tftp };

Kind kind_of(uint16_t port, uint8_t protocol) noexcept {
  switch (ntohs(port)) {
    case 21:
      return protocol == kTcp ? Kind::ftp : Kind::none;
    case 69:
      return protocol == kUdp ? Kind::tftp : Kind::none;
    case 554:
      return protocol == kTcp ? Kind::rtsp : Kind::none;
    case 5060:
      return Kind::sip;
    default:
      return Kind::none;
  }
}

Kind kind_of(const FlowKey& key) noexcept {
  if (key.ip_version == 0 || (key.protocol != kTcp && key.protocol != kUdp)) return Kind::none;
  const Kind first = kind_of(key.port[0], key.protocol);
  return first == Kind::none ? kind_of(key.port[1], key.protocol) : first;
}

// Payload of a packet of the flow itself: no ICMP error about it, no later fragment.
Payload payload_of(const Batch& batch, Index index, uint8_t protocol) noexcept {
  const Packet& packet = batch.packets[index];
  uint32_t at = 0;
  if (packet.flags & kPacketLayers) {
    const Layers& layers = batch.layers[index];
    if (layers.key_network != packet.network || layers.fragment_at != 0) return {};
    at = layers.transport;
  } else if (packet.ip_version == 4) {
    at = packet.network + (packet.data[packet.network] & 15u) * 4;
  } else if (packet.ip_version == 6) {
    at = packet.network + 40u;
  }
  if (at == 0 || at + (protocol == kTcp ? 20 : 8) > packet.length) return {};
  at += protocol == kTcp ? (packet.data[at + 12] >> 4) * 4u : 8u;
  if (at >= packet.length) return {};
  return {packet.data + at, packet.length - at};
}

}  // namespace

RelatedFlows::RelatedFlows() : all_(kSets * kWays) {}

bool RelatedFlows::announces(const FlowKey& key) noexcept { return kind_of(key) != Kind::none; }

void RelatedFlows::read(const Batch& batch, Index packet, const FlowKey& key,
                        uint64_t parent) noexcept {
  const Payload payload = payload_of(batch, packet, key.protocol);
  if (payload.empty()) return;
  const uint32_t sender = batch.packets[packet].flags & kPacketReverse ? 1 : 0;
  const Kind kind = kind_of(key);
  const bool from_client = kind_of(key.port[sender], key.protocol) != kind;
  Announced announced[kAnnouncedMax];
  uint32_t count = 0;
  if (kind == Kind::ftp) count = read_ftp(payload, announced);
  if (kind == Kind::sip) count = read_sdp(payload, key.ip_version, announced);
  if (kind == Kind::rtsp) count = read_rtsp(payload, from_client, announced);
  if (kind == Kind::tftp && from_client) count = read_tftp(payload, key.port[sender], announced);
  for (uint32_t i = 0; i < count; ++i) {
    const Announced& from = announced[i];
    const uint32_t side = from.other ? 1 - sender : sender;
    Expected made{};
    const bool given = !from.sender && !from.other;
    std::memcpy(made.address, given ? from.address : key.address[side], sizeof made.address);
    std::memcpy(made.peer, key.address[1 - side], sizeof made.peer);
    made.any_peer = kind == Kind::sip;
    made.port = from.port;
    made.protocol = from.protocol;
    made.ip_version = key.ip_version;
    made.until = batch.packets[packet].timestamp + (kind == Kind::sip ? kCall : kSoon);
    made.parent = parent;
    expect(made);
  }
}

RelatedFlows::Expected* RelatedFlows::set_of(const uint8_t* address, uint16_t port,
                                             uint8_t protocol) noexcept {
  uint64_t half[2];
  std::memcpy(half, address, sizeof half);
  const HashSeed& seed = process_hash_seed();
  const uint64_t mixed = multiply_fold(half[0] ^ seed.word[0], half[1] ^ seed.word[1]);
  const uint64_t hash =
      multiply_fold(mixed ^ seed.word[2], (uint64_t{port} << 8 | protocol) ^ seed.word[3]);
  return all_.data() + (hash % kSets) * kWays;
}

void RelatedFlows::expect(const Expected& expected) noexcept {
  Expected* set = set_of(expected.address, expected.port, expected.protocol);
  Expected* place = set;
  for (uint32_t way = 0; way < kWays; ++way) {
    Expected& known = set[way];
    const bool same = known.ip_version == expected.ip_version && known.port == expected.port &&
                      known.protocol == expected.protocol &&
                      std::memcmp(known.address, expected.address, sizeof known.address) == 0;
    if (same) {
      place = &known;
      break;
    }
    if (known.until < place->until) place = &known;
  }
  *place = expected;
  latest_ = std::max(latest_, expected.until);
}

uint64_t RelatedFlows::parent_of(const FlowKey& key, Nanos now) noexcept {
  if (now > latest_) latest_ = 0;
  for (uint32_t side = 0; side < 2; ++side) {
    const Expected* set = set_of(key.address[side], key.port[side], key.protocol);
    for (uint32_t way = 0; way < kWays; ++way) {
      const Expected& known = set[way];
      if (known.ip_version != key.ip_version || known.ip_version == 0 || now > known.until ||
          known.port != key.port[side] || known.protocol != key.protocol) {
        continue;
      }
      if (std::memcmp(known.address, key.address[side], sizeof known.address) != 0) continue;
      const uint8_t* peer = key.address[1 - side];
      if (known.any_peer || std::memcmp(known.peer, peer, sizeof known.peer) == 0) {
        return known.parent;
      }
    }
  }
  return 0;
}

}  // namespace bricks
