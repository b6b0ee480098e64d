#include "ports/spill_output.hh"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

namespace bricks {

namespace {

constexpr auto kAll = [] {
  std::array<Index, kBatchMax> all{};
  for (uint32_t i = 0; i < kBatchMax; ++i) all[i] = static_cast<Index>(i);
  return all;
}();

}  // namespace

SpillOutput::SpillOutput(std::unique_ptr<PipeOutput> pipe, std::shared_ptr<SpillPool> pool)
    : pipe_(std::move(pipe)), pool_(std::move(pool)) {}

SpillOutput::~SpillOutput() {
  if (!entered_) return;
  pool_->hold();
  pool_->leave(queue_);
  pool_->pop(queue_, queue_.packets);
  pool_->release();
}

uint32_t SpillOutput::room(const Batch& batch, const Index* picks, uint32_t count) noexcept {
  const uint32_t room = pipe_->room(batch, picks, count);
  return queue_.packets == 0 || pipe_->stalled() ? room : 0;
}

// The pool is held: the oldest packets go to the ring for as long as they fit.
void SpillOutput::fill_ring(LedgerCell& cell) noexcept {
  while (queue_.packets) {
    Batch& batch = pool_->front(queue_);
    const uint32_t fit = pipe_->fitting(batch, kAll.data(), batch.count, cell);
    if (fit) pipe_->transmit(batch, kAll.data(), fit, false, cell);
    pool_->pop(queue_, fit);
    if (fit < batch.count) return;
  }
}

void SpillOutput::count_held(LedgerCell& cell) noexcept {
  pipe_->settle(cell);  // sets what the ring holds
  cell.spilled = queue_.packets;
  cell.held += queue_.packets;
}

void SpillOutput::drain(LedgerCell& cell) noexcept {
  if (queue_.packets == 0 || !pool_->try_hold()) return;
  fill_ring(cell);
  pool_->release();
}

void SpillOutput::transmit(Batch& batch, const Index* picks, uint32_t count, bool exclusive,
                           LedgerCell& cell) noexcept {
  finish_waits_ = false;
  drain(cell);
  const uint32_t fit = queue_.packets ? 0 : pipe_->fitting(batch, picks, count, cell);
  if (fit) pipe_->transmit(batch, picks, fit, exclusive, cell);
  if (fit == count) return;
  uint32_t lost = count - fit;
  if (pool_->try_hold()) {
    if (!entered_) {
      queue_.cell = &cell;
      pool_->enter(queue_);
      entered_ = true;
    }
    for (uint32_t i = fit; i < count; ++i) {
      if (pool_->push(queue_, batch, picks[i])) --lost;
    }
    pool_->release();
  }
  if (lost) cell.drop(pipe_->attached() ? Drop::ring_full : Drop::no_consumer, lost);
  count_held(cell);
}

void SpillOutput::flush(Nanos now, LedgerCell& cell) noexcept {
  drain(cell);
  pipe_->flush(now, cell);
  if (finish_waits_ && queue_.packets == 0) {
    finish_waits_ = false;
    pipe_->finish(cell);
  }
  count_held(cell);
}

void SpillOutput::finish(LedgerCell& cell) noexcept {
  finish_waits_ = queue_.packets != 0;
  if (!finish_waits_) return pipe_->finish(cell);
  count_held(cell);
}

// As PipeOutput::close: a consumer that is reading gets the rest.
void SpillOutput::close(LedgerCell& cell) {
  constexpr int kPatience = 100;  // rounds of 2 ms without progress
  if (entered_) {
    pool_->hold();
    pool_->leave(queue_);
    pool_->release();
    for (int idle = 0; queue_.packets && pipe_->attached() && idle < kPatience; ++idle) {
      const uint32_t before = queue_.packets;
      pool_->hold();
      fill_ring(cell);
      pool_->release();
      pipe_->flush(0, cell);
      if (queue_.packets != before) idle = 0;
      if (queue_.packets) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    cell.drop(Drop::unread, queue_.packets);
    cell.spilled = 0;
    pool_->hold();
    pool_->pop(queue_, queue_.packets);
    pool_->release();
    entered_ = false;
  }
  pipe_->close(cell);
}

std::string SpillOutput::describe() const {
  return pipe_->describe() + ", spills to " + std::to_string(pool_->buffers()) +
         " buffers shared with the engine's other pipes";
}

}  // namespace bricks
