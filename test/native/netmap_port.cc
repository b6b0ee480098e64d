// The netmap: port against a /dev/netmap of our own (fake_netmap.hh): no kernel module is asked.
#include <cstring>
#include <memory>

#include "check.hh"
#include "fake_netmap.hh"
#include "port_conformance.hh"
#include "ports/netmap_input.hh"
#include "ports/netmap_output.hh"

using namespace bricks;
using conformance::Frame;

namespace {

using fake::Netmap;
using fake::Shape;

// A port of the fake by its whole name, "a0-1"; no interface of this machine is looked for.
Status open_device(const std::string& text, bool transmit, std::unique_ptr<NetmapDevice>* device,
                   uint32_t extra = 0) {
  NetmapName name;
  if (Status s = parse_netmap_name(text, -1, &name); !s.ok()) return s;
  NetmapWishes wishes;
  wishes.transmit = transmit;
  wishes.extra = extra;
  wishes.system = &Netmap::kSystem;
  return NetmapDevice::open(name, wishes, device);
}

std::unique_ptr<NetmapInput> input_of(const std::string& name) {
  std::unique_ptr<NetmapDevice> device;
  CHECK_EQ(open_device(name, false, &device).message, "");
  return device ? std::make_unique<NetmapInput>(std::move(device), "") : nullptr;
}

std::unique_ptr<NetmapOutput> output_of(const std::string& name, uint32_t extra = 0) {
  std::unique_ptr<NetmapDevice> device;
  CHECK_EQ(open_device(name, true, &device, extra).message, "");
  if (!device) return nullptr;
  return std::make_unique<NetmapOutput>(std::move(device), NetmapOutputSettings{}, "");
}

fake::Bytes frame_of(uint32_t number, uint32_t length = 60) {
  return conformance::make_frame(number, length).bytes;
}

}  // namespace

TEST(netmap_port_conforms_as_output) {
  for (const uint32_t stride : {2048u, 512u}) {
    Shape shape;
    shape.slots = 256;
    shape.buffer_bytes = stride;
    Netmap netmap(shape);
    conformance::PortPair pair{.name = "netmap: as output"};
    pair.open_output = [&] { return output_of("a0"); };
    pair.arrived = [&](bool) {
      std::vector<Frame> frames;
      for (fake::Bytes& bytes : netmap.card("a0").tx[0].sent) {
        const auto length = static_cast<uint32_t>(bytes.size());
        frames.push_back({std::move(bytes), 0, length, LinkType::ethernet});
      }
      netmap.card("a0").tx[0].sent.clear();
      return frames;
    };
    pair.frame_max = stride * 64 > kFrameMax ? kFrameMax : stride * 64 - 1;
    pair.cannot["timestamps"] = "netmap's slots have none";
    pair.cannot["wire_length"] = "netmap's slots have none";
    check_port(pair);
    CHECK(netmap.buffers_are_whole());
  }
}

TEST(netmap_port_conforms_as_input) {
  Shape shape;
  shape.slots = 128;
  Netmap netmap(shape);
  conformance::PortPair pair{.name = "netmap: as input"};
  pair.open_input = [&](const std::vector<Frame>& frames) {
    for (const Frame& frame : frames) netmap.card("a0").rx[0].pending.push_back(frame.bytes);
    return input_of("a0");
  };
  pair.cannot["timestamps"] = "the time is that of the breath";
  pair.cannot["wire_length"] = "netmap's slots have none";
  pair.cannot["finishes"] = "a device has no end";
  check_port(pair);
  CHECK(netmap.buffers_are_whole());
}

