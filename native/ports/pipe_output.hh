// The engine's end of a pipe `x{N`: fills a netmap ring in shared memory that one consumer reads as
// `x}N`. The consumer is never trusted: the only word read back is ring->head, and it is bounded.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "abi/pipe.h"
#include "mem/region.hh"
#include "ports/pipe_directory.hh"
#include "ports/pipe_run.hh"
#include "ports/port.hh"

namespace bricks {

// What a pipe can be asked for, beside its name and size.
struct PipeSettings {
  uint32_t heartbeat_ms =
      kHeartbeatMs;  // a consumer whose heartbeat stops so long is hung; 0: none
  PipeAccess access;
  // Not a byte reaches the ring that is not a packet's own: copies do not run to the line's end.
  bool exact = false;
  uint32_t patience_ms = kLosslessStallMs;  // that a lossless input waits for one who reads not
  std::shared_ptr<Doorbell> doorbell;       // the engine's, rung when a consumer comes or goes
};

class PipeOutput final : public Output {
 public:
  // `name` is the engine's end, "eth3{0". With `shared` the ring lives in that region, and packets
  // of the same region are exchanged, not copied; else the pipe has memory of its own. `directory`
  // may be null: then nobody can find it by name (benchmarks, tests).
  static Status open(const std::string& name, uint32_t slots, std::shared_ptr<Region> shared,
                     PipeDirectory* directory, std::unique_ptr<PipeOutput>* output,
                     const PipeSettings& settings = {});
  ~PipeOutput() override;

  uint32_t room(const Batch& batch, const Index* picks, uint32_t count) noexcept override;
  uint32_t free_packets(LedgerCell& cell) noexcept override;
  void transmit(Batch& batch, const Index* picks, uint32_t count, bool exclusive,
                LedgerCell& cell) noexcept override;
  void publish(Nanos now) noexcept override;
  void flush(Nanos now, LedgerCell& cell) noexcept override;
  void finish(LedgerCell& cell) noexcept override;
  void close(LedgerCell& cell) override;
  int wait_fd() const noexcept override { return share_->space_event; }
  void arm_wait() noexcept override;
  void look(Nanos now, LedgerCell& cell) noexcept override;
  bool ready() const noexcept override { return ready_; }
  std::string describe() const override;
  const PipeOutput* pipe() const noexcept override { return this; }

  // For SpillOutput, on the engine's thread. How many of the picks, from the first on, fit now;
  // looks at what the consumer has given back first, as settle() does for the counts.
  uint32_t fitting(const Batch& batch, const Index* picks, uint32_t count,
                   LedgerCell& cell) noexcept;
  void settle(LedgerCell& cell) noexcept;
  void tell_lost(uint64_t packets) noexcept;  // to the consumer: all that never got in
  bool stalled() const noexcept { return stalled_; }
  bool attached() const noexcept {
    return share_->consumer_pid.load(std::memory_order_relaxed) != 0;
  }

  const std::shared_ptr<PipeShare>& share() const noexcept { return share_; }
  uint32_t slots() const noexcept { return mask_ + 1; }
  // How long its consumer's heartbeat has been silent, in ms, as of the last look; -1: it has none,
  // or nobody is attached. Any thread.
  int64_t silent_ms() const noexcept { return silent_ms_.load(std::memory_order_relaxed); }
  uint64_t faults() const noexcept { return faults_; }  // nonsense seen in ring->head

 private:
  PipeOutput() = default;
  Status lay_out(uint32_t slots, uint32_t pipe_buffers);
  void write_header() noexcept;
  void restore_slot(uint32_t k) noexcept;
  uint32_t free_slots() const noexcept { return mask_ - ((tail_ - head_) & mask_); }
  void watch_stall(Nanos now) noexcept;
  uint32_t count_fitting(const Batch& batch, const Index* picks, uint32_t count) const noexcept;
  void wake_consumer() noexcept;
  void prefetch_slots(uint32_t count) const noexcept;
  void tell_begun(const Batch& batch, const Index* picks, uint32_t count) noexcept;
  bool write_general(const Batch& batch, Index pick) noexcept;

  std::string name_;
  std::shared_ptr<Region> region_;
  bool own_region_ = true;
  std::shared_ptr<PipeShare> share_;
  PipeDirectory* directory_ = nullptr;
  bricks_pipe* pipe_ = nullptr;
  netmap_ring* ring_ = nullptr;
  uint64_t control_offset_ = 0, control_bytes_ = 0;
  std::vector<PipeSent> sent_;
  uint32_t mask_ = 0;
  uint32_t tail_ = 0;         // next slot to fill
  uint32_t widest_ = 1;       // slots, of all packets so far
  uint64_t slots_total_ = 0;  // published since it was made
  uint32_t head_ = 0;         // first slot the consumer has not given back
  // Read by PipeShare::restore on another thread.
  std::atomic<uint32_t> head_seen_{0}, published_{0}, link_seen_{1};
  uint64_t packets_ = 0, packets_read_ = 0;  // packets_ - packets_read_ is held
  LinkType link_ = LinkType::ethernet;
  bool started_ = false;  // a packet was sent, link_ is fixed
  bool unwoken_ = false;  // something was published; the consumer may sleep
  bool stalled_ = false;  // it came and reads no more: a lossless input does not wait for ever
  Nanos full_since_ = 0;  // 0: it is reading, or has room
  uint64_t faults_ = 0;

  // look()
  PipeSettings settings_;
  uint32_t attachments_seen_ = 0;
  uint64_t beat_ = 0;       // the consumer's word, as last read; only that it changes counts
  Nanos beat_changed_ = 0;  // by our own clock: the consumer's may lie
  uint64_t losses_ = 0;     // of this output, at the last look
  Nanos losing_since_ = 0;  // 0: it lost nothing between the last two looks
  bool full_ = false, ready_ = false;
  std::atomic<int64_t> silent_ms_{-1};
};

}  // namespace bricks
