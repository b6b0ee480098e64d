#include "ports/xdp_output.hh"

#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace bricks {
namespace {

constexpr Nanos kLookEvery = 250'000'000;
constexpr Nanos kStuckAfter = uint64_t{kLosslessStallMs} * 1'000'000;
constexpr uint32_t kTakenAtOnce = 32;  // by one call, before Linux 6.17
constexpr uint32_t kRefusalsMax = 16;  // calls that a device which refuses everything may cost
constexpr int kCloseTries = 100;       // of a millisecond each
constexpr uint32_t kEthernetBytes = 14;
constexpr uint32_t kTagBytes = 4;

enum News : uint32_t { kNewsDown = 1, kNewsGone = 2 };

bool is_tagged(const uint8_t* frame) {
  return (frame[12] == 0x81 && frame[13] == 0x00) || (frame[12] == 0x88 && frame[13] == 0xa8);
}

}  // namespace

Status XdpOutput::open(const std::string& name, const XdpSettings& settings,
                       const std::shared_ptr<Region>& region, std::unique_ptr<Output>* output) {
  Interface interface;
  if (Status status = find_xdp_interface(name, &interface); !status.ok()) return status;
  std::unique_ptr<XdpOutput> made(new XdpOutput(interface));
  made->region_ = region;
  if (Status status = open_packet_socket(interface, &made->control_); !status.ok()) return status;
  const uint32_t number = settings.queue < 0 ? 0 : static_cast<uint32_t>(settings.queue);
  const bool generic = settings.attach == XdpAttach::generic;
  std::shared_ptr<XdpQueue> queue;
  Status status = XdpQueue::get(interface, number, settings, generic, region, &queue);
  if (status.ok() && queue->zero_copy()) {
    status = XdpProgram::get(interface, XdpAttach::driver, &made->program_);
  }
  if (status.ok()) status = queue->claim_transmit(interface);
  if (!status.ok()) return status;
  made->queue_ = std::move(queue);
  *output = std::move(made);
  return {};
}

XdpOutput::~XdpOutput() {
  if (queue_) queue_->leave_transmit();
  if (control_ >= 0) ::close(control_);
}

bool XdpOutput::fits(const Packet& packet) const noexcept {
  if (packet.length > kXdpFrameMax) return false;
  const uint32_t limit = interface_.mtu + kEthernetBytes;
  if (packet.length <= limit) return true;
  return packet.length <= limit + kTagBytes && is_tagged(packet.data);
}

// Buffers of frames that are through.
void XdpOutput::take_back() noexcept {
  XdpQueue& queue = *queue_;
  uint32_t at = 0;
  const uint32_t count = xsk_ring_cons__peek(&queue.completed, 2 * queue.ring_size(), &at);
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t address =
        xsk_umem__extract_addr(*xsk_ring_cons__comp_addr(&queue.completed, at + i));
    const uint32_t buffer = XdpQueue::buffer_of(address);
    const uint16_t length = queue.sending[buffer];
    queue.sending[buffer] = 0;
    queue.free.push_back(buffer);
    if (length == XdpQueue::kLeft) continue;
    --in_flight_;
    ++moved_;
    if (refused_ > 0) {
      --refused_;
      ++sent_.refused;
    } else {
      ++sent_.packets;
      sent_.bytes += length;
    }
  }
  xsk_ring_cons__release(&queue.completed, count);
}

void XdpOutput::count(LedgerCell& cell) noexcept {
  cell.delivered += sent_.packets;
  cell.delivered_bytes += sent_.bytes;
  cell.drop(Drop::transmit_full, sent_.refused);
  cell.drop(Drop::transmit_failed, sent_.lost);
  sent_ = {};
  cell.held = in_flight_;
}

// The buffers bound it: there are twice as many entries in the rings. A device that cannot send is
// not waited for.
uint32_t XdpOutput::room(const Batch& batch, const Index* picks, uint32_t count) noexcept {
  (void)batch, (void)picks;
  if (queue_->free.size() < count && in_flight_ > 0) {
    send();
    take_back();
  }
  if (down_ || gone_ || stuck_) return count;
  return std::min(count, static_cast<uint32_t>(queue_->free.size()));
}

