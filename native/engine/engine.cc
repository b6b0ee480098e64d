// The engine's own thread: breath, rest and attention.
#include "engine/engine.hh"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <ctime>

#include "ports/doorbell.hh"
#include "ports/spill_pool.hh"

namespace bricks {

namespace {

constexpr Nanos kSpinMax = 50000;  // about one wake-up: cheaper than a sleep that ends sooner
constexpr Nanos kSpinStep = 1000;
constexpr uint64_t kFlushAllBreaths = 64;
constexpr Nanos kSleepMax = 100000000;
constexpr Nanos kLookEvery = uint64_t{kOutputLookMs} * 1000000;
constexpr Nanos kSleepDraining = 1000000;

Nanos monotonic_clock() noexcept {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<Nanos>(now.tv_sec) * 1000000000 + static_cast<Nanos>(now.tv_nsec);
}

void relax() noexcept {
#if defined(__x86_64__)
  for (int i = 0; i < 32; ++i) __builtin_ia32_pause();
#endif
}

}  // namespace

Nanos Engine::wall_clock() noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<Nanos>(now.tv_sec) * 1000000000 + static_cast<Nanos>(now.tv_nsec);
}

void Engine::run() noexcept {
  if (options_.cpu >= 0) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(static_cast<size_t>(options_.cpu), &cores);
    pthread_setaffinity_np(pthread_self(), sizeof cores, &cores);
  }
  stop_ = false;
  idle_since_ = 0;
  spin_ = kSpinMax;
  while (true) {
    if (attention_.load(std::memory_order_acquire)) {
      attend();
      if (stop_) return;
    }
    const Nanos now = wall_clock();
    if (context_.doorbell->answer() || now - looked_at_ > kLookEvery) look(now);
    const bool busy = breathe(now);
    ++breaths_;
    if (busy) {
      idle_since_ = 0;
    } else {
      rest(now);
    }
  }
}

void Engine::attend() noexcept {
  std::lock_guard lock(mutex_);
  attention_.store(false, std::memory_order_relaxed);
  if (!request_.open) return;
  for (const auto& input : active_->inputs) input->port->settle(input->cell);
  if (request_.next) adopt(request_.next);
  if (request_.stop) drain(true, false);
  look(wall_clock());
  active_->flush(wall_clock(), true);
  if (request_.look) (*request_.look)(*active_);
  if (request_.cells) copy_cells(*request_.cells);
  if (request_.stop) stop_ = true;
  request_ = {};
  answered_.notify_all();
}

// A batch that is not through stays with the plan it was routed by, for outputs that both know.
void Engine::adopt(Plan* next) noexcept {
  const auto stays = [next](const std::shared_ptr<OutputSlot>& slot) {
    return std::find(next->outputs.begin(), next->outputs.end(), slot) != next->outputs.end();
  };
  active_->prepare_leaving(*next);
  drain(false, true);
  if (unfinished_.plan) {
    for (const auto& output : unfinished_.plan->outputs) {
      if (!stays(output)) unfinished_.plan->abandon(*output);
    }
  }
  active_ = next;
  active_->introduce_sources();
  first_input_ = 0;
  said_finished_ = false;
  drained_.store(false);
}

// A wall clock that is set back makes one look more, no less.
void Engine::look(Nanos now) noexcept {
  looked_at_ = now;
  active_->watch.look(monotonic_clock());
}

