// A pipe's consumer as the engine sees it: there or not, alive or hung, keeping up or not.
#include "ports/pipe_output.hh"

namespace bricks {

namespace {

constexpr Nanos kMillisecond = 1000000;

}  // namespace

void PipeOutput::watch_stall(Nanos now) noexcept {
  if (share_->attachments.load(std::memory_order_relaxed) == 0) return;  // yet to come: wait
  // A clock that goes back, or a breath's time that is older than the last look, starts anew.
  if (full_since_ == 0 || now < full_since_) full_since_ = now;
  if (now - full_since_ > uint64_t{settings_.patience_ms} * kMillisecond) stalled_ = true;
}

void PipeOutput::look(Nanos now, LedgerCell& cell) noexcept {
  const bool attached = this->attached();
  const uint32_t attachments = share_->attachments.load(std::memory_order_relaxed);
  const uint64_t losses = cell.dropped_total();
  if (attachments != attachments_seen_) {  // somebody new begins with a clean record
    attachments_seen_ = attachments;
    beat_changed_ = now;
    losses_ = losses;
    losing_since_ = 0;
    full_ = false;
  }
  const uint64_t beat =
      std::atomic_ref<uint64_t>(pipe_->consumer_beat).load(std::memory_order_relaxed);
  if (beat != beat_) {
    beat_ = beat;
    beat_changed_ = now;
  }
  const bool beats = attached && beat != 0;
  const uint64_t silent_ms = now > beat_changed_ ? (now - beat_changed_) / kMillisecond : 0;
  silent_ms_.store(beats ? static_cast<int64_t>(silent_ms) : -1, std::memory_order_relaxed);
  const bool hung = beats && settings_.heartbeat_ms && silent_ms > settings_.heartbeat_ms;

  if (losses == losses_) {
    losing_since_ = 0;
  } else if (losing_since_ == 0) {
    losing_since_ = now;
  }
  losses_ = losses;
  if (losing_since_ && now - losing_since_ >= uint64_t{kOutputFullMs} * kMillisecond) full_ = true;
  // Half empty again: what made it full is over. Before that a drop here and there may be all it
  // takes to be full anew.
  if (full_ && free_slots() > mask_ / 2) full_ = false;
  ready_ = attached && !hung && !full_ && !stalled_;
}

}  // namespace bricks
