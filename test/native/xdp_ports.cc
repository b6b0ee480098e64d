// xdp: on a veth pair in a network namespace of the test's own: copy mode, its program in veth's
// driver and behind it.
#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "check.hh"
#include "packet_network.hh"
#include "port_conformance.hh"
#include "ports/port_registry.hh"
#include "xdp_network.hh"

using namespace bricks;
using namespace packet_test;
using namespace xdp_test;

namespace {

// Reading while the sender sends, so that the rings go round many times.
void check_input(const std::string& port) {
  auto input = open_in(port);
  if (!input) return;
  Random random(kSeed);
  Sender sender("near");
  LedgerCell cell;
  uint64_t total = 0, bytes = 0;
  for (int round = 0; round < 100; ++round) {
    std::vector<Frame> frames = random_frames(random, 1 + random() % 60);
    frames.push_back(tagged(frames[0], 0x8100, 5));
    for (const Frame& frame : frames) {
      CHECK(sender.send(frame));
      bytes += frame.size();
    }
    total += frames.size();
    const uint32_t batch = 1 + static_cast<uint32_t>(random() % kBatchMax);
    check_same(receive_all(*input, cell, total, kPatienceMs, batch), frames);
  }
  input->settle(cell);
  CHECK_EQ(cell.packets, total);
  CHECK_EQ(cell.bytes, bytes);
  CHECK_EQ(cell.dropped_total(), 0u);
}

void frames_arrive_whole() {
  check_input("xdp:far?attach=skb&ring=64");
  check_input("xdp:far?attach=drv&ring=64");
  check_input("xdp:far?mode=copy&busy_poll=64");
  CHECK(!has_program("far"));
  CHECK(open_in("xdp:far?attach=skb")->describe().find("behind the driver") != std::string::npos);
  CHECK(open_in("xdp:far?attach=drv")->describe().find("in the driver") != std::string::npos);
}

// Nobody reads: what the rings hold is received, the rest is counted, to the packet.
void kernel_drops_are_counted() {
  for (const char* attach : {"skb", "drv"}) {
    auto input = open_in(std::string("xdp:far?ring=64&attach=") + attach);
    if (!input) return;
    Random random(kSeed);
    const Frame frame = random_frame(random, 60);
    Sender sender("near");
    LedgerCell cell;
    for (uint64_t sent = 0; sent < 1000; sent += 100) {  // veth's own ring holds 256
      for (int i = 0; i < 100; ++i) CHECK(sender.send(frame));
      CHECK(eventually([&] {
        input->settle(cell);
        return dropped(cell, Drop::kernel) >= sent + 100 - 64;
      }));
    }
    const uint64_t lost = dropped(cell, Drop::kernel);
    CHECK_EQ(cell.packets, lost);
    CHECK_EQ(lost, 1000u - 64u);
    CHECK_EQ(receive_all(*input, cell, 1000).size(), 64u);
    input->settle(cell);
    CHECK_EQ(cell.packets, 1000u);
    CHECK_EQ(cell.dropped_total(), lost);
  }
}

// Batches that are not released keep their buffers; without any the kernel drops, and says so.
void batches_held_keep_their_bytes() {
  auto input = open_in("xdp:far?ring=64");
  if (!input) return;
  Random random(kSeed + 1);
  const std::vector<Frame> frames = random_frames(random, 100);
  Sender sender("near");
  LedgerCell cell;
  std::vector<std::unique_ptr<Batch>> held;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 50; ++i) sender.send(frames[static_cast<size_t>(round * 50 + i)]);
    CHECK(eventually([&] {
      held.push_back(std::make_unique<Batch>());
      input->receive(*held.back(), 20, wall_clock(), cell);
      if (held.back()->count == 0) held.pop_back();
      return cell.packets >= uint64_t(round + 1) * 50;
    }));
  }
  for (int i = 0; i < 200; ++i) sender.send(frames[0]);  // 28 buffers are left
  CHECK(eventually([&] {
    input->settle(cell);
    return dropped(cell, Drop::kernel) >= 172;
  }));
  size_t at = 0;
  for (const auto& batch : held) {
    for (uint32_t i = 0; i < batch->count; ++i, ++at) {
      const Packet& packet = batch->packets[i];
      CHECK(Frame(packet.data, packet.data + packet.length) == frames[at]);
    }
  }
  CHECK_EQ(at, 100u);
  std::reverse(held.begin(), held.end());
  for (const auto& batch : held) input->release(*batch);
  CHECK_EQ(receive_all(*input, cell, 300).size(), 28u);
  input->settle(cell);
  CHECK_EQ(dropped(cell, Drop::kernel), 172u);
  CHECK_EQ(cell.packets, 300u);
  for (int i = 0; i < 60; ++i) sender.send(frames[1]);
  CHECK_EQ(receive_all(*input, cell, 360).size(), 60u);
}

