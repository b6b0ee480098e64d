// A pipe that spills: what its ring has no room for waits in the engine's spill pool and goes to
// the ring before anything newer does. To everybody else it is the pipe itself.
#pragma once

#include <memory>
#include <string>

#include "ports/pipe_output.hh"
#include "ports/spill_pool.hh"

namespace bricks {

class SpillOutput final : public Output {
 public:
  SpillOutput(std::unique_ptr<PipeOutput> pipe, std::shared_ptr<SpillPool> pool);
  ~SpillOutput() override;

  // For lossless inputs nothing is spilled: they wait.
  uint32_t room(const Batch& batch, const Index* picks, uint32_t count) noexcept override;
  void transmit(Batch& batch, const Index* picks, uint32_t count, bool exclusive,
                LedgerCell& cell) noexcept override;
  void flush(Nanos now, LedgerCell& cell) noexcept override;
  void finish(LedgerCell& cell) noexcept override;
  void close(LedgerCell& cell) override;
  int wait_fd() const noexcept override { return pipe_->wait_fd(); }
  void arm_wait() noexcept override { pipe_->arm_wait(); }
  bool awaits_room() const noexcept override { return queue_.packets != 0; }
  std::string describe() const override;
  const PipeOutput* pipe() const noexcept override { return pipe_.get(); }

 private:
  void drain(LedgerCell& cell) noexcept;
  void count_held(LedgerCell& cell) noexcept;
  void fill_ring(LedgerCell& cell) noexcept;

  std::unique_ptr<PipeOutput> pipe_;
  std::shared_ptr<SpillPool> pool_;
  SpillQueue queue_;
  bool entered_ = false;
  bool finish_waits_ = false;  // the input has ended, the queue has not
};

}  // namespace bricks
