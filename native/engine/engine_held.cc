// The engine's own thread: batches that wait for room, and packets that bricks hold.
#include <poll.h>

#include <algorithm>

#include "engine/engine.hh"

namespace bricks {

namespace {

constexpr uint32_t kReleasesPerBreath = 8;  // batches, before control and inputs get their turn
constexpr Nanos kLookAgain = 1000000;

}  // namespace

bool Engine::resume() noexcept {
  const bool complete = unfinished_.plan->transmit(*unfinished_.batch, true);
  active_->flush(wall_clock(), true);  // knows every output that is still there
  if (!complete) return false;
  settle_unfinished();
  return true;
}

void Engine::settle_unfinished() noexcept {
  if (unfinished_.input) unfinished_.input->release(*unfinished_.batch);
  if (unfinished_.brick) unfinished_.brick->recycle(*unfinished_.batch);
  unfinished_ = {};
  unfinished_done_.store(true, std::memory_order_release);
}

// Releases one batch and hands it to the outputs; false when there was none. What they did not take
// is `unfinished_` afterwards. `patient`: outputs of live inputs are waited for, too.
bool Engine::release_one(Nanos now, bool all, bool patient) noexcept {
  Plan& plan = *active_;
  released_.packet_time = !live_;
  const Plan::Released released = plan.release(released_, now, all, process_hash_seed());
  if (!released.brick) return false;
  unfinished_ = {&plan, &released_, nullptr, released.brick};
  if (plan.transmit(released_, released.lossless || patient)) {
    settle_unfinished();
  } else {
    unfinished_done_.store(false, std::memory_order_relaxed);
  }
  return true;
}

Engine::Due Engine::release_due(Nanos now, bool all, bool* busy) noexcept {
  active_->refresh_sources();
  for (uint32_t i = 0; i < kReleasesPerBreath; ++i) {
    if (!release_one(now, all, false)) return Due::none;
    *busy = true;
    if (unfinished_.plan) return Due::unfinished;
  }
  return active_->due(now, all) ? Due::more : Due::none;
}

// Before bricks leave, or the engine stops (`all`): what they hold goes out by the plan they are
// in. Outputs are waited for as long as one of them makes progress at least every kLosslessStallMs;
// kDrainLiveMs where nothing is lossless, or nobody is there to read; not at all where both. Then,
// with `give_up`, they drop what they have no room for; else it stays where it is.
void Engine::drain(bool all, bool give_up) noexcept {
  Plan& plan = *active_;
  if (!plan.due(0, all)) return;  // at no time
  const bool lossless = std::any_of(plan.inputs.begin(), plan.inputs.end(),
                                    [](const auto& input) { return input->port->lossless(); });
  Nanos since = 0;  // no progress; 0: there was some
  bool waits = true;
  while (unfinished_.plan || release_one(wall_clock(), all, waits)) {
    if (!unfinished_.plan) {
      plan.flush(wall_clock(), true);
      continue;
    }
    const uint64_t before = unfinished_.plan->waiting_in_all();
    if (resume()) {
      since = 0;
      continue;
    }
    const Nanos now = wall_clock();
    if (unfinished_.plan->waiting_in_all() != before || since == 0 || now < since) since = now;
    const bool reader = unfinished_.plan->awaits_reader();
    const uint32_t patience_ms = lossless && reader   ? kLosslessStallMs
                                 : lossless || reader ? kDrainLiveMs
                                                      : 0;
    if (now - since >= Nanos{patience_ms} * 1000000) {
      if (!give_up) return;
      unfinished_.plan->transmit(*unfinished_.batch, false);
      settle_unfinished();
      waits = false;
      continue;
    }
    pollfd fds[kPollMax];
    Nanos longest = kLookAgain;
    const uint32_t count = poll_outputs(fds, 0, &longest);
    const timespec time = {0, static_cast<long>(longest)};
    if (!resume()) ppoll(fds, count, &time, nullptr);
  }
}

}  // namespace bricks
