// A network of our own for the tests of packet: a fresh network namespace that only the thread of
// the test is in, with a veth pair; gone when the thread ends, also after a crash.
#pragma once

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "check.hh"
#include "eventually.hh"
#include "ports/packet_input.hh"
#include "ports/port.hh"

namespace packet_test {

using Frame = std::vector<uint8_t>;

inline bool run(const std::string& command) { return std::system(command.c_str()) == 0; }

inline std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, n);
  pclose(pipe);
  return text;
}

// Runs `body` on a thread in its own namespace: interfaces `near` and `far`, both up, without IPv6,
// so that nothing is on the wire but what the test sends; /sys shows that network. SKIPs without
// the right to make one.
inline void in_own_network(void (*body)(), const std::string& veth_options = "") {
  if (geteuid() != 0) SKIP("needs root: network namespaces and packet sockets");
  std::thread([body, veth_options] {
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) {
      SKIP("needs the right to make a network namespace");
    }
    // Each core has a backlog of its own: what is sent on two may overtake.
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(static_cast<size_t>(sched_getcpu()), &here);
    CHECK(sched_setaffinity(0, sizeof here, &here) == 0);
    const bool made =
        run("mount --make-rprivate / && mount -t sysfs sysfs /sys") &&
        run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1 "
            "net.ipv6.conf.all.disable_ipv6=1") &&
        run("ip link add near " + veth_options + " type veth peer name far " + veth_options) &&
        run("ip link set near up && ip link set far up");
    CHECK(made);
    if (made) body();
  }).join();
}

// A plain raw socket: what the tests send with is not what they test.
class Sender {
 public:
  explicit Sender(const char* interface) : fd_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
    CHECK(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    const int yes = 1;
    CHECK(setsockopt(fd_, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes) == 0);
  }
  ~Sender() { close(fd_); }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  // True when the peer's receive path has the frame, which may lie there for a while yet, until the
  // kernel's thread for it has its turn. A full backlog is waited for.
  bool send(const Frame& frame) {
    for (;;) {
      const ssize_t sent = ::send(fd_, frame.data(), frame.size(), 0);
      if (sent == static_cast<ssize_t>(frame.size())) return true;
      if (errno != ENOBUFS) return false;
      std::this_thread::yield();
    }
  }

 private:
  int fd_;
};

// Sees what has come through the kernel to an interface. The kernel hands a frame to newer sockets
// first: what one that is opened before the others has seen, they have.
class Witness {
 public:
  explicit Witness(const char* interface)
      : fd_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
    CHECK(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  ~Witness() { close(fd_); }
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

  // Waits until that many have come since it was opened, also those it had no room for.
  bool saw(uint64_t packets) {
    return bricks::eventually([&] {
      tpacket_stats more{};
      socklen_t size = sizeof more;
      CHECK(getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &more, &size) == 0);
      return (seen_ += more.tp_packets) >= packets;
    });
  }

 private:
  int fd_;
  uint64_t seen_ = 0;
};

inline bricks::Nanos wall_clock() {
  return static_cast<bricks::Nanos>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::system_clock::now().time_since_epoch())
                                        .count());
}

struct Received {
  Frame bytes;
  uint32_t wire_length;
  bricks::Nanos timestamp;
};

// Frames may lie in the kernel's backlog for as long as its thread for them has no turn.
inline constexpr int kPatienceMs = 20'000;

// Reads until `input` has counted `packets` (dropped by the kernel or handed out), or nothing has
// come for `patience_ms`.
inline std::vector<Received> receive_all(bricks::Input& input, bricks::LedgerCell& cell,
                                         uint64_t packets, int patience_ms = kPatienceMs,
                                         uint32_t batch_size = bricks::kBatchDefault) {
  std::vector<Received> all;
  auto batch = std::make_unique<bricks::Batch>();
  bricks::Nanos quiet_since = wall_clock();
  while (cell.packets < packets) {
    const bricks::Nanos now = wall_clock();
    if (input.receive(*batch, batch_size, now, cell) == 0) {
      if (now - quiet_since > bricks::Nanos(patience_ms) * 1'000'000) break;
      pollfd wait{input.wait_fd(), POLLIN, 0};
      poll(&wait, 1, 20);
      continue;
    }
    quiet_since = now;
    for (uint32_t i = 0; i < batch->count; ++i) {
      const bricks::Packet& packet = batch->packets[i];
      all.push_back({Frame(packet.data, packet.data + packet.length),
                     bricks::wire_length(*batch, i), packet.timestamp});
    }
    input.release(*batch);
  }
  return all;
}

inline constexpr uint64_t kSeed = 20260103;
using Random = std::mt19937_64;

// An Ethernet frame of an experimental type (88b5) with random bytes.
inline Frame random_frame(Random& random, size_t length) {
  Frame frame(length);
  for (uint8_t& byte : frame) byte = static_cast<uint8_t>(random());
  frame[0] = 0x02;
  frame[6] = 0x02;
  frame[12] = 0x88;
  frame[13] = 0xb5;
  return frame;
}

inline std::vector<Frame> random_frames(Random& random, uint64_t count) {
  std::vector<Frame> frames;
  for (uint64_t i = 0; i < count; ++i) {
    frames.push_back(random_frame(random, 60 + random() % 1455));
  }
  return frames;
}

inline Frame tagged(const Frame& frame, uint16_t type, uint16_t tag) {
  Frame out(frame.begin(), frame.begin() + 12);
  for (uint16_t half : {type, tag}) {
    out.push_back(static_cast<uint8_t>(half >> 8));
    out.push_back(static_cast<uint8_t>(half));
  }
  out.insert(out.end(), frame.begin() + 12, frame.end());
  return out;
}

inline void check_same(const std::vector<Received>& received, const std::vector<Frame>& sent) {
  CHECK_EQ(received.size(), sent.size());
  for (size_t i = 0; i < std::min(received.size(), sent.size()); ++i) {
    if (received[i].bytes == sent[i] && received[i].wire_length == sent[i].size()) continue;
    std::printf("  packet %zu of seed %llu differs\n", i, static_cast<unsigned long long>(kSeed));
    ++check::failures;
    return;
  }
}

inline std::unique_ptr<bricks::Input> must_open(const std::string& interface,
                                                const bricks::PacketSettings& settings = {}) {
  std::unique_ptr<bricks::Input> input;
  const bricks::Status status = bricks::PacketInput::open(interface, settings, &input);
  CHECK_EQ(status.message, "");
  return input;
}

}  // namespace packet_test
