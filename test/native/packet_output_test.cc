// packet: as output, and both ways through the scheme, on a veth pair.
#include "ports/packet_output.hh"

#include "check.hh"
#include "packet_network.hh"
#include "ports/port_schemes.hh"

using namespace bricks;
using namespace packet_test;

namespace {

std::unique_ptr<Output> must_open_output(const std::string& interface) {
  std::unique_ptr<Output> output;
  CHECK_EQ(PacketOutput::open(interface, &output).message, "");
  return output;
}

// Frames in batches, every one picked, in order.
void transmit_all(Output& output, std::vector<Frame>& frames, LedgerCell& cell,
                  LinkType link = LinkType::ethernet) {
  auto batch = std::make_unique<Batch>();
  Index picks[kBatchMax];
  for (size_t start = 0; start < frames.size(); start += kBatchMax) {
    batch->count = static_cast<uint32_t>(std::min<size_t>(kBatchMax, frames.size() - start));
    batch->link = link;
    for (uint32_t i = 0; i < batch->count; ++i) {
      batch->packets[i] = {};
      batch->packets[i].data = frames[start + i].data();
      batch->packets[i].length = static_cast<uint32_t>(frames[start + i].size());
      picks[i] = static_cast<Index>(i);
    }
    output.transmit(*batch, picks, batch->count, true, cell);
  }
  output.flush(wall_clock(), cell);
}

uint64_t dropped(const LedgerCell& cell, Drop reason) {
  return cell.dropped[static_cast<uint32_t>(reason)];
}

void transmits_what_it_was_given() {
  Random random(kSeed);
  std::vector<Frame> frames = random_frames(random, 3000);
  for (size_t i = 0; i < frames.size(); i += 7) {
    frames[i] = tagged(random_frame(random, 1514), 0x8100, 9);  // a full frame and its tag
  }
  PacketSettings settings;
  settings.ring_mib = 32;
  auto input = must_open("far", settings);
  auto output = must_open_output("near");
  if (!input || !output) return;
  LedgerCell sent, received;
  transmit_all(*output, frames, sent);
  CHECK_EQ(sent.delivered, frames.size());
  CHECK_EQ(sent.dropped_total(), 0u);
  uint64_t bytes = 0;
  for (const Frame& frame : frames) bytes += frame.size();
  CHECK_EQ(sent.delivered_bytes, bytes);
  check_same(receive_all(*input, received, frames.size()), frames);
}

// What cannot be sent is counted by reason, and what stands beside it is sent all the same.
void refusals_are_counted() {
  Random random(kSeed + 1);
  std::vector<Frame> frames = {random_frame(random, 100), random_frame(random, 1515),
                               random_frame(random, 200), Frame(9, 1),
                               random_frame(random, 300), random_frame(random, 40000),
                               random_frame(random, 1514)};
  auto input = must_open("far");
  auto output = must_open_output("near");
  if (!input || !output) return;
  LedgerCell sent, received;
  transmit_all(*output, frames, sent);
  CHECK_EQ(sent.delivered, 4u);
  CHECK_EQ(dropped(sent, Drop::oversize), 2u);
  CHECK_EQ(dropped(sent, Drop::transmit_failed), 1u);
  check_same(receive_all(*input, received, 4), {frames[0], frames[2], frames[4], frames[6]});

  LedgerCell raw;
  std::vector<Frame> some(frames.begin(), frames.begin() + 3);
  transmit_all(*output, some, raw, LinkType::raw);
  CHECK_EQ(dropped(raw, Drop::link_type), 3u);

  // The MTU is looked at again in flush, at most once a second: a new one counts from there on.
  CHECK(run("ip link set near mtu 2000 && ip link set far mtu 2000"));
  std::vector<Frame> larger = {random_frame(random, 2014), random_frame(random, 2015)};
  LedgerCell after;
  output->flush(wall_clock() + 2'000'000'000, after);
  transmit_all(*output, larger, after);
  CHECK_EQ(after.delivered, 1u);
  CHECK_EQ(dropped(after, Drop::oversize), 1u);
}

void interface_down_or_gone_is_counted() {
  Random random(kSeed + 2);
  std::vector<Frame> frames = random_frames(random, 500);
  auto output = must_open_output("near");
  if (!output) return;
  CHECK_EQ(output->take_warning(), "");
  CHECK(run("ip link set near down"));
  LedgerCell cell;
  transmit_all(*output, frames, cell);
  CHECK_EQ(cell.delivered, 0u);
  CHECK_EQ(dropped(cell, Drop::transmit_failed), 500u);
  auto second = must_open_output("near");
  CHECK(second && second->take_warning().find("is down") != std::string::npos);
  CHECK(run("ip link del near"));
  transmit_all(*output, frames, cell);
  CHECK_EQ(cell.delivered, 0u);
  CHECK_EQ(cell.dropped_total(), 1000u);
}

void full_device_is_counted() {
  Random random(kSeed + 3);
  std::vector<Frame> frames = random_frames(random, 300);
  auto output = must_open_output("near");
  if (!output) return;
  CHECK(run("ip link set far down"));  // veth refuses each frame then
  LedgerCell cell;
  transmit_all(*output, frames, cell);
  CHECK_EQ(cell.delivered + cell.dropped_total(), 300u);
  CHECK_EQ(dropped(cell, Drop::transmit_full), 300u);
}

void tunnel_interface_is_raw_ip() {
  if (!run("ip tuntap add mode tun name flat 2>/dev/null")) SKIP("no /dev/net/tun");
  CHECK(run("ip link set flat up"));
  std::unique_ptr<Input> input = must_open("flat");
  std::unique_ptr<Output> output = must_open_output("flat");
  if (!input || !output) return;
  auto batch = std::make_unique<Batch>();
  LedgerCell cell;
  CHECK_EQ(input->receive(*batch, 1, wall_clock(), cell), 0u);
  CHECK_EQ(batch->link, LinkType::raw);
  CHECK(input->describe().find("promiscuous") == std::string::npos);
  std::vector<Frame> frames = {Frame(60, 0)};
  LedgerCell sent;
  transmit_all(*output, frames, sent, LinkType::ethernet);
  CHECK_EQ(dropped(sent, Drop::link_type), 1u);
}

void both_ways_through_the_scheme() {
  const Options options = {{"promisc", true},
                           {"ring", int64_t{4}},
                           {"block", int64_t{256}},
                           {"timeout", int64_t{1}},
                           {"snaplen", int64_t{200}}};
  const PortContext context;
  PortName name;
  name.text = "packet:far";
  name.scheme = "packet";
  name.target = "far";
  std::unique_ptr<Input> input;
  CHECK_EQ(kPacketScheme.open_input(name, options, context, &input).message, "");
  name.target = "near";
  std::unique_ptr<Output> output;
  CHECK_EQ(kPacketScheme.open_output(name, options, context, &output).message, "");
  if (!input || !output) return;
  CHECK(input->describe().find("AF_PACKET on far, TPACKET_V3, 4 MiB") == 0);
  CHECK(output->describe().find("AF_PACKET on near") == 0);
  Random random(kSeed + 4);
  std::vector<Frame> frames = {random_frame(random, 150), random_frame(random, 250)};
  LedgerCell sent, received;
  transmit_all(*output, frames, sent);
  const std::vector<Received> all = receive_all(*input, received, 2);
  CHECK_EQ(all.size(), 2u);
  if (all.size() == 2) CHECK(all[0].bytes == frames[0] && all[1].bytes.size() == 200);
  name.target = "nosuch";
  CHECK_EQ(kPacketScheme.open_output(name, options, context, &output).code,
           Code::no_such_interface);
}

}  // namespace

TEST(packet_output_transmits) { in_own_network(transmits_what_it_was_given); }
TEST(packet_output_refusals) { in_own_network(refusals_are_counted); }
TEST(packet_output_interface_gone) { in_own_network(interface_down_or_gone_is_counted); }
TEST(packet_output_full) { in_own_network(full_device_is_counted); }
TEST(packet_tunnel_interface) { in_own_network(tunnel_interface_is_raw_ip); }
TEST(packet_scheme_both_ways) { in_own_network(both_ways_through_the_scheme); }