void Engine::copy_cells(EngineCells& cells) noexcept {
  for (size_t i = 0; i < active_->inputs.size(); ++i) {
    cells.inputs[i] = active_->inputs[i]->cell;
    cells.finished[i] = active_->inputs[i]->port->finished();
  }
  for (size_t i = 0; i < active_->bricks.size(); ++i) {
    cells.bricks[i] = active_->bricks[i]->cell;
    FigureSet& figures = cells.figures[i];
    figures.count = active_->bricks[i]->brick->figures(figures.all.data());
  }
  for (uint32_t i = 0; i < active_->outputs.size(); ++i) {
    cells.outputs[i] = active_->outputs[i]->cell;
    cells.ready[i] = active_->outputs[i]->port->ready();
    const Plan* waiting = unfinished_.plan;
    for (uint32_t k = 0; waiting && k < waiting->outputs.size(); ++k) {
      if (waiting->outputs[k] == active_->outputs[i]) cells.outputs[i].held += waiting->waiting(k);
    }
  }
  if (active_->fragments) {
    cells.fragments.count = active_->fragments->figures(cells.fragments.all.data());
  }
  drains_.count();
  cells.breaths = breaths_;
  const std::shared_ptr<SpillPool>& pool = context_.spills->there();
  cells.spill_free = pool ? pool->free_buffers() : 0;
  cells.sessions = sessions_->counts();
}

// One batch of an input, through to the outputs. False when they could not take all of it.
bool Engine::take_in(Plan& plan, uint32_t input, Nanos now, bool* busy) noexcept {
  InputSlot& slot = *plan.inputs[input];
  slot.batch.count = 0;
  if (slot.port->receive(slot.batch, options_.batch, now, slot.cell) == 0) {
    slot.source.empty_at = now;
    return true;
  }
  *busy = true;
  slot.source.latest = slot.batch.packets[slot.batch.count - 1].timestamp;
  slot.batch.now = now;
  slot.batch.packet_time = !live_;
  // Sessions of captures live by the time of their packets, which stands still without any.
  if (!live_) sessions_->tick(slot.batch.packets[0].timestamp);
  plan.route(input, process_hash_seed());
  if (!plan.transmit(slot.batch, slot.port->lossless())) {
    unfinished_ = {&plan, &slot.batch, slot.port.get(), nullptr};
    unfinished_done_.store(false, std::memory_order_relaxed);
    return false;
  }
  slot.port->release(slot.batch);
  return true;
}

bool Engine::breathe(Nanos now) noexcept {
  if (unfinished_.plan && !resume()) return false;
  Plan& plan = *active_;
  const auto count = static_cast<uint32_t>(plan.inputs.size());
  bool busy = false;
  live_ = has_live_input();
  if (live_) sessions_->tick(now);
  if (plan.holding()) {
    for (const auto& input : plan.inputs) input->source.ended = input->port->finished();
  }
  // What is due goes first, or a packet that came later might overtake it.
  bool go_on = !plan.holding() || release_due(now, ended(), &busy) == Due::none;
  for (uint32_t turn = 0; go_on && turn < count; ++turn) {
    const uint32_t i =
        first_input_ + turn < count ? first_input_ + turn : first_input_ + turn - count;
    InputSlot& input = *plan.inputs[i];
    input.source.ended = input.port->finished();
    if (input.source.ended) continue;
    if (input.port->lossless() && !plan.wants(input.source)) continue;
    bool came = false;
    go_on = take_in(plan, i, now, &came);
    if (came && go_on && plan.holding()) go_on = release_due(now, false, &busy) == Due::none;
    busy |= came;
    if (!go_on) first_input_ = i + 1 < count ? i + 1 : 0;
  }
  if (busy) plan.flush(now, breaths_ % kFlushAllBreaths == 0);
  return busy;
}

bool Engine::has_live_input() const noexcept {
  return std::any_of(active_->inputs.begin(), active_->inputs.end(),
                     [](const auto& input) { return !input->port->lossless(); });
}

bool Engine::ended() const noexcept {
  return !active_->inputs.empty() &&
         std::all_of(active_->inputs.begin(), active_->inputs.end(),
                     [](const auto& input) { return input->port->finished(); });
}

