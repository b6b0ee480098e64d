// The listing is of flows as they are on the wire. It differs from what a LoadBalancer goes by in
// one thing: an ICMP error counts with its own sender and receiver, not with the flow it quotes.
#include "flows/flow_listing.hh"

#include <algorithm>
#include <cstring>

#include "flows/key_digest.hh"

namespace bricks::flows {
namespace {

constexpr uint8_t kIcmp = 1, kIcmp6 = 58;

// Addresses of an IP header that decode() has found whole; IPv4 in the first four bytes.
void read_addresses(const uint8_t* ip, uint8_t version, uint8_t (&source)[16],
                    uint8_t (&target)[16]) noexcept {
  const size_t size = version == 4 ? 4 : 16;
  std::memset(source, 0, 16);
  std::memset(target, 0, 16);
  std::memcpy(source, ip + (version == 4 ? 12 : 8), size);
  std::memcpy(target, ip + (version == 4 ? 16 : 24), size);
}

// Which end of `key` has sent the packet with that source address and port (as on the wire).
uint8_t sender(const FlowKey& key, const uint8_t (&source)[16], uint16_t port) noexcept {
  const bool is_first = std::memcmp(key.address[0], source, 16) == 0;
  const bool is_second = std::memcmp(key.address[1], source, 16) == 0;
  if (is_first != is_second) return is_first ? 0 : 1;
  return key.port[0] == port ? 0 : 1;
}

DatagramKey datagram_key(const Packet& packet, uint16_t network, uint8_t version, uint32_t id,
                         uint64_t tunnel) noexcept {
  DatagramKey key;
  read_addresses(packet.data + network, version, key.source, key.target);
  key.tunnel = tunnel;
  key.id = id;
  key.protocol = version == 4 ? packet.data[network + 9] : 0;  // RFC 791; RFC 8200 goes without
  key.ip_version = version;
  return key;
}

}  // namespace

FlowListing::FlowListing(uint32_t rows) : table_(rows), datagrams_(&count_orphans, this) {}

FlowListing::Noted& FlowListing::begin(const Batch& batch, Index packet, Level level,
                                       const Transport& transport) {
  Noted& noted = noted_[noted_count_++];
  Sighting& sighting = noted.sighting;
  noted.part = Part::whole;
  noted.carries = false;
  noted.last_of_packet = level != Level::outer;
  sighting.level = level;
  sighting.tcp_flags = transport.tcp_flags;
  sighting.has_icmp = transport.has_icmp;
  sighting.icmp_type = transport.icmp_type;
  sighting.icmp_code = transport.icmp_code;
  sighting.count = {1, wire_length(batch, packet), transport.payload};
  sighting.first = sighting.last = batch.packets[packet].timestamp;
  return noted;
}

// Returns a digest that stands for the tunnel, never 0.
uint64_t FlowListing::note_outer(const Batch& batch, Index i) {
  const Packet& packet = batch.packets[i];
  const Layers& layers = batch.layers[i];
  const FlowRule rule{.outer = true};
  const Transport transport = read_transport(packet.data, packet.length, wire_length(batch, i),
                                             layers.outer_network, layers.outer_version);
  Sighting& sighting = begin(batch, i, Level::outer, transport).sighting;
  sighting.key = flow_key(batch, i, rule);
  sighting.digest = flow_digest(batch, i, rule);
  uint8_t source[16], target[16];
  read_addresses(packet.data + layers.outer_network, layers.outer_version, source, target);
  sighting.from = sender(sighting.key, source, __builtin_bswap16(transport.ports[0]));
  return sighting.digest | 1;
}

void FlowListing::note_inner(const Batch& batch, Index i, Level level, uint64_t tunnel) {
  const Packet& packet = batch.packets[i];
  const Layers* layers = packet.flags & kPacketLayers ? &batch.layers[i] : nullptr;
  const uint8_t* ip = packet.data + packet.network;
  const Transport transport = read_transport(packet.data, packet.length, wire_length(batch, i),
                                             packet.network, packet.ip_version);
  Noted& noted = begin(batch, i, level, transport);
  Sighting& sighting = noted.sighting;
  if (layers && layers->carrier_version != 0) {
    noted.carries = true;
    noted.carrier_is_outermost = layers->carrier_network == layers->outer_network;
    noted.carrier = datagram_key(packet, layers->carrier_network, layers->carrier_version,
                                 layers->carrier_id, noted.carrier_is_outermost ? 0 : tunnel);
  }
  if (layers && layers->key_network != packet.network) {  // an ICMP error
    uint8_t source[16], target[16];
    read_addresses(ip, packet.ip_version, source, target);
    sighting.key = {};
    sighting.from = std::memcmp(source, target, 16) <= 0 ? 0 : 1;
    std::memcpy(sighting.key.address[sighting.from], source, 16);
    std::memcpy(sighting.key.address[1 - sighting.from], target, 16);
    sighting.key.protocol = packet.ip_version == 4 ? kIcmp : kIcmp6;
    sighting.key.ip_version = packet.ip_version;
    sighting.digest = digest_bytes(&sighting.key, sizeof sighting.key);
    return;
  }
  sighting.key = flow_key(batch, i, {});
  sighting.digest = flow_digest(batch, i, {});
  sighting.from = packet.flags & kPacketReverse ? 1 : 0;
  // ICMP without ports is one flow whatever key decode() orders its ends by.
  if (sighting.key.protocol == kIcmp || sighting.key.protocol == kIcmp6) {
    sighting.digest = digest_bytes(&sighting.key, sizeof sighting.key);
  }
  if (!layers || !(packet.flags & kPacketFragment || layers->fragment_more)) return;
  noted.part = packet.flags & kPacketFragment ? Part::later_fragment : Part::first_fragment;
  noted.datagram =
      datagram_key(packet, packet.network, packet.ip_version, layers->fragment_id, tunnel);
}

void FlowListing::note(const Batch& batch, Index i) {
  const Packet& packet = batch.packets[i];
  now_ = std::max(now_, packet.timestamp);
  if (packet.ip_version == 0) {
    ++not_ip_;
    return;
  }
  if (packet.flags & kPacketLayers && batch.layers[i].headers > 1) {
    note_inner(batch, i, Level::inner, note_outer(batch, i));
  } else {
    note_inner(batch, i, Level::only, 0);
  }
}

void FlowListing::count_in(uint32_t row, uint32_t side, const Sighting& sighting) {
  Flow& flow = table_.at(row);
  if (flow.sides[0].packets + flow.sides[1].packets == 0) {
    flow.has_icmp = sighting.has_icmp;
    flow.icmp_type = sighting.icmp_type;
    flow.icmp_code = sighting.icmp_code;
  }
  observe(flow, side, sighting.tcp_flags);
  Side& to = flow.sides[side];
  to.packets += sighting.count.packets;
  to.bytes += sighting.count.bytes;
  to.payload += sighting.count.payload;
  flow.first = std::min(flow.first, sighting.first);
  flow.last = std::max(flow.last, sighting.last);
}

uint32_t FlowListing::count(const Sighting& sighting, uint32_t* side) {
  const uint32_t row =
      table_.find(sighting.key, sighting.level, sighting.digest, true, sighting.from);
  if (row == kNoFlow) return row;
  *side = sighting.from ^ table_.at(row).a;
  count_in(row, *side, sighting);
  return row;
}

void FlowListing::count_orphans(void* context, const Sighting& counted) {
  auto* self = static_cast<FlowListing*>(context);
  uint32_t side;
  if (self->count(counted, &side) == kNoFlow) self->unlisted_ += counted.count.packets;
}

// False: its first fragment has not been seen.
bool FlowListing::count_later(const Noted& noted, Datagrams::Known* known) {
  if (!datagrams_.resolve(noted.datagram, noted.sighting, known)) return false;
  for (uint32_t i = 0; i < known->count; ++i) {
    count_in(known->row[i], known->side[i], noted.sighting);
  }
  return true;
}

void FlowListing::learn(const DatagramKey& key, const Datagrams::Known& known, Nanos now) {
  Sighting before;
  if (known.count == 0 || !datagrams_.learn(key, known, now, &before)) return;
  for (uint32_t i = 0; i < known.count; ++i) count_in(known.row[i], known.side[i], before);
}

// `noted`: the packet at its one level, or at both, outer first.
void FlowListing::count_packet(const Noted* noted, uint32_t levels) {
  Datagrams::Known at[2];
  bool is_listed = true;
  for (uint32_t level = 0; level < levels; ++level) {
    const Noted& now = noted[level];
    if (now.part == Part::later_fragment) {
      count_later(now, &at[level]);
      continue;
    }
    uint32_t side;
    const uint32_t row = count(now.sighting, &side);
    is_listed &= row != kNoFlow;
    if (row != kNoFlow) at[level].add(row, side);
    if (now.part == Part::first_fragment) learn(now.datagram, at[level], now.sighting.last);
  }
  const Noted& last = noted[levels - 1];
  if (last.carries) {
    Datagrams::Known both;
    if (last.carrier_is_outermost && levels == 2 && at[0].count > 0) {
      both.add(at[0].row[0], at[0].side[0]);
    }
    const Datagrams::Known& inner = at[levels - 1];
    if (inner.count > 0) both.add(inner.row[inner.count - 1], inner.side[inner.count - 1]);
    learn(last.carrier, both, last.sighting.last);
  }
  if (!is_listed) ++unlisted_;
}

void FlowListing::add(const Batch& batch) {
  noted_count_ = 0;
  for (uint32_t i = 0; i < batch.count; ++i) note(batch, static_cast<Index>(i));
  packets_ += batch.count;
  for (uint32_t i = 0; i < noted_count_; ++i) {
    table_.prefetch(noted_[i].sighting.level, noted_[i].sighting.digest);
  }
  for (uint32_t from = 0, i = 0; i < noted_count_; ++i) {
    if (!noted_[i].last_of_packet) continue;
    count_packet(&noted_[from], i + 1 - from);
    from = i + 1;
  }
}

void FlowListing::finish() {
  datagrams_.settle_all();
  for (uint32_t row = 0; row < table_.size(); ++row) conclude(table_.at(row), now_);
}

}  // namespace bricks::flows
