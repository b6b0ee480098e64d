#include "ports/xdp_queue.hh"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bit>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>

namespace bricks {
namespace {

// What a socket held is torn down a moment after it was closed; until then its queue is taken.
constexpr useconds_t kBusyPause = 5000;
constexpr int kBusyTries = 60;

// Of younger headers than Debian 12's.
constexpr int kMaxTransmitBudget = 9;  // XDP_MAX_TX_SKB_BUDGET: Linux 6.17
#ifndef SO_PREFER_BUSY_POLL
#define SO_PREFER_BUSY_POLL 69
#define SO_BUSY_POLL_BUDGET 70
#endif
constexpr int kBusyPollMicros = 20;

std::mutex queues_mutex;

using QueuePlace = std::pair<XdpPlace, uint32_t>;
std::map<QueuePlace, std::weak_ptr<XdpQueue>>& queues() {
  static std::map<QueuePlace, std::weak_ptr<XdpQueue>> all;
  return all;
}

Status in_use(const Interface& interface, uint32_t number, const char* use) {
  return {Code::busy, "queue " + std::to_string(number) + " of interface " + interface.name +
                          " already has an AF_XDP " + use + " in this process; a queue has one"};
}

}  // namespace

Status XdpQueue::get(const Interface& interface, uint32_t number, const XdpSettings& settings,
                     bool generic, const std::shared_ptr<Region>& region,
                     std::shared_ptr<XdpQueue>* queue) {
  XdpPlace place;
  if (Status status = find_place(interface, &place); !status.ok()) return status;
  std::lock_guard lock(queues_mutex);
  std::weak_ptr<XdpQueue>& known = queues()[{place, number}];
  if (auto there = known.lock()) {
    if (Status status = there->check_same(interface, settings); !status.ok()) return status;
    *queue = std::move(there);
    return {};
  }
  std::shared_ptr<XdpQueue> made(new XdpQueue);
  made->number_ = number;
  made->ring_ = settings.ring;
  if (Status status = made->open(interface, settings, generic, region); !status.ok()) return status;
  known = made;
  *queue = std::move(made);
  return {};
}

Status XdpQueue::check_same(const Interface& interface, const XdpSettings& settings) const {
  const bool mode =
      settings.mode == XdpMode::any || (settings.mode == XdpMode::zero_copy) == zero_copy_;
  if (mode && settings.ring == ring_) return {};
  return {Code::invalid_argument,
          "queue " + std::to_string(number_) + " of interface " + interface.name +
              " is already open in this process with ring=" + std::to_string(ring_) +
              "&mode=" + (zero_copy_ ? "zerocopy" : "copy") +
              "; input and output of a queue share a socket: say the same for both"};
}

Status XdpQueue::open(const Interface& interface, const XdpSettings& settings, bool generic,
                      const std::shared_ptr<Region>& region) {
  if (!std::has_single_bit(ring_)) {
    return {Code::invalid_argument, "xdp:" + interface.name + ": ring is " + std::to_string(ring_) +
                                        ", but must be a power of two; take ring=4096"};
  }
  const uint32_t there = receive_queues(interface);
  if (number_ >= there) {
    return {Code::invalid_argument, "interface " + interface.name + " has no queue " +
                                        std::to_string(number_) + ": its queues are 0 to " +
                                        std::to_string(there - 1) +
                                        "; `ethtool -L` changes their number"};
  }
  if (Status status = take_memory(interface, region); !status.ok()) return status;
  int error = bind(interface, settings, generic);
  for (int i = 1; error == EBUSY && i < kBusyTries; ++i) {
    usleep(kBusyPause);
    error = bind(interface, settings, generic);
  }
  if (error) return refusal(interface, settings, error);
  const std::vector<uint32_t> to_fill(free.end() - 2 * ring_, free.end());
  free.resize(ring_);
  fill_with(to_fill);
  xdp_options options{};
  socklen_t length = sizeof options;
  if (getsockopt(fd_, SOL_XDP, XDP_OPTIONS, &options, &length) == 0) {
    zero_copy_ = options.flags & XDP_OPTIONS_ZEROCOPY;
  }
  const int budget = static_cast<int>(ring_);  // of one call; older kernels: 32
  (void)setsockopt(fd_, SOL_XDP, kMaxTransmitBudget, &budget, sizeof budget);
  if (settings.busy_poll == 0) return {};
  const int yes = 1, packets = static_cast<int>(settings.busy_poll);
  if (setsockopt(fd_, SOL_SOCKET, SO_PREFER_BUSY_POLL, &yes, sizeof yes) != 0 ||
      setsockopt(fd_, SOL_SOCKET, SO_BUSY_POLL, &kBusyPollMicros, sizeof kBusyPollMicros) != 0 ||
      setsockopt(fd_, SOL_SOCKET, SO_BUSY_POLL_BUDGET, &packets, sizeof packets) != 0) {
    Status status = system_error("busy polling on " + interface.name, errno);
    status.message += "; it takes Linux 5.11 and CAP_NET_ADMIN; leave busy_poll out";
    return status;
  }
  return {};
}

// Twice the ring to receive with, so that as much as waits to be read can still arrive.
Status XdpQueue::take_memory(const Interface& interface, const std::shared_ptr<Region>& region) {
  const uint32_t buffers = 3 * ring_;
  region_ = region;
  own_memory_ = !region;
  if (own_memory_) {
    Status status = Region::create("xdp:" + interface.name, 0, buffers + 2, &region_);
    if (!status.ok()) return status;
  }
  filling.assign(region_->buffer_count(), 0);
  sending.assign(region_->buffer_count(), 0);
  std::vector<uint32_t> taken;
  if (Status status = region_->allocate_buffers(buffers, &taken); !status.ok()) {
    status.message += "; take a smaller ring: xdp:" + interface.name + "?ring=1024";
    return status;
  }
  free = std::move(taken);
  return {};
}

// 0, or errno and nothing is left behind.
int XdpQueue::bind(const Interface& interface, const XdpSettings& settings, bool generic) {
  xsk_umem_config memory{};
  memory.fill_size = 4 * ring_;
  memory.comp_size = 2 * ring_;
  memory.frame_size = kChunk;
  memory.flags = XDP_UMEM_UNALIGNED_CHUNK_FLAG;
  const uint64_t bytes = uint64_t{region_->buffer_count()} * kBufferStride;
  if (int error = xsk_umem__create(&umem_, region_->buffer(0), bytes, &fill, &completed, &memory)) {
    umem_ = nullptr;
    return -error;
  }
  fd_ = xsk_umem__fd(umem_);
  (void)fcntl(fd_, F_SETFD, FD_CLOEXEC);
  xsk_socket_config socket{};
  socket.rx_size = ring_;
  socket.tx_size = 2 * ring_;  // twice what there is to send: the kernel says late what it took
  socket.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD;
  socket.bind_flags = XDP_USE_NEED_WAKEUP;
  if (settings.mode == XdpMode::zero_copy) socket.bind_flags |= XDP_ZEROCOPY;
  if (settings.mode == XdpMode::copy || generic) socket.bind_flags |= XDP_COPY;
  const int error = xsk_socket__create(&socket_, interface.name.c_str(), number_, umem_, &received,
                                       &transmit, &socket);
  if (error == 0) return 0;
  socket_ = nullptr;
  (void)xsk_umem__delete(umem_);
  umem_ = nullptr;
  fd_ = -1;
  return -error;
}

Status XdpQueue::refusal(const Interface& interface, const XdpSettings& settings, int error) const {
  const std::string where = "queue " + std::to_string(number_) + " of interface " + interface.name;
  if (error == EBUSY) {
    return {Code::busy, where +
                            " already has an AF_XDP socket, of another program; take another "
                            "queue, or packet:" +
                            interface.name};
  }
  if (error == EAFNOSUPPORT || error == EPROTONOSUPPORT) {
    return {Code::unsupported,
            "this kernel was built without AF_XDP (CONFIG_XDP_SOCKETS); take "
            "packet:" +
                interface.name};
  }
  if (settings.mode == XdpMode::zero_copy && (error == EOPNOTSUPP || error == EINVAL)) {
    return {Code::unsupported, "the driver of " + interface.name +
                                   " cannot receive into our memory (zero-copy); leave mode out, "
                                   "and the kernel copies"};
  }
  if (error == EPERM || error == EACCES) {
    return {Code::permission_denied, "no right to open an AF_XDP socket on " + where +
                                         ": it takes root or CAP_NET_RAW; take sudo"};
  }
  Status status = system_error("xdp: " + where, error);
  if (error == ENOBUFS || error == ENOMEM) {
    status.message += "; " + std::to_string(region_->bytes() >> 20) +
                      " MiB must stay in memory: CAP_IPC_LOCK, `ulimit -l`, or a smaller ring";
  }
  return status;
}

void XdpQueue::fill_with(const std::vector<uint32_t>& buffers) noexcept {
  const auto count = static_cast<uint32_t>(buffers.size());
  uint32_t at = 0;
  [[maybe_unused]] const uint32_t room = xsk_ring_prod__reserve(&fill, count, &at);
  assert(room == count);
  for (uint32_t buffer : buffers) {
    filling[buffer] = 1;
    *xsk_ring_prod__fill_addr(&fill, at++) = chunk_of(buffer);
  }
  xsk_ring_prod__submit(&fill, count);
}

// What came while nobody received is not ours to give out.
Status XdpQueue::claim_receive(const Interface& interface) {
  std::lock_guard lock(queues_mutex);
  if (receiving_) return in_use(interface, number_, "input");
  receiving_ = true;
  uint32_t at = 0;
  const uint32_t count = xsk_ring_cons__peek(&received, ring_, &at);
  std::vector<uint32_t> left;
  for (uint32_t i = 0; i < count; ++i) {
    left.push_back(
        buffer_of(xsk_umem__add_offset_to_addr(xsk_ring_cons__rx_desc(&received, at + i)->addr)));
  }
  xsk_ring_cons__release(&received, count);
  fill_with(left);
  return {};
}

Status XdpQueue::claim_transmit(const Interface& interface) {
  std::lock_guard lock(queues_mutex);
  if (transmitting_) return in_use(interface, number_, "output");
  transmitting_ = true;
  return {};
}

void XdpQueue::leave_receive() noexcept {
  std::lock_guard lock(queues_mutex);
  receiving_ = false;
}

void XdpQueue::forget_sent() noexcept {
  for (uint16_t& each : sending)
    if (each != 0) each = kLeft;
}

void XdpQueue::leave_transmit() noexcept {
  std::lock_guard lock(queues_mutex);
  forget_sent();
  transmitting_ = false;
}

xdp_statistics XdpQueue::statistics() const noexcept {
  xdp_statistics counts{};
  socklen_t length = sizeof counts;
  (void)getsockopt(fd_, SOL_XDP, XDP_STATISTICS, &counts, &length);
  return counts;
}

// After close() the kernel no longer touches this memory in copy mode. A device that writes into it
// itself may do so a moment longer: what it had stays out of use for as long as the region lives.
XdpQueue::~XdpQueue() {
  if (socket_) xsk_socket__delete(socket_);
  if (umem_) (void)xsk_umem__delete(umem_);
  if (own_memory_ || !region_) return;
  for (uint32_t i = 0; i < filling.size() && !zero_copy_; ++i)
    if (filling[i] || sending[i]) free.push_back(i);
  region_->release_buffers(free);
}

}  // namespace bricks
