// Fragments, and what the tracker of fragments is told: the first one has the flow, the others get
// it put on them.
#include <memory>

#include "check.hh"
#include "encapsulations.hh"
#include "wire/decode.hh"
#include "wire/flow_key.hh"

namespace bricks {

using namespace frames;

namespace {

const Ends kThere = {};

// A batch of these frames, decoded; they outlive it.
std::unique_ptr<Batch> decoded(std::vector<Bytes>& packets) {
  auto batch = std::make_unique<Batch>();
  batch->count = static_cast<uint32_t>(packets.size());
  for (uint32_t i = 0; i < batch->count; ++i) {
    batch->packets[i] = {};
    batch->packets[i].data = packets[i].data();
    batch->packets[i].length = static_cast<uint32_t>(packets[i].size());
  }
  decode(*batch, process_hash_seed());
  return batch;
}

uint64_t digest(const Batch& batch, Index i) { return flow_digest(batch, i, {}); }
uint64_t outer(const Batch& batch, Index i) { return flow_digest(batch, i, {.outer = true}); }
bool flag(const Batch& batch, Index i, PacketFlag which) { return batch.packets[i].flags & which; }

// A datagram in two, IPv4 and IPv6; `at` is a multiple of 8.
struct Halves {
  Bytes first, second;
};
Halves halves4(const Ends& ends, uint8_t protocol, uint8_t net, const Bytes& data, uint16_t at) {
  const auto cut = data.begin() + at;
  return {
      ip4(ends, {.protocol = protocol, .net = net, .id = 99, .more = true}, {data.begin(), cut}),
      ip4(ends, {.protocol = protocol, .net = net, .id = 99, .at = at}, {cut, data.end()})};
}
Halves halves6(const Ends& ends, uint8_t protocol, const Bytes& data, uint16_t at) {
  const auto cut = data.begin() + at;
  return {ip6(ends, {.protocol = 44}, fragment6(protocol, 0, true, 99, {data.begin(), cut})),
          ip6(ends, {.protocol = 44}, fragment6(protocol, at, false, 99, {cut, data.end()}))};
}

}  // namespace

TEST(decode_gives_the_first_fragment_its_flow_and_the_others_what_they_show) {
  const Bytes data = udp(5000, 53, Bytes(40, 'd'));
  for (const uint16_t type : {uint16_t{0x0800}, uint16_t{0x86dd}}) {
    const bool four = type == 0x0800;
    const Halves cut = four ? halves4(kThere, 17, 10, data, 24) : halves6(kThere, 17, data, 24);
    const Bytes whole =
        four ? ip4(kThere, {.protocol = 17}, data) : ip6(kThere, {.protocol = 17}, data);
    std::vector<Bytes> packets = {ethernet(kThere, type, whole), ethernet(kThere, type, cut.first),
                                  ethernet(kThere, type, cut.second)};
    const auto batch = decoded(packets);
    CHECK_EQ(digest(*batch, 1), digest(*batch, 0));
    CHECK(!flag(*batch, 1, kPacketFragment));
    CHECK(flag(*batch, 2, kPacketFragment) && flag(*batch, 2, kPacketLayers));
    CHECK(digest(*batch, 2) != digest(*batch, 0));
    const Layers& first = batch->layers[1];
    const Layers& later = batch->layers[2];
    CHECK_EQ(first.fragment_id, later.fragment_id);
    CHECK(first.fragment_more && first.fragment_at == 0);
    CHECK(!later.fragment_more && later.fragment_at == 24);
    CHECK_EQ(first.carrier_version, 0);
    CHECK_EQ(datagram_protocol(batch->packets[2], later.key_network, later.key_version),
             four ? 17 : 0);
    set_fragment_flow(*batch, 2, fragment_flow(*batch, 1));
    CHECK(!flag(*batch, 2, kPacketFragment));
    CHECK_EQ(digest(*batch, 2), digest(*batch, 0));
    CHECK_EQ(outer(*batch, 2), digest(*batch, 0));
    CHECK_EQ(flag(*batch, 2, kPacketReverse), flag(*batch, 0, kPacketReverse));
    CHECK(flow_key(*batch, 2, {}) == flow_key(*batch, 0, {}));
    CHECK(flow_key(*batch, 2, {.outer = true}) == flow_key(*batch, 0, {}));
    // The same by ports alone.
    const auto again = decoded(packets);
    set_flow_ports(*again, 2, first.source_port, first.target_port, process_hash_seed());
    CHECK_EQ(digest(*again, 2), digest(*batch, 0));
    CHECK(flow_key(*again, 2, {}) == flow_key(*batch, 0, {}));
    CHECK_EQ(flag(*again, 2, kPacketReverse), flag(*batch, 0, kPacketReverse));
  }
}

// The tunnel's packet is in two fragments: the first shows the inner flow, and both belong to it.
TEST(decode_tells_of_a_first_fragment_that_carries_a_tunnel) {
  const Bytes tunnel = udp(4789, 4789, vxlan(3, inner_frame(kThere)));
  const Halves cut = halves4(kThere, 17, 172, tunnel, 72);
  std::vector<Bytes> packets = {ethernet(kThere, 0x0800, inner4(kThere)),
                                outer_udp(kThere, 4789, vxlan(3, inner_frame(kThere))),
                                ethernet(kThere, 0x0800, cut.first),
                                ethernet(kThere, 0x0800, cut.second)};
  const auto batch = decoded(packets);
  CHECK_EQ(digest(*batch, 2), digest(*batch, 0));
  CHECK_EQ(outer(*batch, 2), outer(*batch, 1));
  const Layers& first = batch->layers[2];
  const Layers& later = batch->layers[3];
  CHECK_EQ(first.carrier_version, 4);
  CHECK_EQ(first.carrier_network, later.key_network);
  CHECK_EQ(first.carrier_id, later.fragment_id);
  CHECK(!first.fragment_more && first.fragment_id == 0);
  CHECK_EQ(batch->header_faults[static_cast<int>(HeaderFault::bad_length)], 0u);
  set_fragment_flow(*batch, 3, carrier_flow(*batch, 2));
  CHECK_EQ(digest(*batch, 3), digest(*batch, 0));
  CHECK_EQ(outer(*batch, 3), outer(*batch, 1));
  CHECK(flow_key(*batch, 3, {.outer = true}) == flow_key(*batch, 1, {.outer = true}));
}

// Fragments inside a tunnel, whose own packets are in fragments: resolved one after the other.
TEST(decode_of_fragments_in_fragments) {
  const Bytes data = udp(5000, 53, Bytes(200, 'd'));
  const Halves inner = halves4(kThere, 17, 10, data, 104);
  std::vector<Bytes> packets = {ethernet(kThere, 0x0800, ip4(kThere, {.protocol = 17}, data))};
  for (const Bytes& half : {inner.first, inner.second}) {
    const Bytes tunnel = udp(4789, 4789, vxlan(3, ethernet(kThere, 0x0800, half)));
    const Halves cut = halves4(kThere, 17, 172, tunnel, 80);
    packets.push_back(ethernet(kThere, 0x0800, cut.first));
    packets.push_back(ethernet(kThere, 0x0800, cut.second));
  }
  const auto batch = decoded(packets);
  const Layers& both = batch->layers[1];
  CHECK(both.carrier_version == 4 && both.fragment_more && both.fragment_at == 0);
  CHECK_EQ(digest(*batch, 1), digest(*batch, 0));
  set_fragment_flow(*batch, 2, carrier_flow(*batch, 1));
  CHECK_EQ(digest(*batch, 2), digest(*batch, 0));
  const Layers& second = batch->layers[3];
  CHECK(second.carrier_version == 4 && second.fragment_at == 104);
  CHECK(flag(*batch, 3, kPacketFragment));
  set_fragment_flow(*batch, 3, fragment_flow(*batch, 1));
  set_fragment_flow(*batch, 4, carrier_flow(*batch, 3));
  CHECK_EQ(digest(*batch, 3), digest(*batch, 0));
  CHECK_EQ(digest(*batch, 4), digest(*batch, 0));
}

TEST(decode_of_an_error_that_quotes_a_fragment) {
  const Bytes data = udp(5000, 53, Bytes(40, 'd'));
  const Halves cut = halves4(kThere, 17, 10, data, 24);
  const Ends back = kThere.reversed();
  std::vector<Bytes> packets = {ethernet(kThere, 0x0800, cut.first)};
  for (const Bytes& quote : {cut.first, cut.second}) {
    packets.push_back(
        ethernet(back, 0x0800, ip4(back, {.protocol = 1, .net = 77}, icmp(11, 1, quote))));
  }
  const auto batch = decoded(packets);
  CHECK_EQ(digest(*batch, 1), digest(*batch, 0));
  CHECK(!batch->layers[1].fragment_more);  // nothing is learned from a quote
  CHECK(flag(*batch, 2, kPacketFragment));
  CHECK_EQ(batch->layers[2].fragment_id, batch->layers[0].fragment_id);
  set_fragment_flow(*batch, 2, fragment_flow(*batch, 0));
  CHECK_EQ(digest(*batch, 2), digest(*batch, 0));
  CHECK(flag(*batch, 2, kPacketReverse) != flag(*batch, 0, kPacketReverse));
  CHECK(flow_key(*batch, 2, {}) == flow_key(*batch, 0, {}));
}

}  // namespace bricks
