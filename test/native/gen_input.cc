// The packets of gen: are valid, repeatable and of as many flows as asked; buffers may be
// exchanged.
#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "check.hh"
#include "mem/region.hh"
#include "port_conformance.hh"
#include "ports/packet_builder.hh"
#include "ports/port_registry.hh"

using namespace bricks;
using conformance::Frame;

namespace {

std::vector<Frame> generate(const std::string& port, size_t count = SIZE_MAX,
                            const PortContext& context = {}) {
  std::unique_ptr<Input> input;
  CHECK_EQ(open_input(port, context, &input).message, "");
  LedgerCell cell;
  return input ? conformance::take(*input, 100, cell, count) : std::vector<Frame>();
}

uint32_t get16(const uint8_t* at) { return static_cast<uint32_t>(at[0] << 8 | at[1]); }

// The Internet checksum's sum, word by word with the carry put back at once; 0xffff when it is
// right.
uint32_t add(uint32_t sum, const uint8_t* at, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) {
    sum += i % 2 ? at[i] : static_cast<uint32_t>(at[i] << 8);
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return sum;
}

struct Decoded {
  std::string a, b;  // address and port
  uint8_t protocol;
  bool ipv6, tagged;
};

Decoded decode_checked(const Frame& frame) {
  const uint8_t* at = frame.bytes.data() + 12;
  Decoded decoded{};
  decoded.tagged = get16(at) == 0x8100;
  if (decoded.tagged) at += 4;
  decoded.ipv6 = get16(at) == 0x86dd;
  CHECK(decoded.ipv6 || get16(at) == 0x0800);
  at += 2;
  const size_t left = frame.bytes.size() - static_cast<size_t>(at - frame.bytes.data());
  const size_t header = decoded.ipv6 ? 40 : 20, address = decoded.ipv6 ? 16 : 4;
  const uint8_t* addresses = at + header - 2 * address;
  decoded.protocol = at[decoded.ipv6 ? 6 : 9];
  CHECK_EQ(decoded.ipv6 ? get16(at + 4) + 40 : get16(at + 2), left);
  if (!decoded.ipv6) CHECK_EQ(add(0, at, 20), 0xffffu);
  const uint8_t* transport = at + header;
  const uint8_t pseudo[4] = {0, decoded.protocol, static_cast<uint8_t>((left - header) >> 8),
                             static_cast<uint8_t>(left - header)};
  const uint32_t sum = add(add(0, addresses, 2 * address), pseudo, 4);
  CHECK_EQ(add(sum, transport, left - header), 0xffffu);
  if (decoded.protocol == 17)
    CHECK_EQ(get16(transport + 4), left - header);
  else
    CHECK_EQ(decoded.protocol, 6);
  const auto text = [](const uint8_t* from, size_t size) { return std::string(from, from + size); };
  decoded.a = text(addresses, address) + text(transport, 2);
  decoded.b = text(addresses + address, address) + text(transport + 2, 2);
  return decoded;
}

std::map<std::set<std::string>, std::set<std::string>> flows_of(const std::vector<Frame>& frames) {
  std::map<std::set<std::string>, std::set<std::string>> flows;  // both ends -> senders
  for (const Frame& frame : frames) {
    const Decoded decoded = decode_checked(frame);
    flows[{decoded.a, decoded.b}].insert(decoded.a);
  }
  return flows;
}

}  // namespace

TEST(gen_input_makes_valid_packets_of_every_flow) {
  for (const char* port : {"gen:60?flows=300&count=4200", "gen:imix?flows=300&count=4200&mix=1",
                           "gen:1514?flows=1000&count=5000&seed=9&shuffle=1",
                           "gen:9000?flows=20&count=4100", "gen:61?flows=1&count=4096&mix=1"}) {
    const std::vector<Frame> frames = generate(port);
    const auto flows = flows_of(frames);
    const std::string text = port;
    const size_t wanted = std::stoul(text.substr(text.find("flows=") + 6));
    CHECK_EQ(flows.size(), wanted);
    for (const auto& [ends, senders] : flows) CHECK_EQ(senders.size(), 2u);
  }
}

