#include "ports/packet_output.hh"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace bricks {
namespace {

constexpr Nanos kMtuEvery = 1'000'000'000;
constexpr uint32_t kEthernetBytes = 14;
constexpr uint32_t kTagBytes = 4;
// Each packet that the device refuses costs a system call of its own; after so many in one batch
// the rest of it is given up.
constexpr uint32_t kRefusalsMax = 16;

bool is_tagged(const uint8_t* frame) {
  return (frame[12] == 0x81 && frame[13] == 0x00) || (frame[12] == 0x88 && frame[13] == 0xa8);
}

Drop reason_for(int error) {
  if (error == EMSGSIZE) return Drop::oversize;
  if (error == ENOBUFS || error == EAGAIN) return Drop::transmit_full;
  return Drop::transmit_failed;
}

// Nothing else of this batch will get through either.
bool is_lasting(int error) { return error == ENETDOWN || error == ENXIO || error == ENODEV; }

}  // namespace

PacketOutput::PacketOutput(Interface interface) : interface_(std::move(interface)) {
  for (uint32_t i = 0; i < 2; ++i) {
    destinations_[i].sll_family = AF_PACKET;
    destinations_[i].sll_protocol = htons(i == 0 ? ETH_P_IP : ETH_P_IPV6);
    destinations_[i].sll_ifindex = interface_.index;
  }
}

PacketOutput::~PacketOutput() {
  if (fd_ >= 0) ::close(fd_);
}

Status PacketOutput::open(const std::string& name, std::unique_ptr<Output>* output) {
  Interface interface;
  if (Status status = find_interface(name, &interface); !status.ok()) return status;
  std::unique_ptr<PacketOutput> made(new PacketOutput(interface));
  if (Status status = open_packet_socket(interface, &made->fd_); !status.ok()) return status;
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = interface.index;  // protocol 0: this socket receives nothing
  if (bind(made->fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return system_error("sending to interface " + name, errno);
  }
  const int yes = 1;
  made->bypass_ = setsockopt(made->fd_, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes) == 0;
  made->warn_down_ = !interface.up;
  *output = std::move(made);
  return {};
}

bool PacketOutput::can_carry(LinkType link) const noexcept {
  if (interface_.link_header) return link == interface_.link;
  return link == LinkType::raw || link == LinkType::raw_bsd || link == LinkType::ipv4 ||
         link == LinkType::ipv6;
}

bool PacketOutput::fits(const Packet& packet) const noexcept {
  if (!interface_.link_header) return packet.length <= interface_.mtu;
  const uint32_t limit = interface_.mtu + kEthernetBytes;
  if (packet.length <= limit) return true;
  return packet.length <= limit + kTagBytes && packet.length >= kEthernetBytes &&
         is_tagged(packet.data);
}

void PacketOutput::transmit(Batch& batch, const Index* picks, uint32_t count, bool exclusive,
                            LedgerCell& cell) noexcept {
  (void)exclusive;
  if (!can_carry(batch.link)) {
    cell.drop(Drop::link_type, count);
    return;
  }
  uint32_t filled = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const Packet& packet = batch.packets[picks[i]];
    if (!fits(packet)) {
      cell.drop(Drop::oversize);
      continue;
    }
    parts_[filled] = {packet.data, packet.length};
    msghdr& message = messages_[filled].msg_hdr;
    message.msg_iov = &parts_[filled];
    message.msg_iovlen = 1;
    if (!interface_.link_header) {
      const bool six = packet.length > 0 && packet.data[0] >> 4 == 6;
      message.msg_name = &destinations_[six];
      message.msg_namelen = sizeof destinations_[six];
    }
    if (++filled == kBatchMax) {
      send(filled, cell);
      filled = 0;
    }
  }
  if (filled > 0) send(filled, cell);
}

// One call, and one more behind every packet that was refused.
void PacketOutput::send(uint32_t count, LedgerCell& cell) noexcept {
  uint32_t done = 0;
  for (uint32_t refusals = 0; done < count;) {
    const int sent = sendmmsg(fd_, &messages_[done], count - done, MSG_DONTWAIT);
    if (sent > 0) {
      for (int i = 0; i < sent; ++i) cell.delivered_bytes += parts_[done + i].iov_len;
      cell.delivered += sent;
      done += sent;
      continue;
    }
    const int error = sent < 0 ? errno : EAGAIN;
    if (error == EINTR) continue;
    const bool give_up = is_lasting(error) || ++refusals == kRefusalsMax;
    const uint32_t refused = give_up ? count - done : 1;
    cell.drop(reason_for(error), refused);
    done += refused;
  }
}

void PacketOutput::flush(Nanos now, LedgerCell& cell) noexcept {
  (void)cell;
  if (now - mtu_at_ < kMtuEvery) return;
  mtu_at_ = now;
  ifreq request{};
  interface_.name.copy(request.ifr_name, IFNAMSIZ - 1);
  if (ioctl(fd_, SIOCGIFMTU, &request) == 0) {
    interface_.mtu = static_cast<uint32_t>(request.ifr_mtu);
  }
}

std::string PacketOutput::take_warning() {
  if (!warn_down_) return {};
  warn_down_ = false;
  return "interface " + interface_.name + " is down and takes no packets until `ip link set " +
         interface_.name + " up`";
}

std::string PacketOutput::describe() const {
  return "AF_PACKET on " + interface_.name + ", sendmmsg" +
         (bypass_ ? ", past the queueing discipline" : "");
}

}  // namespace bricks
