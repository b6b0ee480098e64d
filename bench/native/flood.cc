#include "flood.hh"

#include <linux/if_packet.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "ports/packet_builder.hh"

namespace bench {

using namespace bricks;

namespace {
constexpr uint32_t kFrame = 60;
constexpr uint32_t kFramesSent = 1000;  // flows that the sender goes through
constexpr uint32_t kAtOnce = 64;        // frames of one sendmmsg()
}  // namespace

void Flood::send() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(static_cast<size_t>(sysconf(_SC_NPROCESSORS_ONLN) - 1), &cores);
  pthread_setaffinity_np(pthread_self(), sizeof cores, &cores);
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(if_nametoindex("near"));
  const int yes = 1;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes) != 0) {
    std::fprintf(stderr, "bench: cannot send on the veth pair\n");
    std::exit(1);
  }
  const TrafficPlan plan{.length = kFrame, .flows = kFramesSent, .seed = 1, .mix = false};
  std::vector<uint8_t> frames(size_t{kFramesSent} * 128);
  std::vector<iovec> parts(kFramesSent);
  std::vector<mmsghdr> messages(kFramesSent);
  for (uint32_t i = 0; i < kFramesSent; ++i) {
    uint8_t* frame = frames.data() + size_t{i} * 128;
    parts[i] = {frame, build_packet(plan, i, frame)};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  for (uint32_t at = 0; !stop_; at = (at + kAtOnce) % (kFramesSent - kAtOnce)) {
    (void)sendmmsg(fd, &messages[at], kAtOnce, 0);
  }
  close(fd);
}

}  // namespace bench