TEST(gen_input_mixes_kinds_and_lengths) {
  std::map<std::string, int> kinds;
  for (const Frame& frame : generate("gen:imix?mix=1&count=5000")) {
    const Decoded decoded = decode_checked(frame);
    ++kinds[std::string(decoded.ipv6 ? "6" : "4") + (decoded.tagged ? "v" : "-") +
            (decoded.protocol == 6 ? "t" : "u")];
  }
  CHECK_EQ(kinds.size(), 8u);
  std::map<size_t, int> lengths;
  for (const Frame& frame : generate("gen:imix?count=12000&buffers=12000"))
    ++lengths[frame.bytes.size()];
  CHECK_EQ(lengths.size(), 3u);
  CHECK(std::abs(lengths[60] - 7000) < 300);
  CHECK(std::abs(lengths[590] - 4000) < 300);
  CHECK(std::abs(lengths[1514] - 1000) < 150);
}

TEST(gen_input_repeats_itself_by_seed) {
  const auto first = generate("gen:60?seed=5&count=6000");
  CHECK(first == generate("gen:60?seed=5&count=6000"));
  CHECK(first != generate("gen:60?seed=6&count=6000"));
  CHECK_EQ(first.size(), 6000u);
  CHECK(first[5000].bytes == first[0].bytes);  // five packets a flow go round
  auto shuffled = generate("gen:60?seed=5&count=5000&shuffle=1");
  CHECK(shuffled != std::vector<Frame>(first.begin(), first.begin() + 5000));
  auto sorted = std::vector<Frame>(first.begin(), first.begin() + 5000);
  const auto by_bytes = [](const Frame& a, const Frame& b) { return a.bytes < b.bytes; };
  std::sort(sorted.begin(), sorted.end(), by_bytes);
  std::sort(shuffled.begin(), shuffled.end(), by_bytes);
  CHECK(sorted == shuffled);
}

TEST(gen_input_waits_when_it_has_an_end) {
  std::unique_ptr<Input> input;
  CHECK(open_input("gen:60?count=5", {}, &input).ok());
  CHECK(input->lossless());
  CHECK(open_input("gen:60", {}, &input).ok());
  CHECK(!input->lossless());
  CHECK(open_input("gen:60?lossless=1", {}, &input).ok());
  CHECK(input->lossless());
}

TEST(gen_input_shares_a_region) {
  std::shared_ptr<Region> region;
  CHECK_EQ(Region::create("test", 4096, 6000, &region).message, "");
  PortContext context;
  context.shared_region = region;
  std::vector<uint32_t> foreign;
  CHECK(region->allocate_buffers(50, &foreign).ok());
  std::set<uint32_t> swapped_out;
  {
    std::unique_ptr<Input> input;
    CHECK(open_input("gen:60?buffers=5000&flows=1000", context, &input).ok());
    const auto batch = std::make_unique<Batch>();
    LedgerCell cell;
    CHECK_EQ(input->receive(*batch, 100, 1, cell), 100u);
    CHECK(batch->region == region.get());
    for (uint32_t i = 0; i < 50; ++i) {
      CHECK(batch->packets[i].data == region->buffer(batch->packets[i].buffer));
      swapped_out.insert(batch->packets[i].buffer);
      batch->packets[i].buffer = foreign[i] | kForeignBuffer;
    }
    input->release(*batch);
    std::set<uint32_t> seen;
    for (uint32_t total = 100; total < 10'000; total += batch->count) {
      CHECK(input->receive(*batch, 128, 1, cell) > 0);
      for (uint32_t i = 0; i < batch->count; ++i) {
        const Packet& packet = batch->packets[i];
        CHECK(!swapped_out.contains(packet.buffer));
        if (total >= 5000) seen.insert(packet.buffer);
        decode_checked({std::vector<uint8_t>(packet.data, packet.data + packet.length), 0, 0, {}});
      }
      input->release(*batch);
    }
    CHECK_EQ(seen.size(), 5000u);
    for (uint32_t index : foreign) CHECK(seen.contains(index));
    CHECK(open_input("gen:60?buffers=5000", context, &input).code == Code::limit_reached);
  }
  std::vector<uint32_t> again;
  CHECK(region->allocate_buffers(5000, &again).ok());  // it gave back all it had
  for (uint32_t index : again) CHECK(!swapped_out.contains(index));
}
