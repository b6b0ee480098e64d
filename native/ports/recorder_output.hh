// What an engine hands packets to that are to be recorded: its end of a Recording.
#pragma once

#include <memory>

#include "ports/port.hh"
#include "ports/recording.hh"

namespace bricks {

class RecorderOutput final : public Output {
 public:
  explicit RecorderOutput(std::shared_ptr<Recording> recording);
  void transmit(Batch& batch, const Index* picks, uint32_t count, bool exclusive,
                LedgerCell& cell) noexcept override;
  void finish(LedgerCell& cell) noexcept override;
  void close(LedgerCell& cell) override;
  std::string describe() const override;
  const std::shared_ptr<Recording>& recording() const noexcept { return recording_; }

 private:
  std::shared_ptr<Recording> recording_;
  bool finished_ = false;
};

}  // namespace bricks