// a0 -> a1 are in one memory: the buffer that was received into is the one that is sent. a0 -> b0
// are not, and a packet that two outputs get stays where it is.
TEST(netmap_port_exchanges_buffers_within_a_memory) {
  Netmap netmap({});
  auto input = input_of("a0");
  auto near = output_of("a1"), far = output_of("b0");
  const auto batch = std::make_unique<Batch>();
  LedgerCell received, sent;
  std::vector<Index> picks(kBatchMax);
  for (uint32_t i = 0; i < kBatchMax; ++i) picks[i] = static_cast<Index>(i);
  std::vector<fake::Bytes> expected;
  uint32_t number = 0;
  for (int round = 0; round < 50; ++round) {
    for (uint32_t i = 0; i < 20; ++i) {
      expected.push_back(frame_of(number, 60 + number % 1400));
      ++number;
      netmap.card("a0").rx[0].pending.push_back(expected.back());
    }
    const uint32_t count = input->receive(*batch, kBatchMax, 7, received);
    CHECK_EQ(count, 20u);
    std::vector<uint32_t> buffers;
    for (uint32_t i = 0; i < count; ++i) buffers.push_back(batch->packets[i].buffer);
    sent.packets += count;
    const bool swap = round % 2 == 0;
    NetmapOutput& output = swap || round % 4 == 1 ? *near : *far;
    const bool exclusive = swap || &output == far.get();
    output.transmit(*batch, picks.data(), count, exclusive, sent);
    for (uint32_t i = 0; i < count; ++i) {
      CHECK_EQ((batch->packets[i].buffer & kForeignBuffer) != 0, swap);
    }
    output.flush(7, sent);
    auto& ring = netmap.card(&output == far.get() ? "b0" : "a1").tx[0];
    CHECK_EQ(ring.buffers_sent == buffers, swap);
    for (uint32_t i = 0; i < count; ++i) CHECK(ring.sent[i] == expected[expected.size() - 20 + i]);
    ring.sent.clear();
    ring.buffers_sent.clear();
    input->release(*batch);
    CHECK(netmap.buffers_are_whole());
  }
  CHECK_EQ(sent.delivered, 1000u);
  near->close(sent);
  far->close(sent);
  CHECK(conformance::balanced(sent));
  CHECK_EQ(received.packets, 1000u);
}

TEST(netmap_port_takes_the_rings_it_names) {
  Shape shape;
  shape.rings = 4;
  shape.host = 2;
  for (const auto& [name, first, count] : {std::tuple<const char*, uint32_t, uint32_t>{"a0", 0, 4},
                                           {"a0-2", 2, 1},
                                           {"a0^", 4, 2},
                                           {"a0^1", 5, 1},
                                           {"a0*", 0, 6}}) {
    Netmap netmap(shape);
    for (uint32_t i = 0; i < 6; ++i) netmap.card("a0").rx[i].pending.push_back(frame_of(i));
    auto input = input_of(name);
    LedgerCell cell;
    const std::vector<Frame> got = conformance::take(*input, kBatchMax, cell, count);
    CHECK_EQ(got.size(), count);
    for (uint32_t i = 0; i < got.size(); ++i) CHECK(got[i].bytes == frame_of(first + i));
    const auto more = std::make_unique<Batch>();
    CHECK_EQ(input->receive(*more, kBatchMax, 1, cell), 0u);
  }
  Netmap netmap(shape);
  std::unique_ptr<NetmapDevice> device;
  CHECK(open_device("a0-4", false, &device).code == Code::invalid_argument);
  CHECK(open_device("a0^2", true, &device).code == Code::invalid_argument);
  CHECK(open_device("none", true, &device).code == Code::no_such_interface);
}

