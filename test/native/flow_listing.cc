// bricks flows: rows from batches; fragments, limits, Community IDs, hostile bytes.
#include "flows/flow_listing.hh"

#include <arpa/inet.h>

#include <cstring>
#include <memory>
#include <random>

#include "check.hh"
#include "flows/community_id.hh"
#include "flows/row_writer.hh"
#include "frames.hh"
#include "wire/decode.hh"
#include "wire/sha1.hh"

namespace bricks {

namespace {

using flows::Flow;
using flows::FlowListing;
using flows::Level;
using frames::Bytes;
using frames::Ends;
using frames::operator+;

constexpr uint64_t kSeed = 0xf1035;
constexpr Nanos kStart = 1'700'000'000'000'000'000;

// Adds one packet in memory of its exact size.
void add(FlowListing& listing, const Bytes& frame, Nanos at = kStart) {
  static Batch batch;
  const std::unique_ptr<uint8_t[]> copy(new uint8_t[frame.size()]);
  std::memcpy(copy.get(), frame.data(), frame.size());
  batch.count = 1;
  batch.packets[0] = {};
  batch.packets[0].data = copy.get();
  batch.packets[0].length = static_cast<uint32_t>(frame.size());
  batch.packets[0].timestamp = at;
  decode(batch, process_hash_seed());
  listing.add(batch);
}

std::unique_ptr<FlowListing> listing_of(uint32_t rows = 1000) {
  return std::make_unique<FlowListing>(rows);
}

// "level proto port-a port-b packets-ab packets-ba payload-ab" of every row.
std::string rows_of(FlowListing& listing) {
  std::string text;
  for (uint32_t i = 0; i < listing.table().size(); ++i) {
    const Flow& flow = listing.table().at(i);
    text += std::string(flows::level_name(flow.level)) + ' ' + std::to_string(flow.key.protocol) +
            ' ' + std::to_string(ntohs(flow.key.port[flow.a])) + ' ' +
            std::to_string(ntohs(flow.key.port[1 - flow.a])) + ' ' +
            std::to_string(flow.sides[0].packets) + ' ' + std::to_string(flow.sides[1].packets) +
            ' ' + std::to_string(flow.sides[0].payload) + '\n';
  }
  return text;
}

Bytes fragment(const Ends& ends, uint16_t id, uint16_t at, bool more, size_t bytes = 16) {
  const Bytes body = at == 0 ? frames::udp(ends.source_port, ends.target_port, Bytes(bytes - 8, 1))
                             : Bytes(bytes, 2);
  const frames::Ip ip{.protocol = 17, .id = id, .at = at, .more = more};
  return frames::ethernet(ends, 0x0800, frames::ip4(ends, ip, body));
}

}  // namespace

TEST(flows_both_directions_are_one_row_and_a_sent_first) {
  const auto listing = listing_of();
  const Ends ends{2, 1, 443, 40000};  // a has the higher address
  const Bytes there = frames::ip4(ends, {}, frames::tcp(ends));
  const Bytes back = frames::ip4(ends.reversed(), {}, frames::tcp(ends.reversed()));
  add(*listing, frames::ethernet(ends, 0x0800, there));
  add(*listing, frames::ethernet(ends, 0x0800, back));
  add(*listing, frames::ethernet(ends, 0x0800, back));
  CHECK_EQ(rows_of(*listing), "only 6 443 40000 1 2 6\n");
}

TEST(flows_reserved_bits_do_not_hide_a_tunnel) {
  const Ends ends;
  const Bytes inner = frames::ip4(ends, {.net = 172}, frames::tcp(ends));
  Bytes vxlan = frames::vxlan(11, frames::ethernet(ends, 0x0800, inner));
  vxlan[0] = 0xff;  // "ignored on receipt"
  vxlan[7] = 9;
  const Bytes gpe = Bytes{8, 0, 0, 1, 0, 0, 11, 0} + inner;  // IPv4, and P forgotten
  for (const auto& [port, tunnel] : {std::pair{4789, vxlan}, std::pair{4790, gpe}}) {
    const auto listing = listing_of();
    const Bytes outer =
        frames::ip4(ends, {.protocol = 17}, frames::udp(5555, static_cast<uint16_t>(port), tunnel));
    add(*listing, frames::ethernet(ends, 0x0800, outer));
    const std::string payload = std::to_string(tunnel.size());
    CHECK_EQ(rows_of(*listing), "outer 17 5555 " + std::to_string(port) + " 1 0 " + payload +
                                    "\ninner 6 40000 443 1 0 6\n");
  }
}

TEST(flows_fragments_count_with_their_datagram_in_any_order) {
  const Ends ends;
  for (const bool first_first : {true, false}) {
    const auto listing = listing_of();
    if (first_first) add(*listing, fragment(ends, 9, 0, true));
    add(*listing, fragment(ends, 9, 32, false));
    add(*listing, fragment(ends, 9, 16, true));
    if (!first_first) add(*listing, fragment(ends, 9, 0, true));
    listing->finish();
    CHECK_EQ(rows_of(*listing), "only 17 40000 443 3 0 40\n");
  }
}

TEST(flows_a_fragment_without_its_first_has_no_ports) {
  const Ends ends;
  const auto listing = listing_of();
  add(*listing, fragment(ends, 9, 0, true));
  add(*listing, fragment(ends, 10, 16, false));                          // another datagram
  add(*listing, fragment(ends, 9, 16, false), kStart + 31'000'000'000);  // the id once more
  listing->finish();
  CHECK_EQ(rows_of(*listing), "only 17 40000 443 1 0 8\nonly 17 0 0 2 0 32\n");
}

TEST(flows_more_datagrams_than_are_remembered_lose_no_packet) {
  const Ends ends;
  const auto listing = listing_of();
  for (uint32_t i = 0; i < flows::kDatagramsMax + 1000; ++i) {
    Ends from = ends;
    from.source = static_cast<uint8_t>(3 + i / 65536);
    add(*listing, fragment(from, static_cast<uint16_t>(i), 16, false));
  }
  add(*listing, fragment({3, 2, 40000, 443}, 0, 0, true));     // has given way
  add(*listing, fragment({3, 2, 40000, 443}, 2000, 0, true));  // has not
  listing->finish();
  uint64_t packets = 0;
  for (uint32_t i = 0; i < listing->table().size(); ++i) {
    packets += listing->table().at(i).sides[0].packets;
  }
  CHECK_EQ(packets, uint64_t{flows::kDatagramsMax} + 1002);
  CHECK(rows_of(*listing).find("only 17 40000 443 3 0 ") != std::string::npos);
}

TEST(flows_beyond_the_limit_are_counted_not_listed) {
  const auto listing = listing_of(2);
  for (uint16_t port = 1; port <= 5; ++port) {
    const Ends ends{1, 2, port, 443};
    const Bytes packet = frames::ip4(ends, {}, frames::tcp(ends));
    for (int i = 0; i < 2; ++i) add(*listing, frames::ethernet(ends, 0x0800, packet));
  }
  CHECK_EQ(listing->table().size(), 2u);
  CHECK_EQ(listing->unlisted(), uint64_t{6});
}

TEST(flows_tcp_states) {
  struct Step {
    bool from_a;
    uint8_t flags;
  };
  struct Case {
    std::vector<Step> steps;
    const char *state, *reason;
  };
  const Case cases[] = {{{{true, 2}}, "opening", "end_of_input"},
                        {{{true, 2}, {false, 0x12}, {true, 0x10}}, "active", "end_of_input"},
                        {{{true, 0x18}}, "active", "end_of_input"},
                        {{{true, 0x18}, {true, 0x11}}, "closing", "end_of_input"},
                        {{{true, 0x11}, {false, 0x11}, {true, 0x10}}, "closed", "fin"},
                        {{{true, 2}, {false, 0x14}}, "closed", "rst"},
                        {{{true, 2}, {false, 4}, {true, 2}}, "opening", "end_of_input"}};
  for (const Case& the : cases) {
    const auto listing = listing_of();
    for (const Step& step : the.steps) {
      const Ends ends = step.from_a ? Ends{} : Ends{}.reversed();
      Bytes segment = frames::tcp(ends);
      segment[13] = step.flags;
      add(*listing, frames::ethernet(ends, 0x0800, frames::ip4(ends, {}, segment)));
    }
    listing->finish();
    const Flow& flow = listing->table().at(0);
    CHECK_EQ(std::string(flows::state_name(flow.state)), the.state);
    CHECK_EQ(std::string(flows::reason_name(flow.reason)), the.reason);
  }
}

TEST(flows_sha1_of_known_messages) {
  const auto hex = [](const std::string& text) {
    std::string digits;
    for (const uint8_t byte : sha1(reinterpret_cast<const uint8_t*>(text.data()), text.size())) {
      char two[3];
      std::snprintf(two, sizeof two, "%02x", byte);
      digits += two;
    }
    return digits;
  };
  CHECK_EQ(hex(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  CHECK_EQ(hex("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK_EQ(hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
           "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  // Around the ends of blocks.
  CHECK_EQ(hex(std::string(55, 'a')), "c1c8bbdc22796e28c0e15163d20899b65621d65a");
  CHECK_EQ(hex(std::string(56, 'a')), "c2db330f6083854c99d4b5bfb6e8f29f201be699");
  CHECK_EQ(hex(std::string(64, 'a')), "0098ba824b5c16427bd7a1122a5a442a25ec644d");
  CHECK_EQ(hex(std::string(120, 'a')), "f34c1488385346a55709ba056ddd08280dd4c6d6");
}

TEST(flows_community_id_of_known_flows) {
  struct Known {
    uint8_t protocol;
    const char *a, *b;
    uint16_t port_a, port_b;  // ICMP: type and code
    const char* id;
  };
  const Known cases[] = {
      {6, "128.232.110.120", "66.35.250.204", 34855, 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
      {17, "192.168.1.52", "8.8.8.8", 54585, 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
      {132, "192.168.170.8", "192.168.170.56", 7, 7, "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="},
      {1, "192.168.0.89", "192.168.0.1", 8, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
      {1, "10.0.0.1", "10.0.0.2", 11, 0, "1:YHxtAirCG//0OzkcVAukqKQN9xM="},
      {46, "10.1.12.1", "10.1.12.2", 0, 0, "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw="}};
  for (const Known& known : cases) {
    Flow flow = {};
    flow.key.ip_version = 4;
    flow.key.protocol = known.protocol;
    inet_pton(AF_INET, known.a, flow.key.address[0]);
    inet_pton(AF_INET, known.b, flow.key.address[1]);
    flow.has_icmp = known.protocol == 1;
    flow.icmp_type = static_cast<uint8_t>(known.port_a);
    flow.icmp_code = static_cast<uint8_t>(known.port_b);
    if (!flow.has_icmp) {
      flow.key.port[0] = htons(known.port_a);
      flow.key.port[1] = htons(known.port_b);
    }
    CHECK_EQ(flows::community_id(flow), known.id);
  }
}

TEST(flows_random_changes_to_frames_are_read_within_bounds) {
  std::mt19937_64 random(kSeed);
  const Ends ends;
  const Bytes inner = frames::ethernet(ends, 0x0800, fragment(ends, 3, 0, true));
  const Bytes v6 = frames::ip6(ends, {.protocol = 44},
                               frames::fragment6(17, 0, true, 5, frames::udp(1, 2, inner)));
  const Bytes bases[] = {
      fragment(ends, 4, 0, true), frames::ethernet(ends, 0x86dd, v6),
      frames::ethernet(ends, 0x0800,
                       frames::ip4(ends, {.protocol = 17, .more = true},
                                   frames::udp(7, 4789, frames::vxlan(1, inner))))};
  const auto listing = listing_of(100);
  uint64_t sent = 0;
  for (int round = 0; round < 60'000; ++round, ++sent) {
    Bytes frame = bases[random() % std::size(bases)];
    for (uint64_t i = random() % 4; i > 0; --i) {
      frame[random() % frame.size()] = static_cast<uint8_t>(random());
    }
    frame.resize(random() % (frame.size() + 1));
    add(*listing, frame, kStart + random() % 100'000'000'000);
  }
  listing->finish();
  std::string text;
  for (uint32_t i = 0; i < listing->table().size(); ++i) {
    flows::append_json(listing->table().at(i), &text);
  }
  CHECK(listing->not_ip() > 0 && listing->unlisted() > 0 && listing->packets() == sent);
}

}  // namespace bricks
