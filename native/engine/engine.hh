// An engine: one thread that breathes. A breath takes a batch from every input, pushes it through
// the bricks, flushes the outputs; between breaths, and only there, it attends to what the control
// thread asks: another plan, a look at the counters, an end.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/drain.hh"
#include "engine/engine_parts.hh"
#include "engine/explain.hh"
#include "engine/listing.hh"
#include "engine/runtime.hh"
#include "engine/tap.hh"
#include "sessions/session_table.hh"

struct pollfd;

namespace bricks {

class Engine {
 public:
  static Status create(const std::string& name, const EngineOptions& options, PipeDirectory* pipes,
                       std::shared_ptr<Engine>* engine);
  ~Engine();  // stops, closes all ports

  // Control calls: thread-safe, one at a time; see Runtime.
  Status apply(const Graph& graph);
  Status start();
  Status stop();
  bool wait_drained(uint32_t timeout_ms);
  EngineSnapshot snapshot();
  // Appends an answer for each brick that inputs lead to. invalid_argument.
  Status explain(const FlowQuestion& question, std::vector<Explanation>* answers);
  // Taps (engine/tap.hh): `name` is the engine's end of its pipe.
  void links(LinkList* to);
  Status open_tap(const TapRequest& request, const std::string& name);
  bool filter_tap(const std::string& name, const std::string& expression, Status* status);
  bool close_tap(const std::string& name);  // false: not here

 private:
  Engine() = default;
  void run_request(Plan* next, bool stop, EngineCells* cells);
  // Has `look` called between two breaths, on the engine's thread where there is one.
  void run_between(const std::function<void(Plan&)>& look);
  void post_request(std::unique_lock<std::mutex>& lock);
  void retire(const Plan& before, const Plan& after);
  void collect_warnings();
  void prune_taps();
  std::vector<TapRow> tap_rows();
  Status open_recorder(const std::string& name, Tap* tap);
  std::string not_linked_text() const;

  // Engine's thread.
  static Nanos wall_clock() noexcept;
  void run() noexcept;
  void attend() noexcept;
  void adopt(Plan* next) noexcept;
  void look(Nanos now) noexcept;
  void copy_cells(EngineCells& cells) noexcept;
  bool breathe(Nanos now) noexcept;
  bool take_in(Plan& plan, uint32_t input, Nanos now, bool* busy) noexcept;
  void rest(Nanos now) noexcept;
  void sleep(Nanos now) noexcept;
  uint32_t poll_outputs(pollfd* fds, uint32_t count, Nanos* longest) noexcept;
  bool check_drained() noexcept;
  bool has_live_input() const noexcept;
  bool ended() const noexcept;

  // Engine's thread: what waits and what is held (engine_held.cc).
  bool resume() noexcept;
  enum class Due { none, more, unfinished };  // `more`: enough for one breath
  Due release_due(Nanos now, bool all, bool* busy) noexcept;
  bool release_one(Nanos now, bool all, bool patient) noexcept;
  void settle_unfinished() noexcept;
  void drain(bool all, bool give_up) noexcept;
  bool holds() const noexcept { return active_->due(0, true); }

  std::string name_;
  EngineOptions options_;
  PortContext context_;
  std::unique_ptr<SessionTable> sessions_;  // before the plans: their bricks use it

  std::mutex control_;  // held by whoever makes a control call
  std::thread thread_;
  std::atomic<bool> running_{false};
  std::shared_ptr<Plan> plan_;                   // what runs
  std::vector<std::shared_ptr<Plan>> draining_;  // kept until their last batch is through
  LedgerCell retired_inputs_, retired_bricks_, retired_outputs_;
  std::vector<std::string> warnings_;
  DrainList drains_;  // counted by the engine's thread while it is asked for a snapshot
  std::vector<std::shared_ptr<Tap>> taps_;

  std::mutex mutex_;  // guards the request; the engine takes it only when attention_ is set
  std::condition_variable answered_, drained_changed_;
  EngineRequest request_;
  std::atomic<bool> attention_{false};
  int wake_event_ = -1;

  // Engine's own, also across stop and start.
  Plan* active_ = nullptr;
  Unfinished unfinished_;
  Batch released_;            // of a holding brick: one at a time is on its way
  uint32_t first_input_ = 0;  // takes turns
  uint64_t breaths_ = 0;
  Nanos looked_at_ = 0;  // at the outputs' consumers
  Nanos idle_since_ = 0;
  Nanos spin_ = 0;  // how long to look again before a sleep: learns what has paid
  bool said_finished_ = false, live_ = false, stop_ = false;
  std::atomic<bool> drained_{false};
  std::atomic<bool> unfinished_done_{true};  // no plan but the active one is needed
};

}  // namespace bricks
