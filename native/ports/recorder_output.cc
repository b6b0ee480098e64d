#include "ports/recorder_output.hh"

#include <utility>

namespace bricks {

RecorderOutput::RecorderOutput(std::shared_ptr<Recording> recording)
    : recording_(std::move(recording)) {}

void RecorderOutput::transmit(Batch& batch, const Index* picks, uint32_t count, bool /*exclusive*/,
                              LedgerCell& cell) noexcept {
  if (finished_) recording_->set_finished(finished_ = false);
  const uint32_t kept = recording_->add(batch, picks, count, &cell.delivered_bytes);
  cell.delivered += kept;
  cell.drop(Drop::ring_full, count - kept);
}

void RecorderOutput::finish(LedgerCell& /*cell*/) noexcept {
  recording_->set_finished(finished_ = true);
}

void RecorderOutput::close(LedgerCell& /*cell*/) { recording_->close(); }

std::string RecorderOutput::describe() const {
  return "keeps the last " + std::to_string(recording_->seconds()) + " s in " +
         std::to_string(recording_->bytes() >> 20) + " MiB";
}

}  // namespace bricks
