// packet: as input, on a veth pair in a network namespace of its own.
#include "ports/packet_input.hh"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "check.hh"
#include "packet_network.hh"

using namespace bricks;
using namespace packet_test;

namespace {

void burst_arrives_intact() {
  Random random(kSeed);
  const std::vector<Frame> frames = random_frames(random, 20000);
  PacketSettings settings;
  settings.ring_mib = 64;
  auto input = must_open("far", settings);
  if (!input) return;
  const Nanos before = wall_clock();
  Sender sender("near");
  for (const Frame& frame : frames) CHECK(sender.send(frame));
  LedgerCell cell;
  const std::vector<Received> received = receive_all(*input, cell, frames.size());
  check_same(received, frames);
  CHECK_EQ(cell.packets, frames.size());
  CHECK_EQ(cell.dropped_total(), 0u);
  uint64_t bytes = 0;
  for (const Frame& frame : frames) bytes += frame.size();
  CHECK_EQ(cell.bytes, bytes);
  CHECK(!received.empty() && received.front().timestamp >= before &&
        received.back().timestamp <= wall_clock());
}

// Many rounds of a ring of 8 blocks, read while it is being filled.
void small_ring_goes_round() {
  Random random(kSeed + 1);
  PacketSettings settings;
  settings.ring_mib = 1;
  auto input = must_open("far", settings);
  if (!input) return;
  Sender sender("near");
  LedgerCell cell;
  uint64_t total = 0;
  for (int round = 0; round < 60; ++round) {
    const std::vector<Frame> frames = random_frames(random, 1 + random() % 400);
    for (const Frame& frame : frames) CHECK(sender.send(frame));
    total += frames.size();
    const uint32_t batch = 1 + static_cast<uint32_t>(random() % kBatchMax);
    check_same(receive_all(*input, cell, total, kPatienceMs, batch), frames);
  }
  CHECK_EQ(cell.dropped_total(), 0u);
}

// Batches released out of order, and late, keep their bytes until then.
void batches_held_keep_their_bytes() {
  Random random(kSeed + 2);
  const std::vector<Frame> frames = random_frames(random, 600);
  PacketSettings settings;
  settings.ring_mib = 1;
  auto input = must_open("far", settings);
  if (!input) return;
  Sender sender("near");
  for (const Frame& frame : frames) sender.send(frame);
  LedgerCell cell;
  std::vector<std::unique_ptr<Batch>> held;
  CHECK(eventually([&] {
    auto batch = std::make_unique<Batch>();
    if (input->receive(*batch, 100, wall_clock(), cell) > 0) held.push_back(std::move(batch));
    return cell.packets - cell.dropped_total() >= 500;
  }));
  for (const Frame& frame : frames) sender.send(frame);  // must not overwrite what is held
  size_t at = 0;
  for (const auto& batch : held) {
    for (uint32_t i = 0; i < batch->count; ++i, ++at) {
      const Packet& packet = batch->packets[i];
      CHECK(at < frames.size() && Frame(packet.data, packet.data + packet.length) == frames[at]);
    }
  }
  CHECK(at >= 500);
  while (!held.empty()) {
    const size_t i = random() % held.size();
    input->release(*held[i]);
    held.erase(held.begin() + static_cast<ptrdiff_t>(i));
  }
  receive_all(*input, cell, 1200, 300);
  const uint64_t before = cell.packets;
  for (int i = 0; i < 50; ++i) sender.send(frames[0]);
  receive_all(*input, cell, before + 50);
  CHECK_EQ(cell.packets, before + 50);
}

void outgoing_packets_are_left_out() {
  Random random(kSeed + 5);
  const Frame out = random_frame(random, 100), in = random_frame(random, 200);
  auto input = must_open("far");
  if (!input) return;
  for (int i = 0; i < 50; ++i) CHECK(Sender("far").send(out));
  CHECK(Sender("near").send(in));
  LedgerCell cell;
  check_same(receive_all(*input, cell, 1), {in});
  receive_all(*input, cell, 2, 100);
  CHECK_EQ(cell.packets, 1u);
}

bool is_promiscuous(const char* interface) {
  return output_of(std::string("ip -d link show ") + interface).find("promiscuity 0") ==
         std::string::npos;
}

void promiscuous_until_closed() {
  CHECK(!is_promiscuous("far"));
  auto input = must_open("far");
  CHECK(is_promiscuous("far"));
  input.reset();
  CHECK(!is_promiscuous("far"));
  PacketSettings settings;
  settings.promiscuous = false;
  input = must_open("far", settings);
  CHECK(!is_promiscuous("far"));
}

void kernel_drops_are_counted() {
  Random random(kSeed + 6);
  PacketSettings settings;
  settings.ring_mib = 1;
  auto input = must_open("far", settings);
  if (!input) return;
  constexpr uint64_t kSent = 20000;
  const Frame frame = random_frame(random, 60);
  Sender sender("near");
  for (uint64_t i = 0; i < kSent; ++i) CHECK(sender.send(frame));
  LedgerCell cell;
  const uint64_t received = receive_all(*input, cell, kSent).size();
  CHECK_EQ(cell.packets, kSent);
  CHECK_EQ(received + cell.dropped[static_cast<uint32_t>(Drop::kernel)], kSent);
  CHECK(received > 1000 && received < kSent);
}

// Whoever looks at the ledger, or ends the engine, need not wait for the next time it asks.
void kernel_drops_are_settled() {
  Random random(kSeed + 12);
  Witness witness("far");
  PacketSettings settings;
  settings.ring_mib = 1;
  auto input = must_open("far", settings);
  if (!input) return;
  constexpr uint64_t kSent = 20000;
  const Frame frame = random_frame(random, 60);
  Sender sender("near");
  for (uint64_t i = 0; i < kSent; ++i) CHECK(sender.send(frame));
  CHECK(witness.saw(kSent));
  LedgerCell cell;
  input->settle(cell);
  const uint64_t dropped = cell.dropped[static_cast<uint32_t>(Drop::kernel)];
  CHECK(dropped > 0);
  CHECK_EQ(cell.packets, dropped);
  input->settle(cell);
  CHECK_EQ(cell.packets, dropped);
  const auto batch = std::make_unique<Batch>();
  CHECK(eventually([&] {  // its clock stands still: it does not ask by itself
    while (input->receive(*batch, kBatchDefault, 0, cell) > 0) input->release(*batch);
    return cell.packets >= kSent;
  }));
  CHECK_EQ(cell.packets, kSent);
  CHECK_EQ(cell.dropped_total(), dropped);
}

void cut_packets_say_so() {
  Random random(kSeed + 7);
  PacketSettings settings;
  settings.snaplen = 100;
  auto input = must_open("far", settings);
  if (!input) return;
  const Frame plain = random_frame(random, 500), with_tag = tagged(plain, 0x8100, 5);
  Sender sender("near");
  CHECK(sender.send(plain) && sender.send(with_tag));
  LedgerCell cell;
  const std::vector<Received> received = receive_all(*input, cell, 2);
  CHECK_EQ(received.size(), 2u);
  if (received.size() != 2) return;
  CHECK(received[0].bytes == Frame(plain.begin(), plain.begin() + 100));
  CHECK_EQ(received[0].wire_length, 500u);
  CHECK(received[1].bytes == Frame(with_tag.begin(), with_tag.begin() + 100));
  CHECK_EQ(received[1].wire_length, 504u);
}

void large_frames_are_whole() {
  CHECK(run("ip link set near mtu 65521 && ip link set far mtu 65521"));
  Random random(kSeed + 8);
  std::vector<Frame> frames;
  for (int i = 0; i < 30; ++i) frames.push_back(random_frame(random, 65535 - random() % 3000));
  frames.push_back(random_frame(random, 65535));
  auto input = must_open("far");
  if (!input) return;
  Sender sender("near");
  for (const Frame& frame : frames) CHECK(sender.send(frame));
  LedgerCell cell;
  check_same(receive_all(*input, cell, frames.size()), frames);
}

void removed_interface_is_survived() {
  Random random(kSeed + 9);
  auto input = must_open("far");
  if (!input) return;
  CHECK_EQ(input->take_warning(), "");
  CHECK(Sender("near").send(random_frame(random, 60)));
  LedgerCell cell;
  CHECK_EQ(receive_all(*input, cell, 1).size(), 1u);
  CHECK(run("ip link set far down"));
  receive_all(*input, cell, 2, 100);
  CHECK(input->take_warning().find("is down") != std::string::npos);
  CHECK(run("ip link set far up"));
  CHECK(Sender("near").send(random_frame(random, 60)));
  CHECK_EQ(receive_all(*input, cell, 2).size(), 1u);
  CHECK(run("ip link del far"));
  receive_all(*input, cell, 3, 100);
  CHECK(input->take_warning().find("was removed") != std::string::npos);
  CHECK_EQ(input->take_warning(), "");
  receive_all(*input, cell, 3, 100);
  CHECK_EQ(input->take_warning(), "");
  pollfd wait{input->wait_fd(), POLLIN, 0};
  CHECK_EQ(poll(&wait, 1, 50), 0);  // quiet: an engine can sleep on it
}

void opening_says_what_is_wrong() {
  std::unique_ptr<Input> input;
  Status status = PacketInput::open("nosuch", {}, &input);
  CHECK_EQ(status.code, Code::no_such_interface);
  CHECK(status.message.find("nosuch") != std::string::npos);
  CHECK(status.message.find("near") != std::string::npos);
  CHECK_EQ(PacketInput::open("", {}, &input).code, Code::no_such_interface);
  CHECK_EQ(PacketInput::open(std::string(300, 'x'), {}, &input).code, Code::no_such_interface);
  PacketSettings settings;
  settings.block_kib = 200;
  CHECK_EQ(PacketInput::open("far", settings, &input).code, Code::invalid_argument);
  settings.block_kib = 4096;
  settings.ring_mib = 4;
  CHECK_EQ(PacketInput::open("far", settings, &input).code, Code::invalid_argument);
  settings = {};
  settings.queue = 4;
  status = PacketInput::open("far", settings, &input);
  CHECK_EQ(status.code, Code::invalid_argument);
  CHECK(status.message.find("0 to 3") != std::string::npos);
  CHECK(input == nullptr);
  CHECK(run("ip link set far down"));
  input = must_open("far");
  CHECK(input && input->take_warning().find("ip link set far up") != std::string::npos);
}

// A user who may not: told how to get the right.
void without_the_right() {
  std::string words;
  Code code = Code::ok;
  std::thread([&] {
    // Of this thread only: the C library's setresuid would change all of them.
    if (syscall(SYS_setresuid, 65534, 65534, 65534) != 0) return;
    std::unique_ptr<Input> input;
    const Status status = PacketInput::open("far", {}, &input);
    code = status.code;
    words = status.message;
  }).join();
  CHECK_EQ(code, Code::permission_denied);
  CHECK(words.find("CAP_NET_RAW") != std::string::npos);
}

// One queue of a TAP interface: what is written to it is received on that queue. -1 without the
// device.
int open_tap_queue() {
  const int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  ifreq request{};
  std::strcpy(request.ifr_name, "queues");
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE;
  if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

// Writes `each` frames to every queue; all inputs together must have each frame once.
void queues_are_told_apart() {
  constexpr int kQueues = 3;
  int taps[kQueues];
  for (int& tap : taps) {
    tap = open_tap_queue();
    if (tap < 0) SKIP("no /dev/net/tun with queues");
  }
  CHECK(run("ip link set queues up"));
  Random random(kSeed + 10);
  std::unique_ptr<Input> inputs[kQueues];
  for (int queue = 0; queue < kQueues; ++queue) {
    PacketSettings settings;
    settings.queue = queue;
    settings.ring_mib = 4;
    inputs[queue] = must_open("queues", settings);
    if (!inputs[queue]) return;
  }
  std::vector<Frame> sent[kQueues];
  for (int i = 0; i < 300; ++i) {
    const int queue = static_cast<int>(random() % kQueues);
    sent[queue].push_back(random_frame(random, 60 + random() % 1000));
    const Frame& frame = sent[queue].back();
    CHECK_EQ(write(taps[queue], frame.data(), frame.size()), ssize_t(frame.size()));
  }
  for (int queue = 0; queue < kQueues; ++queue) {
    LedgerCell cell;
    check_same(receive_all(*inputs[queue], cell, sent[queue].size()), sent[queue]);
    receive_all(*inputs[queue], cell, cell.packets + 1, 50);
    CHECK_EQ(cell.packets, sent[queue].size());
  }
  PacketSettings settings;
  settings.queue = kQueues;
  std::unique_ptr<Input> none;
  CHECK(PacketInput::open("queues", settings, &none).message.find("0 to 2") != std::string::npos);
  for (int tap : taps) close(tap);
}

// Drivers that record no queue: no packet falls between the inputs, and none comes twice.
void queues_miss_nothing_on_veth() {
  Random random(kSeed + 11);
  std::unique_ptr<Input> inputs[2];
  for (int32_t queue = 0; queue < 2; ++queue) {
    PacketSettings settings;
    settings.queue = queue;
    inputs[queue] = must_open("far", settings);
    if (!inputs[queue]) return;
  }
  Sender sender("near");
  for (int i = 0; i < 200; ++i) CHECK(sender.send(random_frame(random, 60)));
  LedgerCell cells[2];
  CHECK(eventually([&] {
    for (int i = 0; i < 2; ++i) receive_all(*inputs[i], cells[i], 201, 20);
    return cells[0].packets + cells[1].packets >= 200;
  }));
  for (int i = 0; i < 2; ++i) receive_all(*inputs[i], cells[i], 201, 100);
  CHECK_EQ(cells[0].packets + cells[1].packets, 200u);
}

}  // namespace

TEST(packet_input_burst) { in_own_network(burst_arrives_intact); }
TEST(packet_input_small_ring) { in_own_network(small_ring_goes_round); }
TEST(packet_input_held_batches) { in_own_network(batches_held_keep_their_bytes); }
TEST(packet_input_outgoing) { in_own_network(outgoing_packets_are_left_out); }
TEST(packet_input_promiscuous) { in_own_network(promiscuous_until_closed); }
TEST(packet_input_kernel_drops) { in_own_network(kernel_drops_are_counted); }
TEST(packet_input_settles) { in_own_network(kernel_drops_are_settled); }
TEST(packet_input_cut) { in_own_network(cut_packets_say_so); }
TEST(packet_input_large_frames) { in_own_network(large_frames_are_whole); }
TEST(packet_input_removed_interface) { in_own_network(removed_interface_is_survived); }
TEST(packet_input_errors) {
  in_own_network(opening_says_what_is_wrong, "numrxqueues 4 numtxqueues 4");
}
TEST(packet_input_permission) { in_own_network(without_the_right); }
TEST(packet_input_queues) { in_own_network(queues_are_told_apart); }
TEST(packet_input_queues_on_veth) {
  in_own_network(queues_miss_nothing_on_veth, "numrxqueues 2 numtxqueues 2");
}
