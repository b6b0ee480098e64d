// A plugin in TypeScript or JavaScript: the definition that its file exports, the thread that runs
// it, and that thread's life. Threads with a JavaScript in them are started by whoever can
// (ScriptStarter): native code knows none.
//
// A thread has an epoch, 1 for the first. One that fails to answer in time, ends or runs out of
// memory is ended and another begins, with the next epoch, without what the old one knew.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "abi/bricks_plugin.h"
#include "mem/status.hh"
#include "plugins/script_definition.hh"
#include "plugins/script_ring.hh"

namespace bricks {

class ScriptWorker;
enum class ScriptFigure : uint32_t;  // plugins/script_worker.hh

class ScriptHost : public std::enable_shared_from_this<ScriptHost> {
 public:
  // Starts the thread, returns with the file's definition. no_such_file, unsupported,
  // invalid_argument: the file's own error.
  static Status open(ScriptSettings settings, std::shared_ptr<ScriptHost>* host);
  static std::shared_ptr<ScriptHost> find(uint64_t id);
  static void close_all();
  ~ScriptHost();
  ScriptHost() = default;

  const ScriptSettings& settings() const noexcept { return settings_; }
  const ScriptDefinition& definition() const noexcept { return definition_; }
  const bricks_plugin& functions() const noexcept { return functions_; }
  void on_init(int (*own)(const bricks_start*, void**)) { functions_.init = own; }
  uint64_t id() const noexcept { return id_; }

  // Control thread: bricks_plugin's init, worker_init, worker_exit and exit.
  int init(const bricks_start* start);
  ScriptWorker* add_worker(uint32_t worker);
  void remove_worker(ScriptWorker* worker);
  void close();

  // Engines' threads. 0: nobody answers now.
  uint32_t running() const noexcept { return running_.load(std::memory_order_acquire); }
  const std::atomic<uint32_t>& running_word() const noexcept { return running_; }
  void wake() noexcept;  // after publishing
  // Whoever shares a core with whom it waits for does better to sleep at once.
  std::atomic<int> script_core{-1}, engine_core{-1};
  void overrun(uint32_t epoch, const std::string& why);
  const bricks_host* calls() const noexcept { return calls_; }
  void count(ScriptFigure figure, int64_t more) noexcept;
  uint32_t number() const noexcept { return number_; }

  std::string why();  // the newest failure

  // The script's thread. invalid_argument: it is of another epoch, or its file is another one now.
  Status describe(uint32_t epoch, ScriptDefinition definition);
  void refuse(uint32_t epoch, const std::string& why);  // its file does not load or start
  void started(uint32_t epoch);
  void failed(const std::string& why);  // at an event
  void gone(uint32_t epoch) noexcept;   // last: nobody waits for it any more
  struct OptionText {
    ScriptOption option;
    std::string value;
  };
  const std::vector<OptionText>& options() const noexcept { return options_; }
  // Waits up to so long.
  ScriptTask next(uint32_t epoch, uint32_t idle_us, ScriptTurn* turn);
  void finish(uint32_t done, bool failed) noexcept;
  int ask(ScriptRequest* request) noexcept;
  std::shared_ptr<ScriptRing> ring(uint32_t worker);
  ScriptWorker* taken() const noexcept { return taken_; }

  // Whoever starts threads: one has ended. How it goes on, for the log: empty: as it should.
  std::string exited(uint32_t epoch, const std::string& why);

 private:
  struct Names;
  void make_functions();
  Status begin(std::unique_lock<std::mutex>& lock);
  bool has_failed() const noexcept { return !failure_.empty() || gone_; }
  bool take_run(uint32_t epoch, ScriptTurn* turn) noexcept;
  bool learn_workers(ScriptTurn* turn);

  uint64_t id_ = 0;
  ScriptSettings settings_;
  ScriptDefinition definition_;
  bricks_plugin functions_{};
  std::shared_ptr<Names> names_;
  std::vector<OptionText> options_;
  const bricks_host* calls_ = nullptr;
  uint32_t number_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  uint32_t epoch_ = 0, last_worker_ = 0;
  bool described_ = false, alive_ = false, ready_ = false, closing_ = false, gone_ = false;
  std::string failure_, event_failure_;
  std::deque<uint64_t> restarts_;
  std::vector<std::shared_ptr<ScriptWorker>> workers_;
  std::atomic<uint32_t> version_{0};  // of workers_, and of what else next() looks at

  std::atomic<uint32_t> running_{0};
  std::atomic<uint32_t> bell_{0}, sleeps_{0};
  // The script's thread's own.
  uint32_t seen_version_ = 0, told_start_ = 0;
  std::vector<std::shared_ptr<ScriptWorker>> known_;
  ScriptWorker* taken_ = nullptr;
  size_t turn_ = 0;
};

}  // namespace bricks
