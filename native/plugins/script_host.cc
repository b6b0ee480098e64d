#include "plugins/script_host.hh"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>

#include "plugins/script_wait.hh"
#include "plugins/script_worker.hh"

namespace bricks {

namespace {

using std::chrono::milliseconds;

struct Registry {
  std::mutex mutex;
  std::map<uint64_t, std::weak_ptr<ScriptHost>> hosts;
  std::shared_ptr<ScriptStarter> starter;
  uint64_t last_id = 0;
};
Registry& registry() {
  static Registry* all = new Registry;  // threads may outlive main's statics
  return *all;
}

std::shared_ptr<ScriptStarter> starter() {
  const std::lock_guard<std::mutex> lock(registry().mutex);
  return registry().starter;
}

constexpr const char* kEnded = "its thread has ended: does it call process.exit()?";

}  // namespace

void serve_scripts(std::shared_ptr<ScriptStarter> given) {
  const std::lock_guard<std::mutex> lock(registry().mutex);
  registry().starter = std::move(given);
}

bool ScriptDefinition::same_as(const ScriptDefinition& other) const {
  const auto same = [](const ScriptOption& a, const ScriptOption& b) {
    return a.name == b.name && a.type == b.type && a.preset == b.preset &&
           a.has_preset == b.has_preset;
  };
  return events == other.events && protocols == other.protocols &&
         wants.frame == other.wants.frame && wants.payload == other.wants.payload &&
         figures == other.figures &&
         std::equal(options.begin(), options.end(), other.options.begin(), other.options.end(),
                    same);
}

Status ScriptHost::open(ScriptSettings settings, std::shared_ptr<ScriptHost>* host) {
  const auto made = std::make_shared<ScriptHost>();
  made->settings_ = std::move(settings);
  {
    const std::lock_guard<std::mutex> lock(registry().mutex);
    made->id_ = ++registry().last_id;
    registry().hosts[made->id_] = made;
  }
  std::unique_lock<std::mutex> lock(made->mutex_);
  Status status = made->begin(lock);
  if (status.ok()) {
    made->changed_.wait_for(lock, milliseconds(kScriptStartMs),
                            [&] { return made->described_ || made->has_failed(); });
    if (!made->described_) {
      std::string why = made->failure_;
      if (why.empty() && made->gone_) why = made->settings_.path + ": " + kEnded;
      if (why.empty()) {
        why = made->settings_.path + " is not loaded within " +
              std::to_string(kScriptStartMs / 1000) + " s: does it wait at its top level?";
      }
      status = {Code::invalid_argument, made->settings_.name + ": " + why};
    }
  }
  lock.unlock();
  if (!status.ok()) {
    made->close();
    return status;
  }
  made->make_functions();
  *host = made;
  return {};
}

// Another thread, for the next epoch.
Status ScriptHost::begin(std::unique_lock<std::mutex>& lock) {
  const std::shared_ptr<ScriptStarter> by = starter();
  if (!by) {
    return {Code::unsupported, settings_.name + ": " + settings_.path +
                                   " is for JavaScript, which nobody runs in this process; use a "
                                   "plugin in C or Lua, or run it with: bricks"};
  }
  const uint32_t epoch = ++epoch_;
  alive_ = true;
  gone_ = false;
  lock.unlock();
  by->start(id_, epoch, settings_.path, settings_.memory_mb);
  lock.lock();
  return {};
}

std::shared_ptr<ScriptHost> ScriptHost::find(uint64_t id) {
  const std::lock_guard<std::mutex> lock(registry().mutex);
  const auto found = registry().hosts.find(id);
  return found == registry().hosts.end() ? nullptr : found->second.lock();
}

void ScriptHost::close_all() {
  std::vector<std::shared_ptr<ScriptHost>> all;
  {
    const std::lock_guard<std::mutex> lock(registry().mutex);
    for (const auto& [id, host] : registry().hosts)
      if (auto kept = host.lock()) all.push_back(std::move(kept));
  }
  for (const auto& host : all) host->close();
}

ScriptHost::~ScriptHost() {
  const std::lock_guard<std::mutex> lock(registry().mutex);
  registry().hosts.erase(id_);
}

void ScriptHost::close() {
  uint32_t epoch;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closing_) return;
    closing_ = true;
    epoch = alive_ ? epoch_ : 0;
    workers_.clear();
    version_.fetch_add(1, std::memory_order_release);
  }
  running_.store(0, std::memory_order_release);
  wake();
  if (const std::shared_ptr<ScriptStarter> by = starter(); by && epoch) by->stop(id_, epoch, "");
}

Status ScriptHost::describe(uint32_t epoch, ScriptDefinition definition) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (epoch != epoch_ || closing_) return {Code::invalid_argument, "this thread is not wanted"};
  taken_ = nullptr;  // what the thread before had
  if (described_ && !definition.same_as(definition_)) {
    return {Code::invalid_argument,
            settings_.path + " has changed its events, options or figures: reload the list"};
  }
  if (!described_) definition_ = std::move(definition);
  described_ = true;
  changed_.notify_all();
  return {};
}

