#include "ports/xdp_input.hh"

#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>

#include "ports/xdp_choice.hh"

namespace bricks {
namespace {

constexpr Nanos kLookEvery = 250'000'000;

enum News : uint32_t { kNewsDown = 1, kNewsGone = 2, kNewsOversize = 4, kNewsTags = 8 };

// Of what the kernel counts, packets that were lost. Copying, it counts each that found no buffer
// twice, and each that is too long once; a driver that needs no copies counts its attempts to get
// buffers, which are not packets.
void count_losses(const xdp_statistics& counts, bool zero_copy, uint64_t* dropped,
                  uint64_t* oversize) noexcept {
  const uint64_t no_buffer =
      zero_copy ? counts.rx_dropped : std::min(counts.rx_dropped, counts.rx_fill_ring_empty_descs);
  *dropped = counts.rx_ring_full + no_buffer;
  *oversize = counts.rx_dropped - no_buffer;
}

bool holds(const Region& region, const Batch& batch) noexcept {
  if (batch.region) return batch.region == &region;
  const uint8_t* data = batch.packets[0].data;
  return data >= region.buffer(0) && data < region.buffer(region.buffer_count());
}

}  // namespace

Status XdpInput::open(const std::string& name, const XdpSettings& settings,
                      const std::shared_ptr<Region>& region, std::unique_ptr<Input>* input) {
  Interface interface;
  if (Status status = find_xdp_interface(name, &interface); !status.ok()) return status;
  std::unique_ptr<XdpInput> made(new XdpInput(interface, settings, region));
  if (Status status = open_packet_socket(interface, &made->control_); !status.ok()) return status;
  Status status = XdpProgram::get(interface, settings.attach, &made->program_);
  if (status.ok()) status = made->open_queues();
  if (status.ok()) status = made->start();
  if (!status.ok()) return status;
  if (strips_tags(interface)) made->news_ = kNewsTags;
  *input = std::move(made);
  return {};
}

Status XdpInput::open_queues() {
  uint32_t first = 0, count = receive_queues(interface_);
  if (settings_.queue >= 0) first = static_cast<uint32_t>(settings_.queue), count = 1;
  if (first + count > kXdpQueuesMax) {
    return {Code::limit_reached, "interface " + interface_.name + " has " + std::to_string(count) +
                                     " queues, xdp: serves " + std::to_string(kXdpQueuesMax) +
                                     "; `ethtool -L` makes them fewer"};
  }
  for (uint32_t number = first; number < first + count; ++number) {
    std::shared_ptr<XdpQueue> queue;
    Status status =
        XdpQueue::get(interface_, number, settings_, !program_->in_driver(), region_, &queue);
    if (status.ok()) status = queue->claim_receive(interface_);
    if (!status.ok()) return status;
    Source& source = sources_.emplace_back();
    source.queue = std::move(queue);
  }
  return {};
}

// From here on packets arrive.
Status XdpInput::start() {
  wait_ = sources_[0].queue->fd();
  if (sources_.size() > 1) {
    wait_ = epoll_create1(EPOLL_CLOEXEC);
    if (wait_ < 0) return system_error("waiting for the queues of " + interface_.name, errno);
    for (const Source& source : sources_) {
      epoll_event event{};
      event.events = EPOLLIN;
      if (epoll_ctl(wait_, EPOLL_CTL_ADD, source.queue->fd(), &event) != 0) {
        return system_error("waiting for the queues of " + interface_.name, errno);
      }
    }
  }
  if (settings_.promiscuous && interface_.ethernet) {
    packet_mreq membership{};
    membership.mr_ifindex = interface_.index;
    membership.mr_type = PACKET_MR_PROMISC;
    if (setsockopt(control_, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof membership)) {
      return system_error("promiscuous mode on " + interface_.name, errno);
    }
  }
  for (Source& source : sources_) {
    const xdp_statistics before = source.queue->statistics();
    count_losses(before, source.queue->zero_copy(), &source.dropped, &source.oversize);
    Status status = program_->steer(source.queue->number(), source.queue->fd());
    if (!status.ok()) return status;
  }
  return {};
}

XdpInput::~XdpInput() {
  for (const Source& source : sources_) {
    program_->leave(source.queue->number());
    source.queue->leave_receive();
  }
  if (sources_.size() > 1 && wait_ >= 0) close(wait_);
  if (control_ >= 0) close(control_);
}

uint32_t XdpInput::read(Source& source, Batch& batch, uint32_t max, Nanos now,
                        LedgerCell& cell) noexcept {
  XdpQueue& queue = *source.queue;
  uint32_t at = 0;
  const uint32_t count = xsk_ring_cons__peek(&queue.received, max, &at);
  if (count == 0) return 0;
  Region& region = *queue.region();
  const bool exchanges = region_ == queue.region();
  uint8_t* const base = region.buffer(0);
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const xdp_desc* frame = xsk_ring_cons__rx_desc(&queue.received, at + i);
    const uint64_t address = xsk_umem__add_offset_to_addr(frame->addr);
    const uint32_t buffer = XdpQueue::buffer_of(address);
    uint8_t* const data = region.buffer(buffer);
    __builtin_prefetch(data);
    // A device that puts something of its own in front: consumers look at the buffer's beginning.
    if (data != base + address) [[unlikely]]
      std::memmove(data, base + address, frame->len);
    queue.filling[buffer] = 0;
    Packet& packet = batch.packets[i];
    packet.data = data;
    packet.length = frame->len;
    packet.timestamp = now;
    packet.buffer = exchanges ? buffer : kNoBuffer;
    packet.flags = 0;
    bytes += frame->len;
  }
  xsk_ring_cons__release(&queue.received, count);
  source.lent += count;
  batch.count = count;
  batch.region = exchanges ? &region : nullptr;
  cell.packets += count;
  cell.bytes += bytes;
  return count;
}

