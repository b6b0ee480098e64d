#include "ports/spill_output.hh"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <thread>

namespace bricks {

namespace {

constexpr auto kAll = [] {
  std::array<Index, kBatchMax> all{};
  for (uint32_t i = 0; i < kBatchMax; ++i) all[i] = static_cast<Index>(i);
  return all;
}();

// vDSO: no system call; a few milliseconds coarse.
uint64_t coarse_clock() noexcept {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

SpillOutput::SpillOutput(std::unique_ptr<PipeOutput> pipe, std::shared_ptr<SpillPool> pool,
                         const SpillPolicy& policy)
    : pipe_(std::move(pipe)), pool_(std::move(pool)), policy_(policy) {}

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
  if (!pool_) return pipe_->transmit(batch, picks, count, exclusive, cell);
  finish_waits_ = false;
  drain(cell);
  const uint32_t fit = queue_.packets ? 0 : pipe_->fitting(batch, picks, count, cell);
  if (fit) pipe_->transmit(batch, picks, fit, exclusive, cell);
  if (fit == count) return;
  // What waits is waited for: newer packets queue up behind it, whatever the reason was.
  // A tool that restarts stops reading before it lets go: with a restart buffer that counts, too.
  const bool restarts = policy_.restart_ms && (pipe_->attached() || consumer_reloads());
  const bool keeps = policy_.always || told_ || queue_.packets || restarts;
  const uint32_t kept = keeps ? keep(batch, picks + fit, count - fit, cell) : 0;
  if (const uint32_t lost = count - fit - kept) {
    const Drop reason = pipe_->attached() ? Drop::ring_full : Drop::no_consumer;
    cell.drop(pipe_->stalled() ? Drop::stalled : reason, lost);
  }
  count_held(cell);
}

bool SpillOutput::within_bound(const Packet& packet) const noexcept {
  if (policy_.buffers == 0) return true;
  const uint32_t need = std::max(1u, (packet.length + kBufferPayload - 1) / kBufferPayload);
  return queue_.buffers + need <= policy_.buffers;
}

// How many of the packets the pool has taken in: the first ones.
uint32_t SpillOutput::keep(const Batch& batch, const Index* picks, uint32_t count,
                           LedgerCell& cell) noexcept {
  if (!pool_->try_hold()) return 0;
  if (!entered_) {
    queue_.cell = &cell;
    pool_->enter(queue_);
    entered_ = true;
  }
  uint32_t kept = 0;
  while (kept < count && within_bound(batch.packets[picks[kept]]) &&
         pool_->push(queue_, batch, picks[kept])) {
    ++kept;
  }
  pool_->release();
  return kept;
}

// One has been there, has left, and its time to come back is not over.
bool SpillOutput::consumer_reloads() const noexcept {
  if (policy_.restart_ms == 0 || pipe_->attached()) return false;
  const uint64_t left_at = pipe_->share()->left_at.load(std::memory_order_relaxed);
  const uint64_t now = coarse_clock();
  if (left_at == 0) return false;
  return now < left_at || now - left_at < uint64_t{policy_.restart_ms} * 1000000;
}

void SpillOutput::look(Nanos now, LedgerCell& cell) noexcept {
  pipe_->look(now, cell);
  reloading_ = consumer_reloads();
  // Nobody has come back: as if the pipe had no queue. What is in its ring stays for the next.
  const bool over =
      queue_.packets && !policy_.always && !told_ && !pipe_->attached() && !reloading_;
  if (!over || !pool_->try_hold()) return;
  cell.drop(Drop::no_consumer, queue_.packets);
  pool_->pop(queue_, queue_.packets);
  pool_->release();
  count_held(cell);
}

void SpillOutput::spill_to(const std::shared_ptr<SpillPool>& pool) noexcept {
  told_ = pool != nullptr;
  if (pool && !pool_) pool_ = pool;
}

void SpillOutput::flush(Nanos now, LedgerCell& cell) noexcept {
  if (!pool_) return pipe_->flush(now, cell);
  drain(cell);
  pipe_->flush(now, cell);
  if (finish_waits_ && queue_.packets == 0) {
    finish_waits_ = false;
    pipe_->finish(cell);
  }
  count_held(cell);
  pipe_->tell_lost(cell.dropped_total());
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
  std::string text = pipe_->describe();
  if (policy_.restart_ms) {
    text += ", waits " + std::to_string(policy_.restart_ms) + " ms for a consumer that reloads";
  }
  if (!policy_.always && !told_) return text;
  const uint32_t most = policy_.buffers ? policy_.buffers : pool_->buffers();
  return text + ", spills to " + std::to_string(most) + " buffers" +
         (policy_.buffers ? "" : " shared with the engine's other pipes");
}

}  // namespace bricks
