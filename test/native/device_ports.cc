// tap: and veth: in a network namespace of the test's own.
#include <fcntl.h>
#include <sys/wait.h>

#include "check.hh"
#include "eventually.hh"
#include "no_io_uring.hh"
#include "packet_network.hh"
#include "port_conformance.hh"
#include "ports/port_registry.hh"
#include "ports/write_ring.hh"

using namespace bricks;
using namespace packet_test;

namespace {

std::unique_ptr<Output> open_out(const std::string& port) {
  std::unique_ptr<Output> output;
  CHECK_EQ(open_output(port, {}, &output).message, "");
  return output;
}

std::unique_ptr<Input> open_in(const std::string& port) {
  std::unique_ptr<Input> input;
  CHECK_EQ(open_input(port, {}, &input).message, "");
  return input;
}

std::vector<conformance::Frame> as_sent(const std::vector<Frame>& frames) {
  std::vector<conformance::Frame> all;
  for (const Frame& frame : frames)
    all.push_back({frame, 0, static_cast<uint32_t>(frame.size()), LinkType::ethernet});
  return all;
}

std::vector<Frame> frames_of_all_sizes(uint32_t count, size_t longest) {
  Random random(kSeed);
  std::vector<Frame> frames = random_frames(random, count);
  for (size_t size : {size_t{60}, size_t{1515}, size_t{9000}, longest})
    frames.push_back(random_frame(random, size));
  return frames;
}

uint64_t dropped(const LedgerCell& cell, Drop reason) {
  return cell.dropped[static_cast<uint32_t>(reason)];
}

// Through `port` to whoever listens at `interface`. What the port then says of itself.
std::string check_output(const std::string& port, const std::string& interface) {
  auto output = open_out(port);
  if (!output) return {};
  PacketSettings settings;
  settings.ring_mib = 64;
  auto input = must_open(interface, settings);
  const auto frames = frames_of_all_sizes(3000, 65535);
  LedgerCell sent, received;
  conformance::send(*output, as_sent(frames), 100, sent);
  check_same(receive_all(*input, received, frames.size()), frames);
  // What has come out of the interface is counted when the writer has its turn again.
  CHECK(eventually([&] { return output->flush(1, sent), sent.delivered == frames.size(); }));
  const std::string text = output->describe();
  output->close(sent);
  CHECK_EQ(sent.delivered, frames.size());
  CHECK(conformance::balanced(sent));
  return text;
}

void check_oversize(const std::string& port) {
  auto output = open_out(port);
  if (!output) return;
  Random random(kSeed);
  LedgerCell cell;
  conformance::send(*output, as_sent({random_frame(random, 1014), random_frame(random, 1019)}), 10,
                    cell);
  output->close(cell);
  CHECK_EQ(cell.delivered, 1u);
  CHECK_EQ(dropped(cell, Drop::oversize), 1u);
}

bool exists(const std::string& interface) { return if_nametoindex(interface.c_str()) != 0; }

void check_input(Input& input, const char* other_end) {
  const auto frames = frames_of_all_sizes(2000, 65535);
  {
    Sender sender(other_end);
    for (size_t at = 0; at < frames.size(); at += 100) {
      for (size_t i = at; i < std::min(at + 100, frames.size()); ++i) {
        CHECK(sender.send(frames[i]));
      }
    }
  }
  LedgerCell cell;
  check_same(receive_all(input, cell, frames.size()), frames);
  input.settle(cell);
  CHECK_EQ(cell.dropped_total(), 0u);
}

void conforms(const std::string& port) {
  conformance::PortPair pair{.name = port};
  pair.open_output = [&] { return open_out(port); };
  pair.cannot["keeps_all"] = "no interface takes a frame without an Ethernet header";
  conformance::check_port(pair);
}

Status refusal(const std::string& port) {
  std::unique_ptr<Output> output;
  Status status = open_output(port, {}, &output);
  CHECK(!output);
  return status;
}

void tap_works() {
  if (access("/dev/net/tun", F_OK) != 0) SKIP("there is no /dev/net/tun");
  check_output("tap:t0", "t0");
  const bool single =
      open_out("tap:t0")->describe().find("a system call a packet") != std::string::npos;
  CHECK_EQ(single, !WriteRing().open(2).ok());
  without_io_uring([] {
    check_output("tap:t0", "t0");
    CHECK(open_out("tap:t0")->describe().ends_with(
        ", a system call a packet (io_uring: Operation not permitted)"));
  });
  // The ring is there, but is not served: what it did not write is written without it.
  without_call(SYS_io_uring_enter, [single] {
    const std::string text = check_output("tap:t0", "t0");
    CHECK(single || text.ends_with(", a system call a packet (io_uring: Operation not permitted)"));
  });
  CHECK(!exists("t0"));
  check_oversize("tap:t0?mtu=1000");
  conforms("tap:t0");
  {
    auto input = open_in("tap:t0");
    check_input(*input, "t0");
    CHECK(refusal("tap:t0").code == Code::busy);
  }
  CHECK(!exists("t0"));
  open_out("tap:t0?persist=1&user=0").reset();
  CHECK(exists("t0"));
  CHECK(run("ip link del t0"));
  CHECK(refusal("tap:near").code == Code::already_exists);
  CHECK(refusal("tap:0123456789abcdef").code == Code::invalid_argument);
  CHECK(refusal("tap:t0?user=nobody-of-that-name").code == Code::invalid_argument);
  CHECK(!exists("t0"));
}

void veth_works() {
  check_output("veth:v0?peer=v1", "v1");
  CHECK(!exists("v0") && !exists("v1"));
  check_oversize("veth:v0?mtu=1000");
  conforms("veth:v0");
  {
    auto input = open_in("veth:v0?peer=v1&ring=64");
    check_input(*input, "v1");
    CHECK(refusal("veth:v0?peer=v2").code == Code::busy);
    CHECK(refusal("veth:v2?peer=v1").code == Code::already_exists);
    CHECK(!exists("v2"));
  }
  CHECK(!exists("v0") && !exists("v1"));
  CHECK(refusal("veth:near?peer=v1").code == Code::already_exists);
  CHECK(refusal("veth:v0?peer=v0").code == Code::invalid_argument);
  CHECK(refusal("veth:v0?netns=no-such-one").code == Code::no_such_file);
  CHECK(exists("near") && !exists("v0"));
}

// A process that dies leaves its pair; the next one of that name takes it away, and nobody else's.
void veth_after_a_crash() {
  const pid_t child = fork();
  if (child == 0) {
    std::unique_ptr<Output> output;
    const bool made = open_output("veth:v0?peer=v1", {}, &output).ok();
    output.release();
    _exit(made ? 0 : 1);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  CHECK(exists("v0") && exists("v1"));
  check_output("veth:v0?peer=v1", "v1");
  CHECK(!exists("v0") && !exists("v1"));
}

// The other end in another network namespace, named by a process that is in it.
void veth_reaches_another_namespace() {
  int ready[2], over[2];
  CHECK(pipe2(ready, O_CLOEXEC) == 0 && pipe2(over, O_CLOEXEC) == 0);
  const pid_t child = fork();
  char byte = 0;
  if (child == 0) {
    if (unshare(CLONE_NEWNET) != 0) _exit(1);
    [[maybe_unused]] ssize_t n = write(ready[1], "r", 1);
    close(over[1]);
    n = read(over[0], &byte, 1);  // until the test ends
    _exit(if_nametoindex("v1") != 0 ? 0 : 2);
  }
  CHECK(read(ready[0], &byte, 1) == 1);
  const std::string netns = std::to_string(child);
  auto output = open_out("veth:v0?peer=v1&netns=" + netns);
  CHECK(exists("v0") && !exists("v1"));
  std::thread([&] {
    const int there = open(("/proc/" + netns + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC);
    CHECK(setns(there, CLONE_NEWNET) == 0);
    close(there);
    auto input = must_open("v1");
    Random random(kSeed);
    const auto frames = random_frames(random, 500);
    LedgerCell sent, received;
    conformance::send(*output, as_sent(frames), 100, sent);
    check_same(receive_all(*input, received, frames.size()), frames);
  }).join();
  [[maybe_unused]] const ssize_t n = write(over[1], "o", 1);
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  for (int fd : {ready[0], ready[1], over[0], over[1]}) close(fd);
  LedgerCell cell;
  output->close(cell);
}

}  // namespace

TEST(tap_port) { in_own_network(tap_works); }
TEST(veth_port) { in_own_network(veth_works); }
TEST(veth_after_a_crash) { in_own_network(veth_after_a_crash); }
TEST(veth_netns) { in_own_network(veth_reaches_another_namespace); }
