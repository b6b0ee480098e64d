// The script's thread's side of its host: what there is to do, and waiting for it.
#include <sched.h>

#include <algorithm>
#include <ctime>

#include "plugins/script_wait.hh"
#include "plugins/script_worker.hh"

namespace bricks {

namespace {

constexpr uint64_t kSpinNs = 50000;  // a script without events, before it sleeps
constexpr uint32_t kSpinsPerClock = 128;

}  // namespace

void ScriptHost::wake() noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!sleeps_.load(std::memory_order_relaxed)) return;
  bell_.fetch_add(1, std::memory_order_release);
  futex_wake(bell_);
}

// A worker that is gone: whoever keeps a view of its memory lets go.
bool ScriptHost::learn_workers(ScriptTurn* turn) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (auto known = known_.begin(); known != known_.end(); ++known) {
    if (std::find(workers_.begin(), workers_.end(), *known) != workers_.end()) continue;
    turn->worker = (*known)->id();
    known_.erase(known);
    return false;
  }
  known_ = workers_;
  seen_version_ = version_.load(std::memory_order_acquire);
  return true;
}

bool ScriptHost::take_run(uint32_t epoch, ScriptTurn* turn) noexcept {
  for (size_t tries = 0; tries < known_.size(); ++tries) {
    turn_ = turn_ + 1 < known_.size() ? turn_ + 1 : 0;
    ScriptWorker* worker = known_[turn_].get();
    if (worker->ring()->epoch() != epoch) continue;
    const ScriptRing::Run run = worker->ring()->take();
    if (!run.count) continue;
    taken_ = worker;
    *turn = {worker->id(), run.first, run.count, settings_.waits};
    script_core.store(sched_getcpu(), std::memory_order_relaxed);
    return true;
  }
  return false;
}

ScriptTask ScriptHost::next(uint32_t epoch, uint32_t idle_us, ScriptTurn* turn) {
  const uint64_t begin = monotonic_ns(), most = uint64_t{idle_us} * 1000;
  for (uint32_t spins = 1;; ++spins) {
    if (seen_version_ != version_.load(std::memory_order_acquire)) {
      if (!learn_workers(turn)) return ScriptTask::gone;
      const std::lock_guard<std::mutex> lock(mutex_);
      if (closing_ || epoch != epoch_) return ScriptTask::end;
    }
    if (told_start_ != epoch) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (ready_) {
        told_start_ = epoch;
        return ScriptTask::start;
      }
    } else if (take_run(epoch, turn)) {
      return ScriptTask::events;
    }
    relax();
    const bool alone = engine_core.load(std::memory_order_relaxed) != sched_getcpu();
    if (alone && spins % kSpinsPerClock) continue;
    const uint64_t waited = monotonic_ns() - begin;
    if (waited > most) return ScriptTask::idle;
    if (alone && waited < kSpinNs) continue;
    const uint32_t bell = bell_.load(std::memory_order_relaxed);
    sleeps_.store(1, std::memory_order_seq_cst);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const bool there = seen_version_ != version_.load(std::memory_order_acquire) ||
                       (told_start_ == epoch && take_run(epoch, turn));
    if (!there) futex_wait(bell_, bell, most - waited);
    sleeps_.store(0, std::memory_order_relaxed);
    if (taken_) return ScriptTask::events;
  }
}

void ScriptHost::finish(uint32_t done, bool failed) noexcept {
  if (!taken_) return;
  taken_->ring()->finish(done, failed);
  taken_ = nullptr;
}

int ScriptHost::ask(ScriptRequest* request) noexcept {
  if (!taken_) return BRICKS_ENOCTX;
  if (!settings_.waits) return taken_->ask_later(*request);
  taken_->ring()->ask(request, running_);
  return request->code;
}

}  // namespace bricks
