#include "plugins/script_worker.hh"

#include <sched.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "plugins/script_wait.hh"

namespace bricks {

namespace {

constexpr uint64_t kSpinNs = 50000;     // of an engine that waits, before it sleeps
constexpr uint64_t kSleepNs = 5000000;  // between two looks whether the script is still there
constexpr uint32_t kSpinsPerClock = 256;

// A context is a number of this epoch's thread: 24 bits, and 8 of the epoch. Never null.
void* context_of(uint32_t number, uint32_t epoch) noexcept {
  return reinterpret_cast<void*>(uintptr_t{1} << 32 | (epoch & 0xff) << 24 | number);
}

}  // namespace

ScriptWorker::ScriptWorker(ScriptHost& host, uint32_t id, std::shared_ptr<ScriptRing> ring)
    : host_(host), id_(id), ring_(std::move(ring)) {
  if (!host_.settings().waits) later_ = std::make_unique<ScriptLater>();
  children_.reserve(kScriptChildrenMax);
}

uint32_t ScriptWorker::context_number(const void* context, uint32_t epoch) const noexcept {
  const uintptr_t value = reinterpret_cast<uintptr_t>(context);
  return value && (value >> 24 & 0xff) == (epoch & 0xff) ? value & 0xffffff : 0;
}

int ScriptWorker::handle(bricks_event* events, uint32_t count, uint32_t* at) noexcept {
  const uint32_t epoch = host_.running();
  if (!epoch) return alone(events, count, at);
  if (ring_->epoch() != epoch) {
    ring_->reset(epoch);
    heard_ = 0;
    if (later_) later_->clear();
  }
  return later_ ? tell(events, count, at, epoch) : converse(events, count, at, epoch);
}

// Nobody answers: packets go on by the plugin's policy.
int ScriptWorker::alone(bricks_event* events, uint32_t count, uint32_t* at) noexcept {
  const uint32_t policy = host_.settings().on_error;
  for (*at = 0; *at < count; ++*at) {
    bricks_event& event = events[*at];
    if (policy == 1 && event.packet) host_.calls()->drop_packet(event.session);
    if (policy == 2 && event.type != BRICKS_EVENT_CLOSING) host_.calls()->kill(event.session);
  }
  host_.count(ScriptFigure::script_lost, count);
  return 0;
}

int ScriptWorker::converse(bricks_event* events, uint32_t count, uint32_t* at,
                           uint32_t epoch) noexcept {
  uint32_t begin = 0;
  while (begin < count) {
    bricks_event* first = events + begin;
    const uint32_t posted = ring_->post({first, count - begin}, host_.definition().wants);
    for (uint32_t i = 0; i < posted; ++i)
      ring_->posted_record(posted - i).context = context_number(*first[i].context, epoch);
    ring_->publish();
    host_.wake();
    uint32_t done = 0;
    *at = 0;
    const Outcome outcome = wait(first, posted, at, epoch, &done);
    const bool failed = outcome == Outcome::failed;
    take_back(first, std::min(done + failed, posted), posted, at, epoch);
    if (failed) {
      *at = begin + done;
      return -1;
    }
    begin += done;
    if (outcome == Outcome::gone) {
      const int result = alone(events + begin, count - begin, at);
      *at = count;
      return result;
    }
  }
  *at = count;
  return 0;
}

ScriptWorker::Outcome ScriptWorker::wait(bricks_event* events, uint32_t count, uint32_t* at,
                                         uint32_t epoch, uint32_t* done) noexcept {
  const uint64_t begin = monotonic_ns();
  const uint64_t most = uint64_t{host_.settings().timeout_ms} * 1000000;
  uint64_t last = begin;
  bool over = false;
  const int core = sched_getcpu();
  host_.engine_core.store(core, std::memory_order_relaxed);
  for (uint32_t spins = 1;; ++spins) {
    bool failed = false;
    uint32_t more = 0;
    if (!ring_->progress(&more, &failed)) {
      host_.overrun(epoch, "it counts events that nobody has sent");
      return Outcome::gone;
    }
    *done += more;
    if (failed) return Outcome::failed;
    if (*done == count) return Outcome::done;
    ScriptRequest request;
    if (ring_->asked(&request)) {
      *at = *done + request.event;
      if (request.event < count - *done)
        serve(&request, events[*at]);
      else
        request.code = BRICKS_EINVAL;
      ring_->answer(request);
      last = monotonic_ns();
    } else if (spins % kSpinsPerClock &&
               host_.script_core.load(std::memory_order_relaxed) != core) {
      relax();
      continue;
    }
    if (host_.running() != epoch) return Outcome::gone;
    const uint64_t now = monotonic_ns();
    if (now - begin > most) {
      if (!std::exchange(over, true)) continue;  // it may have answered while we had no turn
      *done += ring_->position();
      host_.overrun(epoch, "no answer within " + std::to_string(host_.settings().timeout_ms) +
                               " ms (timeout_ms), in a callback for a session's event");
      return Outcome::failed;
    }
    const bool shared = host_.script_core.load(std::memory_order_relaxed) == core;
    if (shared || now - last > kSpinNs) ring_->sleep(std::min(kSleepNs, most));
  }
}

void ScriptWorker::take_back(bricks_event* events, uint32_t count, uint32_t of, uint32_t* at,
                             uint32_t epoch) noexcept {
  for (uint32_t i = 0; i < count; ++i) {
    // A script that is given up may be writing still.
    ScriptRecord& record = ring_->posted_record(of - i);
    const uint32_t number = std::atomic_ref(record.context).load(std::memory_order_relaxed);
    const uint32_t verdict = std::atomic_ref(record.verdict).load(std::memory_order_relaxed);
    *events[i].context =
        number && number < kScriptContextsMax ? context_of(number, epoch) : nullptr;
    if (verdict & kScriptDrop) {
      *at = i;
      host_.calls()->drop_packet(events[i].session);
    }
  }
}

int ScriptWorker::tell(bricks_event* events, uint32_t count, uint32_t* at,
                       uint32_t epoch) noexcept {
  uint32_t done = 0;
  bool failed = false;
  const uint64_t now = monotonic_ns();
  if (!ring_->progress(&done, &failed)) {
    host_.overrun(epoch, "it counts events that nobody has sent");
    return alone(events, count, at);
  }
  if (done || !ring_->waiting() || !heard_) heard_ = now;
  if (now - heard_ > uint64_t{host_.settings().timeout_ms} * 1000000) {
    host_.overrun(epoch, "no event dealt with for " + std::to_string(host_.settings().timeout_ms) +
                             " ms (timeout_ms)");
    return alone(events, count, at);
  }
  if (const uint32_t late = later_->collect()) host_.count(ScriptFigure::script_late, late);
  int result = 0;
  uint32_t some = 0;
  for (; some < count && !later_->empty() && result == 0; some += result == 0) {
    *at = some;
    ScriptLater::Entry entry;
    while (result == 0 && later_->take(events[some].session->flow->id, &entry))
      result = apply(entry, events[some]);
  }
  if (result == 0) some = count;
  const uint32_t posted = ring_->post({events, some}, host_.definition().wants);
  ring_->publish();
  host_.wake();
  if (posted < some) host_.count(ScriptFigure::script_lost, some - posted);
  *at = some;
  return result;
}

// Not 0: the event counts as failed.
int ScriptWorker::apply(const ScriptLater::Entry& entry, bricks_event& event) noexcept {
  if (entry.call == ScriptCall::fail) return -1;
  if (entry.call == ScriptCall::drop && !event.packet) {
    host_.count(ScriptFigure::script_late, 1);
    return 0;
  }
  ScriptRequest request;
  request.call = static_cast<uint32_t>(entry.call);
  request.session = entry.session;
  request.a = entry.a;
  request.b = entry.b;
  serve(&request, event);
  return 0;
}

int ScriptWorker::ask_later(const ScriptRequest& request) noexcept {
  switch (static_cast<ScriptCall>(request.call)) {
    case ScriptCall::detach:
    case ScriptCall::take_over:
    case ScriptCall::drop:
    case ScriptCall::add_group:
    case ScriptCall::remove_group:
    case ScriptCall::set_output:
    case ScriptCall::kill:
    case ScriptCall::fail:
      break;
    default:
      return BRICKS_ENOTSUP;
  }
  const ScriptLater::Entry entry{request.session, static_cast<ScriptCall>(request.call), request.a,
                                 request.b};
  return later_->put(entry) ? BRICKS_DONE : BRICKS_ENOMEM;
}

void ScriptWorker::free_context(void* context) noexcept {
  const uint32_t number = context_number(context, host_.running());
  const uint32_t put = freed_put_.load(std::memory_order_relaxed);
  if (!number || put - freed_taken_.load(std::memory_order_acquire) >= kFreed) return;
  freed_[put % kFreed].store(number, std::memory_order_relaxed);
  freed_put_.store(put + 1, std::memory_order_release);
}

uint32_t ScriptWorker::take_freed(uint32_t* numbers, uint32_t room) noexcept {
  const uint32_t put = freed_put_.load(std::memory_order_acquire);
  uint32_t taken = freed_taken_.load(std::memory_order_relaxed), count = 0;
  for (; taken != put && count < room; ++taken, ++count)
    numbers[count] = freed_[taken % kFreed].load(std::memory_order_relaxed);
  freed_taken_.store(taken, std::memory_order_release);
  return count;
}

}  // namespace bricks
