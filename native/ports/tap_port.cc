// The tap: scheme. Output: an interface whose packets are the output's, for any tool's -i NAME.
// Input: what programs of this machine send to it. The system calls are made by threads of their
// own: for reading one a packet, for writing one a batch where the system has io_uring.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <system_error>
#include <thread>

#include "ports/port_schemes.hh"
#include "ports/queued_output.hh"
#include "ports/tap_device.hh"
#include "ports/write_ring.hh"

namespace bricks {
namespace {

constexpr uint32_t kWritesMax = 256;  // before what they came to is told
constexpr uint64_t kInputBytes = 4u << 20;

constexpr OptionDescriptor kOptions[] = {
    {"mtu", OptionType::integer, "65521", 68, 65521, nullptr,
     "of the interface; packets longer than it, an Ethernet header and a tag are dropped as "
     "oversize"},
    {"user", OptionType::text, "", 0, 0, nullptr, "user who may open the interface, too"},
    {"persist", OptionType::boolean, "0", 0, 0, nullptr,
     "the interface stays when the port is closed"},
    {"buffer", OptionType::integer, "4", 1, 4096, nullptr,
     "output: MiB between the engine and the interface, rounded up to a power of two"},
};

class TapSink final : public FrameSink {
 public:
  Status open(const std::string& name, const TapSettings& settings) {
    Status status = device_.open(name, settings);
    if (!status.ok()) return status;
    if (const Status ring = ring_.open(kWritesMax); !ring.ok()) {
      single_ = ring.message;
    }
    return status;
  }

  bool work(FrameQueue& queue, const FrameNews&, FrameTally& tally) noexcept override {
    uint32_t count = 0;
    uint64_t at = at_;
    for (; count < kWritesMax; ++count) {
      const FrameRecord* record = queue.at(&at);
      if (!record) break;
      frames_[count] = {const_cast<uint8_t*>(record->data()), record->length};
      at += FrameQueue::size_of(record->length);
    }
    if (count == 0) return false;
    at_ = at;
    for (uint32_t i = write_together(count); i < count; ++i) results_[i] = write_one(frames_[i]);
    tell(count, tally);
    queue.release(at_);
    return true;
  }
  int sleep_on(std::vector<pollfd>&) noexcept override { return -1; }
  void end(FrameQueue&, FrameTally&) noexcept override {}
  Drop full() const noexcept override { return Drop::transmit_full; }
  bool carries(LinkType link) const noexcept override { return link == LinkType::ethernet; }
  uint32_t frame_max() const noexcept override { return device_.frame_max(); }
  std::string take_warning() override {
    const int error = error_.load(std::memory_order_relaxed);
    if (error == told_ || error == 0) return {};
    told_ = error;
    Status status = system_error("the TAP interface " + device_.name() + " refuses packets", error);
    if (error == EIO) status.message += "; `ip link set " + device_.name() + " up`";
    return status.message;
  }
  std::string describe() const override {
    std::string text = "TAP interface " + device_.name() + ", a writer thread";
    const int error = given_up_.load(std::memory_order_relaxed);
    const std::string why = error ? std::string("io_uring: ") + std::strerror(error) : single_;
    return why.empty() ? text : text + ", a system call a packet (" + why + ")";
  }

 private:
  // How many of the frames the ring has dealt with. A ring that the system does not serve for this
  // device is given up.
  uint32_t write_together(uint32_t count) noexcept {
    if (!ring_.is_open()) return 0;
    uint32_t done = ring_.write(device_.fd(), frames_.data(), count, results_.data());
    const bool served = done == count && results_[0] != -EOPNOTSUPP;
    if (served) return done;
    given_up_.store(done == count ? EOPNOTSUPP : ring_.error(), std::memory_order_relaxed);
    while (done > 0 && results_[done - 1] == -EOPNOTSUPP) --done;
    ring_.close();
    return done;
  }
  int32_t write_one(const iovec& frame) noexcept {
    const ssize_t n = write(device_.fd(), frame.iov_base, frame.iov_len);
    return n < 0 ? -errno : static_cast<int32_t>(n);
  }
  void tell(uint32_t count, FrameTally& tally) noexcept {
    uint64_t packets = 0, bytes = 0, failed = 0, full = 0;
    for (uint32_t i = 0; i < count; ++i) {
      const int error = -results_[i];
      if (error <= 0) {
        ++packets;
        bytes += frames_[i].iov_len;
      } else if (error == EAGAIN || error == ENOBUFS || error == ENOMEM) {
        ++full;
      } else {
        error_.store(error, std::memory_order_relaxed);
        ++failed;
      }
    }
    if (packets) tally.deliver(packets, bytes);
    if (failed) tally.drop(Drop::transmit_failed, failed);
    if (full) tally.drop(Drop::transmit_full, full);
  }

  TapDevice device_;
  WriteRing ring_;
  std::string single_;            // why there is no ring
  std::atomic<int> given_up_{0};  // there was one: why not any more
  std::array<iovec, kWritesMax> frames_{};
  std::array<int32_t, kWritesMax> results_{};
  uint64_t at_ = 0;
  std::atomic<int> error_{0};
  int told_ = 0;
};

class TapInput final : public Input {
 public:
  TapInput() : queue_(kInputBytes) {}
  ~TapInput() override {
    if (thread_.joinable()) {
      (void)eventfd_write(stop_, 1);
      thread_.join();
    }
    for (int fd : {stop_, data_, dropped_file_})
      if (fd >= 0) close(fd);
  }

