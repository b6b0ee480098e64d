#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "steering.hh"

namespace bench {

namespace {

constexpr int kPatienceMs = 3000;
constexpr size_t kWindow = 32;  // frames on their way: far below what a socket can hold

sockaddr_ll address_of(const char* interface) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
  return address;
}

class Fanout {
 public:
  explicit Fanout(uint32_t sockets) {
    for (uint32_t i = 0; i < sockets; ++i) add();
    sender_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    const sockaddr_ll near = address_of("near");
    good_ &= bind(sender_, reinterpret_cast<const sockaddr*>(&near), sizeof near) == 0;
    // A new interface's queue takes nothing until the kernel has noticed the carrier.
    const int yes = 1;
    good_ &= setsockopt(sender_, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes) == 0;
  }
  ~Fanout() {
    for (const pollfd& one : sockets_) close(one.fd);
    close(sender_);
  }
  Fanout(const Fanout&) = delete;
  Fanout& operator=(const Fanout&) = delete;

  bool good() const { return good_; }
  void add() {
    const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const sockaddr_ll far = address_of("far");
    good_ &= bind(fd, reinterpret_cast<const sockaddr*>(&far), sizeof far) == 0;
    const int group = (getpid() & 0xffff) | PACKET_FANOUT_HASH << 16;
    good_ &= setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &group, sizeof group) == 0;
    sockets_.push_back({fd, POLLIN, 0});
  }
  // The last but one, so that the kernel's way of closing the gap shows.
  void remove() {
    const size_t which = sockets_.size() - 2;
    close(sockets_[which].fd);
    sockets_[which].fd = -1;
  }

  // Every frame is received before the run goes on: nothing can be dropped unnoticed.
  Steered run(const Traffic& traffic) {
    Steered steered(traffic.flows);
    size_t missing = 0;
    for (const Bytes& frame : traffic.frames) {
      good_ &= ::send(sender_, frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size());
      if (++missing == kWindow) missing -= receive(steered, missing);
    }
    receive(steered, missing);
    return steered;
  }

 private:
  size_t receive(Steered& steered, size_t wanted) {
    size_t got = 0;
    while (got < wanted) {
      if (poll(sockets_.data(), sockets_.size(), kPatienceMs) <= 0) {
        good_ = false;
        return wanted;
      }
      for (uint32_t i = 0; i < sockets_.size(); ++i) {
        if (sockets_[i].fd < 0) continue;
        uint8_t frame[4096];
        for (ssize_t n; (n = recv(sockets_[i].fd, frame, sizeof frame, 0)) > 0;) {
          const uint32_t flow = flow_of(frame, static_cast<size_t>(n));
          if (flow >= steered.size()) continue;
          ++steered[flow][i];
          ++got;
        }
      }
    }
    return got;
  }

  std::vector<pollfd> sockets_;
  int sender_ = -1;
  bool good_ = true;
};

bool make_network(std::string* why) {
  if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) {
    *why = "needs root: a network namespace and packet sockets";
    return false;
  }
  const bool made = std::system(
                        "ip link add near mtu 9000 type veth peer name far mtu 9000 && "
                        "ip link set near up && ip link set far up") == 0;
  if (!made) *why = "no veth pair can be made (iproute2, the veth module)";
  return made;
}

}  // namespace

bool steer_by_kernel(std::vector<KernelRun>& runs, std::string* why) {
  bool good = false;
  std::thread([&] {  // a namespace of this thread's own
    if (!make_network(why)) return;
    good = true;
    for (KernelRun& run : runs) {
      Fanout fanout(run.sockets);
      run.before = fanout.run(run.traffic);
      if (run.change != 0) {
        if (run.change < 0) {
          fanout.remove();
        } else {
          fanout.add();
        }
        run.after = fanout.run(run.traffic);
      }
      if (fanout.good()) continue;
      *why = std::string("packet fanout: ") + std::strerror(errno);
      good = false;
      return;
    }
  })
      .join();
  return good;
}

}  // namespace bench
