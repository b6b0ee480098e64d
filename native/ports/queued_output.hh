// An output whose far end may make its writer wait: the engine's thread copies frames into a queue,
// a thread of this output's own (and a FrameSink) deals with the system. What has become of each
// frame comes back as counts.
#pragma once

#include <poll.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ports/frame_queue.hh"
#include "ports/port.hh"

namespace bricks {

// Written by the sink's thread alone, read by the engine's.
struct FrameTally {
  std::atomic<uint64_t> delivered{0}, delivered_bytes{0};
  std::array<std::atomic<uint64_t>, kDropReasonCount> dropped{};

  void deliver(uint64_t packets, uint64_t bytes) noexcept {
    add(delivered_bytes, bytes);
    add(delivered, packets);
  }
  void drop(Drop reason, uint64_t packets) noexcept {
    add(dropped[static_cast<uint32_t>(reason)], packets);
  }

 private:
  static void add(std::atomic<uint64_t>& count, uint64_t more) noexcept {
    count.store(count.load(std::memory_order_relaxed) + more, std::memory_order_release);
  }
};

struct FrameNews {  // what the engine's side tells the sink
  bool finished;    // all inputs have ended: what the queue holds is the last, for now
  bool stopping;    // the output is being closed
  bool lossless;    // the engine waits for room: drop nothing because somebody is slow
  int32_t link;     // LinkType of the packets that came by last; -1: none ever did
  uint64_t missed;  // packets that did not get into the queue
};

class FrameSink {
 public:
  virtual ~FrameSink() = default;
  // All on the output's thread but take_warning and describe. Deals with what the queue holds as
  // far as that goes without waiting, accounts for it in `tally`, and releases it. True when
  // anything moved.
  virtual bool work(FrameQueue& queue, const FrameNews& news, FrameTally& tally) noexcept = 0;
  // What to sleep on beside new frames; returns for how many milliseconds, -1: for ever.
  virtual int sleep_on(std::vector<pollfd>& fds) noexcept = 0;
  // Stopping: nothing is left to do here.
  virtual bool done(const FrameQueue& queue) const noexcept { return queue.empty(); }
  // The end of the thread: settles what is left in the queue, closes what is open.
  virtual void end(FrameQueue& queue, FrameTally& tally) noexcept = 0;

  // True while somebody is at the far end. Any thread.
  virtual bool ready() const noexcept { return true; }
  virtual Drop full() const noexcept { return Drop::ring_full; }
  // False: packets of that link type cannot go there. Engine's thread.
  virtual bool carries(LinkType link) const noexcept { return (void)link, true; }
  // Longer frames are dropped as oversize. Engine's thread.
  virtual uint32_t frame_max() const noexcept { return kFrameMax; }
  virtual std::string take_warning() { return {}; }
  virtual std::string describe() const = 0;
};

class QueuedOutput final : public Output {
 public:
  // `thread`: its name, up to 15 bytes. `buffer_bytes` is rounded up to a power of two.
  static Status open(std::unique_ptr<FrameSink> sink, const char* thread, uint64_t buffer_bytes,
                     std::unique_ptr<Output>* output);
  ~QueuedOutput() override;

  uint32_t room(const Batch& batch, const Index* picks, uint32_t count) noexcept override;
  void transmit(Batch& batch, const Index* picks, uint32_t count, bool exclusive,
                LedgerCell& cell) noexcept override;
  void flush(Nanos now, LedgerCell& cell) noexcept override;
  void finish(LedgerCell& cell) noexcept override;
  void close(LedgerCell& cell) override;
  int wait_fd() const noexcept override { return room_event_; }
  void arm_wait() noexcept override;
  bool ready() const noexcept override { return sink_->ready(); }
  std::string take_warning() override { return sink_->take_warning(); }
  std::string describe() const override;

 private:
  QueuedOutput(std::unique_ptr<FrameSink> sink, uint64_t bytes)
      : sink_(std::move(sink)), queue_(bytes) {}
  void run(const char* name) noexcept;
  void sleep(std::vector<pollfd>& fds) noexcept;
  void wake() noexcept;
  void stop() noexcept;
  void settle(LedgerCell& cell) noexcept;
  void watch_stall(Nanos now, bool moved) noexcept;

  std::unique_ptr<FrameSink> sink_;
  FrameQueue queue_;
  FrameTally tally_;
  int room_event_ = -1, work_event_ = -1;
  std::thread thread_;

  uint64_t taken_ = 0, settled_ = 0;  // packets that ever got into the queue, and out
  uint64_t delivered_ = 0, delivered_bytes_ = 0, flushed_ = 0;  // of tally_ in the cell
  std::array<uint64_t, kDropReasonCount> dropped_{};
  bool met_ = false;  // somebody has been there
  bool full_ = false, stalled_ = false;
  Nanos full_since_ = 0;

  std::atomic<bool> finished_{false}, stopping_{false}, lossless_{false};
  std::atomic<int32_t> link_{-1};
  std::atomic<uint64_t> missed_{0};
  std::atomic<bool> asleep_{false}, armed_{false}, awaited_{false};  // awaited_: by a replay
};

}  // namespace bricks
