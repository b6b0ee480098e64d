// A pipe that can spill: what its ring has no room for waits in the engine's spill pool and goes to
// the ring before anything newer does. Always, where it was asked to; while its consumer reloads,
// where the pipe has a restart buffer; else not at all. To everybody else it is the pipe itself.
#pragma once

#include <memory>
#include <string>

#include "ports/pipe_output.hh"
#include "ports/spill_pool.hh"

namespace bricks {

struct SpillPolicy {
  bool always = true;
  uint32_t buffers = 0;     // of the pool, that this pipe may have at most; 0: all of them
  uint32_t restart_ms = 0;  // keep for a consumer that has left so long; 0: no longer than others
};

class SpillOutput final : public Output {
 public:
  // `pool` may be null when the policy needs none.
  SpillOutput(std::unique_ptr<PipeOutput> pipe, std::shared_ptr<SpillPool> pool,
              const SpillPolicy& policy = {});
  ~SpillOutput() override;

  // For lossless inputs nothing is spilled: they wait.
  uint32_t room(const Batch& batch, const Index* picks, uint32_t count) noexcept override;
  // What a pool takes in is not lost.
  uint32_t free_packets(LedgerCell& cell) noexcept override {
    return pool_ ? UINT32_MAX : pipe_->free_packets(cell);
  }
  void transmit(Batch& batch, const Index* picks, uint32_t count, bool exclusive,
                LedgerCell& cell) noexcept override;
  void flush(Nanos now, LedgerCell& cell) noexcept override;
  void finish(LedgerCell& cell) noexcept override;
  void close(LedgerCell& cell) override;
  int wait_fd() const noexcept override { return pipe_->wait_fd(); }
  void arm_wait() noexcept override { pipe_->arm_wait(); }
  bool awaits_room() const noexcept override { return queue_.packets != 0; }
  void look(Nanos now, LedgerCell& cell) noexcept override;
  // A consumer that reloads is waited for.
  bool ready() const noexcept override { return pipe_->ready() || reloading_; }
  void spill_to(const std::shared_ptr<SpillPool>& pool) noexcept override;
  std::string describe() const override;
  const PipeOutput* pipe() const noexcept override { return pipe_.get(); }

 private:
  void drain(LedgerCell& cell) noexcept;
  void count_held(LedgerCell& cell) noexcept;
  void fill_ring(LedgerCell& cell) noexcept;
  uint32_t keep(const Batch& batch, const Index* picks, uint32_t count, LedgerCell& cell) noexcept;
  bool consumer_reloads() const noexcept;
  bool within_bound(const Packet& packet) const noexcept;

  std::unique_ptr<PipeOutput> pipe_;
  std::shared_ptr<SpillPool> pool_;  // null: it never had to spill
  SpillPolicy policy_;
  bool told_ = false;  // by spill_to
  SpillQueue queue_;
  bool entered_ = false;
  bool finish_waits_ = false;  // the input has ended, the queue has not
  bool reloading_ = false;     // as of the last look
};

}  // namespace bricks