// The kernel gets slots back before the ring is read to its end, and is not called for every batch.
TEST(netmap_port_gives_slots_back_in_time) {
  Shape shape;
  shape.slots = 256;
  Netmap netmap(shape);
  auto input = input_of("a0");
  const auto batch = std::make_unique<Batch>();
  LedgerCell cell;
  auto& ring = netmap.card("a0").rx[0];
  for (uint32_t i = 0; i < 10'000; ++i) ring.pending.push_back(frame_of(i));
  uint32_t received = 0;
  const netmap_ring* shared = netmap.ring(netmap.card("a0"), ring);
  for (uint32_t calls = 0; received < 10'000 && calls < 10'000; ++calls) {
    received += input->receive(*batch, 16, 1, cell);
    input->release(*batch);
    const uint32_t waiting = (shared->tail + shape.slots - shared->head) % shape.slots;
    CHECK(ring.pending.empty() || waiting >= shape.slots / 2);
  }
  CHECK_EQ(received, 10'000u);
  CHECK(netmap.syncs < 10'000 / 64 + 10);
}

// Packets of one flow go to one ring, in order, and all rings are used.
TEST(netmap_port_keeps_a_flow_on_a_ring) {
  Shape shape;
  shape.rings = 4;
  Netmap netmap(shape);
  auto output = output_of("a0");
  const auto batch = std::make_unique<Batch>();
  LedgerCell cell;
  std::vector<Index> picks;
  std::vector<fake::Bytes> frames;
  for (uint32_t i = 0; i < 64; ++i) frames.push_back(frame_of(i % 16 * 100 + i / 16));
  for (uint32_t i = 0; i < 64; ++i) {
    const uint32_t hash = (i % 16) * 0x10000001u;
    batch->packets[i] = {frames[i].data(), 60, hash, 0, kNoBuffer, 0, 0, 0};
    picks.push_back(static_cast<Index>(i));
  }
  batch->count = 64;
  batch->decoded = true;
  cell.packets = 64;
  output->transmit(*batch, picks.data(), 64, true, cell);
  output->flush(0, cell);
  CHECK_EQ(cell.delivered, 64u);
  for (uint32_t r = 0; r < 4; ++r) {
    CHECK_EQ(netmap.card("a0").tx[r].sent.size(), 16u);
    std::vector<uint32_t> last(16, 0);
    for (const fake::Bytes& sent : netmap.card("a0").tx[r].sent) {
      uint32_t number = 0;
      for (uint32_t i = 0; i < 64; ++i) {
        if (frames[i] == sent) number = i;
      }
      CHECK_EQ(number % 16 / 4, r);
      CHECK(number / 16 == 0 || last[number % 16] == number / 16 - 1);
      last[number % 16] = number / 16;
    }
  }
}

// A card that sends nothing: the ring fills, then the extra buffers, then packets are lost; when it
// sends again all that was kept goes out in order, and the buffers go back at the end.
TEST(netmap_port_queues_in_extra_buffers) {
  Shape shape;
  shape.slots = 32;
  Netmap netmap(shape);
  auto output = output_of("a0", 50);
  const auto batch = std::make_unique<Batch>();
  LedgerCell cell;
  std::vector<Index> picks;
  std::vector<fake::Bytes> frames;
  for (uint32_t i = 0; i < 100; ++i) {
    frames.push_back(frame_of(i, 64));
    picks.push_back(static_cast<Index>(i));
  }
  for (uint32_t i = 0; i < 100; ++i) {
    batch->packets[i] = {frames[i].data(), 64, 0, 0, kNoBuffer, 0, 0, 0};
  }
  batch->count = 100;
  netmap.sends = false;
  cell.packets = 100;
  CHECK_EQ(output->room(*batch, picks.data(), 100), 81u);
  output->transmit(*batch, picks.data(), 100, false, cell);
  output->flush(0, cell);
  CHECK_EQ(cell.held, 81u);  // 31 slots and 50 buffers
  CHECK_EQ(cell.spilled, 50u);
  CHECK_EQ(cell.dropped[static_cast<uint32_t>(Drop::transmit_full)], 19u);
  CHECK(conformance::balanced(cell));
  CHECK_EQ(output->room(*batch, picks.data(), 1), 0u);
  CHECK(output->awaits_room());
  netmap.sends = true;
  for (int i = 0; i < 4; ++i) output->flush(0, cell);
  CHECK_EQ(cell.delivered, 81u);
  CHECK_EQ(cell.held + cell.spilled, 0u);
  const auto& sent = netmap.card("a0").tx[0].sent;
  CHECK_EQ(sent.size(), 81u);
  for (uint32_t i = 0; i < 81 && i < sent.size(); ++i) CHECK(sent[i] == frames[i]);
  netmap.sends = false;
  cell.packets += 60;
  output->transmit(*batch, picks.data(), 60, false, cell);
  output->close(cell);  // after its patience
  CHECK_EQ(cell.dropped[static_cast<uint32_t>(Drop::transmit_failed)], 60u);
  CHECK(conformance::balanced(cell));
  output.reset();
  CHECK_EQ(netmap.extra_left(netmap.card("a0")), 50u);
  CHECK(netmap.buffers_are_whole());
}

TEST(netmap_port_falls_back_to_the_older_call) {
  Netmap netmap({});
  netmap.old_module = true;
  netmap.card("a0").rx[0].pending.push_back(frame_of(5));
  auto input = input_of("a0");
  CHECK(input->describe().find("by the call before API 14's") != std::string::npos);
  LedgerCell cell;
  CHECK_EQ(conformance::take(*input, 1, cell, 1).size(), 1u);
  auto output = output_of("a1", 3);
  cell = {};
  conformance::send(*output, {conformance::make_frame(1, 99)}, 1, cell);
  CHECK_EQ(netmap.card("a1").tx[0].sent.size(), 1u);
  std::unique_ptr<NetmapDevice> device;
  CHECK(open_device("a-name-too-long-for-it", true, &device).code == Code::invalid_argument);
}

// It goes on where the program before left off, which may be anywhere.
TEST(netmap_port_goes_on_where_another_left_off) {
  Netmap netmap({});
  LedgerCell sent, cell;
  for (uint32_t round = 0; round < 10; ++round) {
    auto output = output_of("a0");
    auto input = input_of("a0");
    conformance::send(*output, {conformance::make_frame(round, 70)}, 1, sent);
    netmap.card("a0").rx[0].pending.push_back(frame_of(round));
    const std::vector<Frame> got = conformance::take(*input, 7, cell, 1);
    CHECK(got.size() == 1 && got[0].bytes == frame_of(round));
  }
  CHECK_EQ(netmap.card("a0").tx[0].sent.size(), 10u);
}

TEST(netmap_port_says_that_its_interface_has_gone) {
  Netmap netmap({});
  auto input = input_of("a0");
  auto output = output_of("a0");
  CHECK_EQ(input->take_warning() + output->take_warning(), "");
  netmap.sync_error = EIO;
  const auto batch = std::make_unique<Batch>();
  LedgerCell cell;
  CHECK_EQ(input->receive(*batch, kBatchMax, 1, cell), 0u);
  CHECK(input->finished());
  CHECK(input->take_warning().find("no more packets") != std::string::npos);
  cell = {};
  conformance::send(*output, {conformance::make_frame(1, 60)}, 1, cell);
  conformance::send(*output, {conformance::make_frame(1, 60)}, 1, cell);
  output->close(cell);
  CHECK_EQ(cell.dropped[static_cast<uint32_t>(Drop::transmit_failed)], 2u);
  CHECK(output->take_warning().find("no more packets") != std::string::npos);
  CHECK_EQ(input->take_warning() + output->take_warning(), "");
}

TEST(netmap_port_refuses_what_it_has_no_memory_for) {
  Netmap netmap({});
  netmap.extra_most = 5;
  std::unique_ptr<NetmapDevice> device;
  const Status status = open_device("a0", true, &device, 9);
  CHECK(status.code == Code::limit_reached);
  CHECK(status.message.find("5 of the 9 extra buffers") != std::string::npos);
}

TEST(netmap_port_names) {
  for (const auto& [text, port, part, ring] :
       {std::tuple<const char*, const char*, NetmapPart, uint32_t>{"eth3", "eth3",
                                                                   NetmapPart::hardware, 0},
        {"eth3-12", "eth3", NetmapPart::one_hardware, 12},
        {"eth3^", "eth3", NetmapPart::host, 0},
        {"eth3^3", "eth3", NetmapPart::one_host, 3},
        {"eth3*", "eth3", NetmapPart::both, 0},
        {"br-ab", "br-ab", NetmapPart::hardware, 0},
        {"vale0:x-1", "vale0:x", NetmapPart::one_hardware, 1},
        {"eth3{0", "eth3{0", NetmapPart::hardware, 0}}) {
    NetmapName name;
    CHECK_EQ(parse_netmap_name(text, -1, &name).message, "");
    CHECK_EQ(name.port, port);
    CHECK(name.part == part);
    CHECK_EQ(name.ring, ring);
  }
  NetmapName name;
  CHECK_EQ(parse_netmap_name("eth3", 6, &name).message, "");
  CHECK(name.part == NetmapPart::one_hardware && name.ring == 6);
  for (const char* text : {"^", "eth3^x", "eth3-9999", "vale0:x^", "*"}) {
    CHECK(parse_netmap_name(text, -1, &name).code == Code::invalid_port_name);
  }
  CHECK(parse_netmap_name(std::string(64, 'e'), -1, &name).code == Code::invalid_port_name);
}