  Status open(const std::string& name, const TapSettings& settings) {
    if (Status status = device_.open(name, settings); !status.ok()) return status;
    // Of this network namespace, if /sys shows it; else the kernel's drops cannot be known.
    const std::string drops = "/sys/class/net/" + name + "/statistics/tx_dropped";
    dropped_file_ = ::open(drops.c_str(), O_RDONLY | O_CLOEXEC);
    dropped_before_ = kernel_drops();
    stop_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    data_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (stop_ < 0 || data_ < 0) return system_error("cannot make an event for " + name, errno);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = 0;
    try {
      thread_ = std::thread([this] { run(); });
    } catch (const std::system_error& failure) {
      error = failure.code().value();
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return error ? system_error("cannot start a thread for " + name, error) : Status();
  }

  uint32_t receive(Batch& batch, uint32_t max, Nanos, LedgerCell& cell) noexcept override {
    batch.count = 0;
    batch.padded = batch.plain = false;
    batch.region = nullptr;
    batch.link = LinkType::ethernet;
    count_lost(cell);
    const FrameRecord* record = queue_.at(&at_);
    if (!record) {
      eventfd_t count;
      (void)eventfd_read(data_, &count);
      waiting_.store(true);
      record = queue_.at(&at_);
      if (!record) return 0;
      waiting_.store(false);
    }
    for (; record && batch.count < max; record = queue_.at(&at_)) {
      Packet& packet = batch.packets[batch.count++];
      packet = {};
      packet.data = const_cast<uint8_t*>(record->data());  // ours until release()
      packet.length = record->length;
      packet.timestamp = record->timestamp;
      cell.bytes += record->length;
      at_ += FrameQueue::size_of(record->length);
    }
    cell.packets += batch.count;
    return batch.count;
  }
  void release(Batch& batch) noexcept override {
    batch.count = 0;
    queue_.release(at_);
  }
  void settle(LedgerCell& cell) noexcept override {
    count_lost(cell);
    const uint64_t drops = kernel_drops() - dropped_before_;
    count(cell, drops - dropped_told_);
    dropped_told_ = drops;
  }
  int wait_fd() const noexcept override { return data_; }
  std::string describe() const override {
    return "TAP interface " + device_.name() + ", a reader thread";
  }

 private:
  static void count(LedgerCell& cell, uint64_t lost) noexcept {
    cell.packets += lost;
    cell.drop(Drop::kernel, lost);
  }
  void count_lost(LedgerCell& cell) noexcept {
    const uint64_t lost = lost_.load(std::memory_order_relaxed);
    if (lost == lost_told_) return;
    count(cell, lost - lost_told_);
    lost_told_ = lost;
  }
  uint64_t kernel_drops() const noexcept {
    char text[32] = "";
    const ssize_t n = dropped_file_ < 0 ? 0 : pread(dropped_file_, text, sizeof text - 1, 0);
    return n > 0 ? std::strtoull(text, nullptr, 10) : 0;
  }

  void run() noexcept {
    pthread_setname_np(pthread_self(), "tap-reader");
    pollfd fds[] = {{stop_, POLLIN, 0}, {device_.fd(), POLLIN, 0}};
    while (poll(fds, 2, -1) >= 0 || errno == EINTR) {
      if (fds[0].revents) return;
      while (read_one()) continue;
      queue_.commit();
      if (waiting_.load() && waiting_.exchange(false)) (void)eventfd_write(data_, 1);
    }
  }
  // False: nothing more now, or enough for once.
  bool read_one() noexcept {
    uint8_t* to = queue_.reserve(kFrameMax);
    const bool room = to != nullptr;
    const ssize_t n = read(device_.fd(), room ? to : spare_, kFrameMax);
    if (n <= 0) return false;
    if (!room) {
      lost_.store(lost_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      return false;
    }
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    queue_.fill(static_cast<uint32_t>(n),
                static_cast<Nanos>(now.tv_sec) * 1'000'000'000 + static_cast<Nanos>(now.tv_nsec),
                LinkType::ethernet);
    return ++run_ % 64 != 0;
  }

  TapDevice device_;
  FrameQueue queue_;
  uint64_t at_ = 0;
  int stop_ = -1, data_ = -1, dropped_file_ = -1;
  uint64_t dropped_before_ = 0, dropped_told_ = 0, lost_told_ = 0;
  uint32_t run_ = 0;
  std::atomic<bool> waiting_{false};
  std::atomic<uint64_t> lost_{0};
  std::thread thread_;
  uint8_t spare_[kFrameMax];
};

TapSettings settings_of(const Options& options) {
  TapSettings settings;
  settings.mtu = static_cast<uint32_t>(option_integer(options, "mtu"));
  settings.user = option_text(options, "user");
  settings.persist = option_flag(options, "persist");
  return settings;
}

Status open_input(const PortName& name, const Options& options, const PortContext&,
                  std::unique_ptr<Input>* input) {
  auto made = std::make_unique<TapInput>();
  Status status = made->open(name.target, settings_of(options));
  if (status.ok()) *input = std::move(made);
  return status;
}

Status open_output(const PortName& name, const Options& options, const PortContext&,
                   std::unique_ptr<Output>* output) {
  auto sink = std::make_unique<TapSink>();
  Status status = sink->open(name.target, settings_of(options));
  if (!status.ok()) return status;
  const auto bytes = static_cast<uint64_t>(option_integer(options, "buffer")) << 20;
  return QueuedOutput::open(std::move(sink), "tap-writer", bytes, output);
}

}  // namespace

const PortScheme kTapScheme = {
    .scheme = "tap",
    .example = "tap:ids0",
    .as_input =
        "reads what programs of this machine send to a TAP interface, which is made and "
        "brought up",
    .as_output = "makes a TAP interface, brings it up and writes to it: any tool's -i NAME",
    .options = kOptions,
    .open_input = open_input,
    .open_output = open_output,
};

}  // namespace bricks