void long_frames_are_oversize() {
  CHECK(run("ip link set near mtu 9000 && ip link set far mtu 3000"));
  auto input = open_in("xdp:far?attach=skb");
  if (!input) return;
  Random random(kSeed + 2);
  Sender sender("near");
  for (size_t length : {2048u, 2049u, 2900u}) CHECK(sender.send(random_frame(random, length)));
  LedgerCell cell;
  CHECK_EQ(receive_all(*input, cell, 1).size(), 1u);
  CHECK(eventually([&] {
    CHECK_EQ(receive_all(*input, cell, cell.packets + 1, 20).size(), 0u);
    input->settle(cell);
    return dropped(cell, Drop::oversize) >= 2;
  }));
  CHECK_EQ(dropped(cell, Drop::oversize), 2u);
  CHECK_EQ(cell.packets, 3u);
  CHECK(input->take_warning().find("more than 2048 bytes") != std::string::npos);
}

std::map<int, std::string> open_files() {
  std::map<int, std::string> files;
  for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string what = std::filesystem::read_symlink(each.path(), gone).string();
    if (!gone) files[std::stoi(each.path().filename())] = what;
  }
  return files;
}

// Nothing stays open, and nothing goes to programs that are started meanwhile: a socket or a link
// in their hands would hold the interface.
void files_are_closed_and_not_inherited() {
  const auto before = open_files();
  {
    auto input = open_in("xdp:far");
    auto output = open_out("xdp:far");
    for (const auto& [fd, what] : open_files()) {
      if (before.count(fd) || what.starts_with("/proc")) continue;
      if (fcntl(fd, F_GETFD) & FD_CLOEXEC) continue;
      std::printf("  inherited: %s\n", what.c_str());
      ++check::failures;
    }
  }
  CHECK_EQ(refusal("xdp:far?queue=7").code, Code::invalid_argument);
  CHECK_EQ(refusal("xdp:far?mode=zerocopy").code, Code::unsupported);
  CHECK_EQ(open_files().size(), before.size());
}

// The kernel's own stack gets the packets again, and promiscuous mode ends, when the port closes.
void closing_gives_the_interface_back() {
  CHECK(!is_promiscuous("far"));
  auto input = open_in("xdp:far");
  CHECK(is_promiscuous("far") && has_program("far"));
  input.reset();
  CHECK(!is_promiscuous("far") && !has_program("far"));
  open_in("xdp:far?promisc=0");
  auto packets = must_open("far");
  Random random(kSeed + 3);
  const Frame frame = random_frame(random, 100);
  CHECK(Sender("near").send(frame));
  LedgerCell cell;
  check_same(receive_all(*packets, cell, 1), {frame});
}

void queues_are_taken_apart() {
  CHECK_EQ(refusal("xdp:far?queue=2").code, Code::invalid_argument);
  auto all = open_in("xdp:far");
  CHECK(all->describe().find("2 queues") != std::string::npos);
  CHECK_EQ(refusal("xdp:far?queue=1").code, Code::busy);
  all.reset();
  PortContext context;
  context.queue = 1;
  auto one = open_in("xdp:far", context);
  CHECK(one->describe().find("queue 1") != std::string::npos);
  CHECK_EQ(refusal("xdp:far").code, Code::busy);
  CHECK_EQ(refusal("xdp:far?queue=0&attach=skb").code, Code::invalid_argument);
  auto zero = open_in("xdp:far?queue=0");
  auto output = open_out("xdp:near?queue=1");  // veth: queue 1 of the one is queue 1 of the other
  Random random(kSeed + 4);
  const auto frames = random_frames(random, 200);
  LedgerCell sent, received, nothing;
  conformance::send(*output, as_sent(frames), 50, sent);
  check_same(receive_all(*one, received, 200), frames);
  CHECK_EQ(receive_all(*zero, nothing, 1, 50).size(), 0u);
  one.reset();
  zero.reset();
  all = open_in("xdp:far?ring=1024");
  LedgerCell again;
  conformance::send(*output, as_sent(frames), 50, sent);
  check_same(receive_all(*all, again, 200), frames);
  output->close(sent);
  CHECK_EQ(sent.delivered, 400u);
}

