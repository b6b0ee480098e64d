#include "ports/queued_output.hh"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <chrono>
#include <system_error>

namespace bricks {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kQueueMin = 1u << 20;
constexpr auto kPatience = std::chrono::seconds(1);  // closing: a far end that takes nothing
constexpr int kClosingMs = 5;                        // closing: how often to look

void signal_event(int fd) noexcept { (void)eventfd_write(fd, 1); }
void clear_event(int fd) noexcept {
  eventfd_t count;
  (void)eventfd_read(fd, &count);
}

}  // namespace

Status QueuedOutput::open(std::unique_ptr<FrameSink> sink, const char* thread,
                          uint64_t buffer_bytes, std::unique_ptr<Output>* output) {
  const uint64_t bytes = std::bit_ceil(std::max(buffer_bytes, kQueueMin));
  std::unique_ptr<QueuedOutput> made(new QueuedOutput(std::move(sink), bytes));
  made->room_event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  made->work_event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (made->room_event_ < 0 || made->work_event_ < 0) {
    return system_error("cannot make an event for an output's writer", errno);
  }
  // The thread takes no signals; a reader that is gone is an errno to it.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = 0;
  try {
    made->thread_ = std::thread([raw = made.get(), thread] { raw->run(thread); });
  } catch (const std::system_error& failure) {
    error = failure.code().value();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error) return system_error("cannot start an output's writer thread", error);
  *output = std::move(made);
  return {};
}

QueuedOutput::~QueuedOutput() {
  stop();
  if (room_event_ >= 0) ::close(room_event_);
  if (work_event_ >= 0) ::close(work_event_);
}

void QueuedOutput::stop() noexcept {
  if (!thread_.joinable()) return;
  stopping_.store(true);
  signal_event(work_event_);
  thread_.join();
}

void QueuedOutput::run(const char* name) noexcept {
  pthread_setname_np(pthread_self(), name);
  std::vector<pollfd> fds;
  Clock::time_point moved_at;
  bool closing = false;
  for (;;) {
    const uint64_t seen = queue_.committed();
    const FrameNews news{finished_.load(), stopping_.load(), lossless_.load(), link_.load(),
                         missed_.load(std::memory_order_relaxed)};
    // Before the work: a thread that had no turn for long tries once more.
    const auto now = news.stopping ? Clock::now() : Clock::time_point();
    const bool moved = sink_->work(queue_, news, tally_);
    if (moved && armed_.load() && armed_.exchange(false)) signal_event(room_event_);
    if (news.stopping) {
      if (moved || !closing)
        moved_at = now;  // patience begins with the end, not with the last sleep
      closing = true;
      if (sink_->done(queue_) || now - moved_at > kPatience) break;
    }
    if (moved) continue;
    asleep_.store(true);
    if (queue_.committed() == seen) {
      fds.clear();
      fds.push_back({work_event_, POLLIN, 0});
      int longest = sink_->sleep_on(fds);
      if (news.stopping) longest = kClosingMs;
      if (poll(fds.data(), fds.size(), longest) > 0 && fds[0].revents) clear_event(work_event_);
    }
    asleep_.store(false);
  }
  sink_->end(queue_, tally_);
}

uint32_t QueuedOutput::room(const Batch& batch, const Index* picks, uint32_t count) noexcept {
  if (!lossless_.load(std::memory_order_relaxed)) lossless_.store(true);
  if (link_.load(std::memory_order_relaxed) < 0 && sink_->carries(batch.link)) {
    link_.store(static_cast<int32_t>(batch.link));
    signal_event(work_event_);  // whoever waits for the header may have it
  }
  if (stalled_) return count;  // transmit drops what does not fit
  const bool awaited = !met_ && !sink_->ready();
  if (awaited != awaited_.load(std::memory_order_relaxed)) awaited_.store(awaited);
  if (awaited) return 0;
  if (!sink_->ready()) return count;
  met_ = true;
  const uint32_t fitting = queue_.fitting(batch, picks, count);
  if (fitting < count) full_ = true;
  return fitting;
}

void QueuedOutput::transmit(Batch& batch, const Index* picks, uint32_t count, bool /*exclusive*/,
                            LedgerCell& cell) noexcept {
  if (count == 0) return;
  if (finished_.load(std::memory_order_relaxed)) finished_.store(false);
  if (!sink_->carries(batch.link)) return cell.drop(Drop::link_type, count);
  if (const auto link = static_cast<int32_t>(batch.link);
      link_.load(std::memory_order_relaxed) != link) {
    link_.store(link, std::memory_order_relaxed);
  }
  if (!sink_->ready()) return cell.drop(Drop::no_consumer, count);
  met_ = true;
  const uint32_t longest = sink_->frame_max();
  uint32_t put = 0, oversize = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (batch.packets[picks[i]].length > longest) {
      ++oversize;
    } else if (queue_.put(batch, picks[i])) {
      ++put;
    } else {
      const uint32_t left = count - i;
      cell.drop(stalled_ ? Drop::stalled : sink_->full(), left);
      missed_.store(missed_.load(std::memory_order_relaxed) + left, std::memory_order_relaxed);
      break;
    }
  }
  if (oversize) cell.drop(Drop::oversize, oversize);
  queue_.commit();
  taken_ += put;
  cell.held = taken_ - settled_;
}

void QueuedOutput::settle(LedgerCell& cell) noexcept {
  const uint64_t delivered = tally_.delivered.load(std::memory_order_acquire);
  const uint64_t bytes = tally_.delivered_bytes.load(std::memory_order_acquire);
  cell.delivered += delivered - delivered_;
  cell.delivered_bytes += bytes - delivered_bytes_;
  settled_ += delivered - delivered_;
  delivered_ = delivered;
  delivered_bytes_ = bytes;
  for (uint32_t i = 0; i < kDropReasonCount; ++i) {
    const uint64_t dropped = tally_.dropped[i].load(std::memory_order_acquire);
    if (dropped == dropped_[i]) continue;
    cell.dropped[i] += dropped - dropped_[i];
    settled_ += dropped - dropped_[i];
    dropped_[i] = dropped;
  }
  cell.held = taken_ - settled_;
}

void QueuedOutput::wake() noexcept {
  if (asleep_.load() && asleep_.exchange(false)) signal_event(work_event_);
}

void QueuedOutput::flush(Nanos now, LedgerCell& cell) noexcept {
  if (queue_.committed() != flushed_) {
    flushed_ = queue_.committed();
    wake();
  }
  if (taken_ == settled_ && !full_) return;
  const uint64_t before = settled_;
  settle(cell);
  watch_stall(now, settled_ != before);
}

// A far end that is there and takes nothing holds a lossless replay up so long and not longer.
void QueuedOutput::watch_stall(Nanos now, bool moved) noexcept {
  if (moved || !full_) {
    full_ = stalled_ = false;
    full_since_ = 0;
    return;
  }
  if (full_since_ == 0 || now < full_since_) full_since_ = now;
  if (now - full_since_ > uint64_t{kLosslessStallMs} * 1'000'000) stalled_ = true;
}

std::string QueuedOutput::describe() const {
  return sink_->describe() + (awaited_.load() ? "; a replay waits for its first reader" : "");
}

void QueuedOutput::finish(LedgerCell& cell) noexcept {
  if (!finished_.exchange(true)) {
    met_ = false;  // what comes after this waits for its reader again
    signal_event(work_event_);
  }
  settle(cell);
}

void QueuedOutput::close(LedgerCell& cell) {
  stop();
  settle(cell);
}

void QueuedOutput::arm_wait() noexcept {
  clear_event(room_event_);
  armed_.store(true);
}

}  // namespace bricks