uint32_t XdpInput::receive(Batch& batch, uint32_t max, Nanos now, LedgerCell& cell) noexcept {
  assert(max <= kBatchMax);
  batch.count = 0;
  batch.link = LinkType::ethernet;
  batch.padded = batch.plain = true;
  batch.region = nullptr;
  if (now - looked_at_ > kLookEvery) look_around(now, cell);
  const auto size = static_cast<uint32_t>(sources_.size());
  for (uint32_t turn = 0; turn < size; ++turn) {
    const uint32_t i = first_ + turn < size ? first_ + turn : first_ + turn - size;
    if (read(sources_[i], batch, max, now, cell) == 0) continue;
    first_ = i + 1 < size ? i + 1 : 0;
    return batch.count;
  }
  wake_driver();
  return 0;
}

// Batches come back in any order, each to a queue that misses as many.
void XdpInput::release(Batch& batch) noexcept {
  for (uint32_t i = 0; i < batch.count;) {
    const auto source = std::find_if(sources_.begin(), sources_.end(), [&](const Source& each) {
      return each.lent > 0 && holds(*each.queue->region(), batch);
    });
    assert(source != sources_.end());
    XdpQueue& queue = *source->queue;
    const uint32_t count = std::min(batch.count - i, source->lent);
    uint32_t at = 0;
    [[maybe_unused]] const uint32_t room = xsk_ring_prod__reserve(&queue.fill, count, &at);
    assert(room == count);
    for (uint32_t k = 0; k < count; ++k) {
      const Packet& packet = batch.packets[i + k];
      const uint32_t buffer =
          batch.region
              ? packet.buffer & ~kForeignBuffer
              : XdpQueue::buffer_of(static_cast<uint64_t>(packet.data - queue.region()->buffer(0)));
      queue.filling[buffer] = 1;
      *xsk_ring_prod__fill_addr(&queue.fill, at + k) = XdpQueue::chunk_of(buffer);
    }
    xsk_ring_prod__submit(&queue.fill, count);
    source->lent -= count;
    i += count;
  }
  batch.count = 0;
}

// A driver that ran out of buffers, or whose interrupts are off, waits to be asked.
void XdpInput::wake_driver() noexcept {
  for (const Source& source : sources_) {
    if (settings_.busy_poll == 0 && !xsk_ring_prod__needs_wakeup(&source.queue->fill)) continue;
    (void)recvfrom(source.queue->fd(), nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);
  }
}

void XdpInput::settle(LedgerCell& cell) noexcept {
  for (Source& source : sources_) {
    uint64_t dropped = 0, oversize = 0;
    count_losses(source.queue->statistics(), source.queue->zero_copy(), &dropped, &oversize);
    // The kernel's counts are not of one moment: what is there already stays.
    dropped = std::max(dropped, source.dropped);
    oversize = std::max(oversize, source.oversize);
    if (oversize > source.oversize) tell(kNewsOversize);
    cell.packets += dropped - source.dropped + oversize - source.oversize;
    cell.drop(Drop::kernel, dropped - source.dropped);
    cell.drop(Drop::oversize, oversize - source.oversize);
    source.dropped = dropped;
    source.oversize = oversize;
  }
}

void XdpInput::look_around(Nanos now, LedgerCell& cell) noexcept {
  looked_at_ = now;
  settle(cell);
  look_at_interface();
}

void XdpInput::look_at_interface() noexcept {
  if (gone_) return;
  ifreq request{};
  request.ifr_ifindex = interface_.index;
  if (ioctl(control_, SIOCGIFNAME, &request) != 0) {
    gone_ = true;
    return tell(kNewsGone);
  }
  if (ioctl(control_, SIOCGIFFLAGS, &request) != 0) return;
  const bool down = !(request.ifr_flags & IFF_UP);
  if (down && !down_) tell(kNewsDown);
  down_ = down;
}

std::string XdpInput::take_warning() {
  const uint32_t news = news_.exchange(0, std::memory_order_relaxed);
  const std::string& name = interface_.name;
  std::string text;
  warn_of_absence(name, news & kNewsDown, news & kNewsGone, &text);
  if (news & kNewsOversize) {
    add_warning(&text,
                "interface " + name + " gave frames of more than " + std::to_string(kXdpFrameMax) +
                    " bytes, which xdp: cannot take; packet:" + name + " can, or `ethtool -K " +
                    name + " gro off` here and `tso off gso off` at the other end of a veth");
  }
  if (news & kNewsTags) {
    add_warning(&text, "interface " + name +
                           " takes VLAN tags out of frames, and AF_XDP does not get to know "
                           "them; `ethtool -K " +
                           name + " rxvlan off` leaves them in");
  }
  return text;
}

std::string XdpInput::describe() const {
  const XdpQueue& queue = *sources_[0].queue;
  std::string text = "AF_XDP on " + interface_.name + ", " +
                     (queue.zero_copy() ? "zero-copy" : "copied by the kernel") + ", program " +
                     (program_->in_driver() ? "in the driver" : "behind the driver (skb)");
  text += sources_.size() == 1 ? ", queue " + std::to_string(queue.number())
                               : ", " + std::to_string(sources_.size()) + " queues";
  text += ", ring of " + std::to_string(queue.ring_size());
  if (settings_.busy_poll) text += ", busy polling " + std::to_string(settings_.busy_poll);
  if (region_ == queue.region()) text += ", shared region";
  if (settings_.promiscuous && interface_.ethernet) text += ", promiscuous";
  return text;
}

}  // namespace bricks