void check_output(const std::string& port, const std::vector<Frame>& frames) {
  PacketSettings settings;
  settings.ring_mib = 64;
  auto input = must_open("far", settings);
  auto output = open_out(port);
  if (!output) return;
  LedgerCell sent, received;
  conformance::send(*output, as_sent(frames), 100, sent);
  check_same(receive_all(*input, received, frames.size()), frames);
  output->close(sent);
  CHECK_EQ(sent.delivered, frames.size());
  CHECK_EQ(sent.delivered_bytes, received.bytes);
  CHECK(conformance::balanced(sent));
}

void output_transmits() {
  Random random(kSeed + 5);
  check_output("xdp:near", random_frames(random, 5000));
  check_output("xdp:near?ring=64", random_frames(random, 2000));
  CHECK(!has_program("near"));
  conformance::PortPair pair{.name = "xdp:near"};
  pair.open_output = [] { return open_out("xdp:near"); };
  pair.frame_max = 1514;
  pair.cannot["keeps_all"] = "no interface takes a frame without an Ethernet header";
  conformance::check_port(pair);
}

void output_refuses() {
  auto output = open_out("xdp:near?ring=64");
  if (!output) return;
  std::unique_ptr<Output> second;
  CHECK_EQ(open_output("xdp:near?ring=64", {}, &second).code, Code::busy);
  Random random(kSeed + 6);
  const Frame plain = random_frame(random, 1514);
  LedgerCell cell;
  conformance::send(*output,
                    as_sent({plain, random_frame(random, 1515), tagged(plain, 0x8100, 5),
                             random_frame(random, 2049), Frame(13, 0)}),
                    10, cell);
  const auto settled = [&] {
    output->flush(wall_clock(), cell);
    return cell.held == 0;
  };
  CHECK(eventually(settled));  // veth has freed them
  CHECK_EQ(cell.delivered, 2u);
  CHECK_EQ(dropped(cell, Drop::oversize), 2u);
  CHECK_EQ(dropped(cell, Drop::transmit_failed), 1u);
  CHECK(run("ip link set far down"));  // veth refuses each frame then
  conformance::send(*output, as_sent(random_frames(random, 300)), 20, cell);
  CHECK(eventually(settled));
  CHECK_EQ(dropped(cell, Drop::transmit_full), 300u);
  CHECK(run("ip link set near down"));
  output->flush(wall_clock(), cell);
  conformance::send(*output, as_sent(random_frames(random, 300)), 20, cell);
  CHECK(output->take_warning().find("is down") != std::string::npos);
  CHECK(conformance::balanced(cell));
  CHECK(run("ip link del near"));
  output->flush(wall_clock() + 1'000'000'000, cell);
  CHECK(output->take_warning().find("was removed") != std::string::npos);
  conformance::send(*output, as_sent(random_frames(random, 10)), 20, cell);
  CHECK_EQ(dropped(cell, Drop::transmit_failed), 311u);
  CHECK_EQ(cell.held, 0u);
  CHECK_EQ(cell.delivered, 2u);
}

}  // namespace

TEST(xdp_input) { in_xdp_network(frames_arrive_whole); }
TEST(xdp_kernel_drops) { in_xdp_network(kernel_drops_are_counted); }
TEST(xdp_batches_held) { in_xdp_network(batches_held_keep_their_bytes); }
TEST(xdp_oversize) { in_xdp_network(long_frames_are_oversize); }
TEST(xdp_closes) { in_xdp_network(closing_gives_the_interface_back); }
TEST(xdp_files) {
  in_xdp_network(files_are_closed_and_not_inherited, "numrxqueues 2 numtxqueues 2");
}
TEST(xdp_queues) { in_xdp_network(queues_are_taken_apart, "numrxqueues 2 numtxqueues 2"); }
TEST(xdp_output) { in_xdp_network(output_transmits); }
TEST(xdp_output_refuses) { in_xdp_network(output_refuses); }