void XdpOutput::transmit(Batch& batch, const Index* picks, uint32_t count, bool exclusive,
                         LedgerCell& cell) noexcept {
  if (batch.link != LinkType::ethernet) return cell.drop(Drop::link_type, count);
  if (down_ || gone_) return cell.drop(Drop::transmit_failed, count);
  XdpQueue& queue = *queue_;
  take_back();
  const bool exchanges = exclusive && batch.region && batch.region == queue.region().get();
  uint32_t put = 0;
  for (uint32_t i = 0; i < count; ++i) {
    Packet& packet = batch.packets[picks[i]];
    if (!fits(packet)) {
      cell.drop(Drop::oversize);
      continue;
    }
    if (packet.length < kEthernetBytes) {
      cell.drop(Drop::transmit_failed);
      continue;
    }
    uint32_t at = 0;
    if (queue.free.empty() || xsk_ring_prod__reserve(&queue.transmit, 1, &at) == 0) {
      cell.drop(Drop::transmit_full);
      continue;
    }
    uint32_t buffer = queue.free.back();
    queue.free.pop_back();
    const uint32_t length = packet.length;
    if (exchanges) {
      std::swap(buffer, packet.buffer);
      packet.buffer |= kForeignBuffer;
    } else {
      std::memcpy(queue.region()->buffer(buffer), packet.data, length);
    }
    queue.sending[buffer] = static_cast<uint16_t>(length);
    xdp_desc* frame = xsk_ring_prod__tx_desc(&queue.transmit, at);
    *frame = {uint64_t{buffer} * kBufferStride, length, 0};
    ++put;
  }
  xsk_ring_prod__submit(&queue.transmit, put);
  in_flight_ += put;
  unsent_ |= put > 0;
  this->count(cell);
}

// What the kernel has not taken by the end of it goes with the next.
void XdpOutput::send() noexcept {
  if (!unsent_ || gone_) return;
  if (!xsk_ring_prod__needs_wakeup(&queue_->transmit)) {
    unsent_ = false;  // the driver is at it
    return;
  }
  const uint64_t calls = in_flight_ / kTakenAtOnce + 1 + kRefusalsMax;
  for (uint64_t call = 0, refusals = 0; call < calls && refusals < kRefusalsMax; ++call) {
    if (sendto(queue_->fd(), nullptr, 0, MSG_DONTWAIT, nullptr, 0) >= 0) {
      unsent_ = down_ = false;
      return;
    }
    switch (errno) {
      case EBUSY:  // the device refused one; the others come behind it
        ++refused_;
        ++refusals;
        break;
      case EAGAIN:  // so many for one call, or no room on the way back
        take_back();
        break;
      case ENETDOWN:
        if (!down_) tell(kNewsDown);
        down_ = true;
        return;
      case ENXIO:
        return look_at_interface(0);
      default:
        return;
    }
  }
}

void XdpOutput::flush(Nanos now, LedgerCell& cell) noexcept {
  send();
  take_back();
  if (now - looked_at_ > kLookEvery || now < looked_at_) look_at_interface(now);
  count(cell);
}

void XdpOutput::look_at_interface(Nanos now) noexcept {
  looked_at_ = now;
  if (gone_) return;
  // Of two flushes within a breath the second may have the older time.
  if (moved_ != moved_seen_ || in_flight_ == 0 || now < moved_at_) moved_at_ = now;
  moved_seen_ = moved_;
  stuck_ = now - moved_at_ > kStuckAfter;
  ifreq request{};
  request.ifr_ifindex = interface_.index;
  if (ioctl(control_, SIOCGIFNAME, &request) != 0) {
    gone_ = true;
    queue_->forget_sent();
    sent_.lost += in_flight_;
    in_flight_ = 0;
    return tell(kNewsGone);
  }
  if (ioctl(control_, SIOCGIFFLAGS, &request) == 0) {
    const bool down = !(request.ifr_flags & IFF_UP);
    if (down && !down_) tell(kNewsDown);
    down_ = down;
  }
  if (ioctl(control_, SIOCGIFMTU, &request) == 0) {
    interface_.mtu = static_cast<uint32_t>(request.ifr_mtu);
  }
}

// Control thread. What has not come back after a short while is lost with the socket.
void XdpOutput::close(LedgerCell& cell) {
  for (int i = 0; i < kCloseTries; ++i) {
    send();
    take_back();
    if (in_flight_ == 0 || down_ || gone_) break;
    (void)poll(nullptr, 0, 1);
  }
  sent_.lost += in_flight_;
  in_flight_ = 0;
  count(cell);
}

std::string XdpOutput::take_warning() {
  const uint32_t news = news_.exchange(0, std::memory_order_relaxed);
  const std::string& name = interface_.name;
  if (news & kNewsGone) {
    return "interface " + name +
           " was removed and takes no more packets; when it is back, link the engine again";
  }
  if (news & kNewsDown) {
    return "interface " + name + " is down and takes no packets until `ip link set " + name +
           " up`";
  }
  return {};
}

std::string XdpOutput::describe() const {
  std::string text = "AF_XDP on " + interface_.name + ", " +
                     (queue_->zero_copy() ? "zero-copy" : "copied by the kernel") + ", queue " +
                     std::to_string(queue_->number()) + ", ring of " +
                     std::to_string(queue_->ring_size());
  if (region_ && region_ == queue_->region()) text += ", shared region";
  return text;
}

}  // namespace bricks