void ScriptHost::refuse(uint32_t epoch, const std::string& why) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (epoch != epoch_ || running()) return;
  failure_ = why;
  changed_.notify_all();
}

void ScriptHost::started(uint32_t epoch) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (epoch != epoch_ || closing_) return;
  running_.store(epoch, std::memory_order_release);
  changed_.notify_all();
}

void ScriptHost::failed(const std::string& why) {
  const std::lock_guard<std::mutex> lock(mutex_);
  event_failure_ = why;
}

void ScriptHost::gone(uint32_t epoch) noexcept {
  uint32_t expected = epoch;
  running_.compare_exchange_strong(expected, 0);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (epoch != epoch_) return;
  gone_ = true;
  changed_.notify_all();
}

std::string ScriptHost::why() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return event_failure_;
}

int ScriptHost::init(const bricks_start* start) {
  for (const ScriptOption& option : definition_.options) {
    OptionText text{option, ""};
    if (option.type == 'b') text.value = start->flag(start, option.name.c_str()) ? "true" : "false";
    if (option.type == 's') {
      const char* given = start->text(start, option.name.c_str());
      text.value = given ? given : "";
    }
    if (option.type == 'n') {
      char digits[40];
      std::snprintf(digits, sizeof digits, "%.17g", start->number(start, option.name.c_str()));
      text.value = digits;
    }
    options_.push_back(std::move(text));
  }
  std::unique_lock<std::mutex> lock(mutex_);
  calls_ = start->host;
  number_ = start->plugin;
  ready_ = true;
  version_.fetch_add(1, std::memory_order_release);
  wake();
  changed_.wait_for(lock, milliseconds(kScriptStartMs),
                    [&] { return running() != 0 || has_failed(); });
  if (running()) return 0;
  const char* why = gone_ ? kEnded : "its start() does not return";
  start->fail(start, failure_.empty() ? why : failure_.c_str());
  return -1;
}

ScriptWorker* ScriptHost::add_worker(uint32_t worker) {
  const bool waits = settings_.waits;
  std::shared_ptr<ScriptRing> ring =
      ScriptRing::create(waits ? kScriptRecordsSync : kScriptRecordsAsync, kScriptRingBytes);
  if (!ring) return nullptr;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (workers_.size() >= kScriptWorkersMax) return nullptr;
  static_cast<void>(worker);
  workers_.push_back(std::make_shared<ScriptWorker>(*this, ++last_worker_, std::move(ring)));
  version_.fetch_add(1, std::memory_order_release);
  return workers_.back().get();
}

void ScriptHost::remove_worker(ScriptWorker* worker) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::erase_if(workers_, [&](const auto& known) { return known.get() == worker; });
  version_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<ScriptRing> ScriptHost::ring(uint32_t worker) {
  for (const auto& known : known_)
    if (known->id() == worker) return known->ring();
  return nullptr;
}

void ScriptHost::count(ScriptFigure figure, int64_t more) noexcept {
  const uint32_t own = static_cast<uint32_t>(definition_.figures.size());
  if (calls_) calls_->add_figure(number_, own + static_cast<uint32_t>(figure), more);
}

void ScriptHost::overrun(uint32_t epoch, const std::string& why) {
  uint32_t expected = epoch;
  if (!running_.compare_exchange_strong(expected, 0)) return;
  count(ScriptFigure::script_timeouts, 1);
  failed(why);
  if (const std::shared_ptr<ScriptStarter> by = starter()) by->stop(id_, epoch, why);
}

std::string ScriptHost::exited(uint32_t epoch, const std::string& why) {
  uint32_t expected = epoch;
  running_.compare_exchange_strong(expected, 0);
  std::unique_lock<std::mutex> lock(mutex_);
  if (epoch != epoch_) return "";
  alive_ = false;
  if (failure_.empty()) failure_ = why.empty() ? kEnded : why;
  changed_.notify_all();
  if (closing_ || !ready_) return "";
  const uint64_t now = monotonic_ns();
  while (!restarts_.empty() && now - restarts_.front() > kScriptRestartWindowMs * uint64_t{1000000})
    restarts_.pop_front();
  const std::string plugin = "plugin " + settings_.name + ": " + failure_;
  if (restarts_.size() >= kScriptRestartsMax)
    return plugin + "; it stays off: " + std::to_string(kScriptRestartsMax) +
           " new starts within a minute were not enough; mend it and reload the list";
  restarts_.push_back(now);
  failure_.clear();
  count(ScriptFigure::script_restarts, 1);
  const Status status = begin(lock);
  return status.ok() ? plugin + "; started again" : plugin + "; " + status.message;
}

}  // namespace bricks