bool Engine::check_drained() noexcept {
  if (unfinished_.plan || !ended() || holds()) return false;
  if (!said_finished_) {
    said_finished_ = true;
    for (const auto& output : active_->outputs) output->port->finish(output->cell);
    active_->finish_taps();
  }
  const bool empty = std::all_of(active_->outputs.begin(), active_->outputs.end(),
                                 [](const auto& output) { return output->cell.held == 0; });
  if (empty && !drained_.load(std::memory_order_relaxed)) {
    std::lock_guard lock(mutex_);
    drained_.store(true);
    drained_changed_.notify_all();
  }
  return true;
}

void Engine::rest(Nanos now) noexcept {
  if (idle_since_ == 0) {
    idle_since_ = now;
    active_->flush(now, true);
  }
  if (now - idle_since_ < spin_) {
    relax();
    return;
  }
  active_->flush(now, true);
  if (!options_.busy || unfinished_.plan) return sleep(now);
  if (!check_drained()) idle_since_ = now;
  relax();
}

// Adds what tells that outputs of the unfinished batch have room again.
uint32_t Engine::poll_outputs(pollfd* fds, uint32_t count, Nanos* longest) noexcept {
  Plan& plan = *unfinished_.plan;
  for (uint32_t i = 0; i < plan.outputs.size() && count < kPollMax; ++i) {
    if (plan.waiting(i) == 0) continue;
    Output& port = *plan.outputs[i]->port;
    if (port.wait_fd() < 0) *longest = std::min(*longest, kSleepDraining);
    port.arm_wait();
    fds[count++] = {port.wait_fd(), POLLIN, 0};
  }
  return count;
}

// Until an input has something, an output we wait for has room, a pace says go, or control asks.
void Engine::sleep(Nanos now) noexcept {
  const bool finished = check_drained();
  Nanos longest =
      finished && !drained_.load(std::memory_order_relaxed) ? kSleepDraining : kSleepMax;
  pollfd fds[kPollMax];
  uint32_t count = 0;
  fds[count++] = {wake_event_, POLLIN, 0};
  if (unfinished_.plan) {
    count = poll_outputs(fds, count, &longest);
    active_->flush(now, true);
    if (resume()) return;  // came in before arm_wait was seen
  } else {
    if (const Nanos due = active_->due_at()) longest = std::min(longest, due > now ? due - now : 0);
    for (const auto& input : active_->inputs) {
      if (input->port->finished() || (input->port->lossless() && !active_->wants(input->source)))
        continue;
      if (const Nanos wake = input->port->wake_at()) {
        longest = std::min(longest, wake > now ? wake - now : 0);
      } else if (input->port->wait_fd() < 0) {
        longest = 0;
      } else if (count < kPollMax) {
        fds[count++] = {input->port->wait_fd(), POLLIN, 0};
      } else {
        longest = std::min(longest, kSleepDraining);
      }
    }
    for (const auto& output : active_->outputs) {
      if (!output->port->awaits_room()) continue;
      output->port->arm_wait();
      if (count < kPollMax && output->port->wait_fd() >= 0) {
        fds[count++] = {output->port->wait_fd(), POLLIN, 0};
      } else {
        longest = std::min(longest, kSleepDraining);
      }
    }
    // What the consumer gave back before arm_wait raises no event: one more look.
    active_->flush(now, true);
  }
  const timespec time = {static_cast<time_t>(longest / 1000000000),
                         static_cast<long>(longest % 1000000000)};
  const Nanos asleep_at = wall_clock();
  const int news = ppoll(fds, count, &time, nullptr);
  // A device that hands over whole blocks comes long after any spin, a pipe's other end within it.
  const bool soon = wall_clock() - asleep_at < kSpinMax;
  spin_ = soon ? std::min(kSpinMax, spin_ * 2 + kSpinStep) : spin_ / 2;
  if (news > 0 && (fds[0].revents & POLLIN)) {
    uint64_t ignored;
    [[maybe_unused]] const ssize_t got = read(wake_event_, &ignored, sizeof ignored);
  }
  if (!finished) idle_since_ = 0;
}

}  // namespace bricks
