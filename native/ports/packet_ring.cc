#include "ports/packet_ring.hh"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bit>
#include <cerrno>

namespace bricks {
namespace {

constexpr uint32_t kFrameBytes = 2048;  // of no meaning in version 3, but the kernel checks it
// In front of every frame: room for a VLAN tag that comes back, and the IP header on a 4-byte
// boundary.
constexpr uint32_t kHeadroom = 16;
constexpr size_t kPage = 4096;

template <typename T>
bool set(int fd, int option, const T& value) {
  return setsockopt(fd, SOL_PACKET, option, &value, sizeof value) == 0;
}

Status check(const Interface& interface, const PacketSettings& settings) {
  if (!std::has_single_bit(settings.block_kib)) {
    return {Code::invalid_argument, "packet:" + interface.name + ": block is " +
                                        std::to_string(settings.block_kib) +
                                        " KiB, but must be a power of two; take block=128"};
  }
  if (settings.ring_mib * 1024 < settings.block_kib * 2) {
    return {Code::invalid_argument,
            "packet:" + interface.name + ": a ring of " + std::to_string(settings.ring_mib) +
                " MiB has no room for two blocks of " + std::to_string(settings.block_kib) +
                " KiB; take a larger ring or a smaller block"};
  }
  if (settings.queue >= 0) {
    const uint32_t queues = receive_queues(interface);
    if (static_cast<uint32_t>(settings.queue) >= queues) {
      return {Code::invalid_argument, "interface " + interface.name + " has no receive queue " +
                                          std::to_string(settings.queue) +
                                          ": its queues are 0 to " + std::to_string(queues - 1) +
                                          "; `ethtool -L` changes their number"};
    }
  }
  return {};
}

}  // namespace

PacketRing::~PacketRing() {
  if (base_ != nullptr) munmap(base_, mapped_);
  if (fd_ >= 0) close(fd_);
}

Status PacketRing::open(const Interface& interface, const PacketSettings& settings) {
  if (Status status = check(interface, settings); !status.ok()) return status;
  if (Status status = open_packet_socket(interface, &fd_); !status.ok()) return status;
  if (Status status = map(interface, settings); !status.ok()) return status;
  if (Status status = filter(interface, settings); !status.ok()) return status;
  if (!set(fd_, PACKET_IGNORE_OUTGOING, int{1})) {
    return {Code::unsupported,
            "this kernel cannot leave out what the machine itself sends "
            "(PACKET_IGNORE_OUTGOING); packet: needs Linux 4.20 or newer"};
  }
  if (settings.promiscuous && interface.ethernet) {
    packet_mreq membership{};
    membership.mr_ifindex = interface.index;
    membership.mr_type = PACKET_MR_PROMISC;
    if (!set(fd_, PACKET_ADD_MEMBERSHIP, membership)) {
      return system_error("promiscuous mode on " + interface.name, errno);
    }
  }
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = interface.index;
  if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return system_error("receiving from interface " + interface.name, errno);
  }
  // An interface that is down leaves an error behind; the port says so itself.
  int error = 0;
  socklen_t length = sizeof error;
  (void)getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length);
  return {};
}

Status PacketRing::map(const Interface& interface, const PacketSettings& settings) {
  if (!set(fd_, PACKET_VERSION, int{TPACKET_V3}) || !set(fd_, PACKET_RESERVE, kHeadroom)) {
    return system_error("TPACKET_V3 on " + interface.name, errno);
  }
  tpacket_req3 request{};
  request.tp_block_size = settings.block_kib * 1024;
  request.tp_block_nr = settings.ring_mib * 1024 / settings.block_kib;
  request.tp_frame_size = kFrameBytes;
  request.tp_frame_nr = request.tp_block_size / kFrameBytes * request.tp_block_nr;
  request.tp_retire_blk_tov = settings.timeout_ms;
  if (!set(fd_, PACKET_RX_RING, request)) {
    Status status = system_error(
        "a receive ring of " + std::to_string(settings.ring_mib) + " MiB on " + interface.name,
        errno);
    status.message += "; a smaller one: packet:" + interface.name + "?ring=4";
    return status;
  }
  // One page more than the ring, so that lengths rounded up to 64 can be read to the very end.
  const size_t ring_bytes = size_t{settings.ring_mib} << 20;
  const size_t all = ring_bytes + kPage;
  void* base = mmap(nullptr, all, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) return system_error("memory for interface " + interface.name, errno);
  base_ = static_cast<uint8_t*>(base);
  mapped_ = all;
  if (mmap(base, ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd_, 0) ==
      MAP_FAILED) {
    return system_error("mapping the receive ring of " + interface.name, errno);
  }
  blocks_ = request.tp_block_nr;
  block_shift_ = static_cast<uint32_t>(std::countr_zero(request.tp_block_size));
  return {};
}

// Queue and snaplen in the kernel: what is not for us is not even copied. A driver that has one
// queue need not record it; the others record queue + 1.
Status PacketRing::filter(const Interface& interface, const PacketSettings& settings) {
  if (settings.queue < 0 && settings.snaplen >= kFrameMax) return {};
  const uint32_t from_queue = static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_QUEUE);
  const uint32_t recorded = static_cast<uint32_t>(settings.queue) + 1;
  sock_filter code[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, from_queue},
      {BPF_JMP | BPF_JEQ | BPF_K, 2, 0, recorded},
      {BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint8_t>(settings.queue == 0 ? 1 : 0), 0, 0},
      {BPF_RET | BPF_K, 0, 0, 0},
      {BPF_RET | BPF_K, 0, 0, settings.snaplen},
  };
  sock_fprog program{5, code};
  if (settings.queue < 0) program = {1, code + 4};
  if (setsockopt(fd_, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) {
    return system_error("the queue filter on " + interface.name, errno);
  }
  return {};
}

}  // namespace bricks
