// What the control thread does with an engine.
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>

#include "engine/engine.hh"
#include "mem/region.hh"
#include "ports/doorbell.hh"
#include "ports/pipe_output.hh"
#include "ports/spill_pool.hh"

namespace bricks {

namespace {

void add_cell(LedgerCell& sum, const LedgerCell& cell) {
  sum.packets += cell.packets;
  sum.bytes += cell.bytes;
  sum.delivered += cell.delivered;
  sum.delivered_bytes += cell.delivered_bytes;
  sum.copies += cell.copies;
  sum.not_ip += cell.not_ip;
  for (uint32_t i = 0; i < kHeaderFaultCount; ++i) sum.header_faults[i] += cell.header_faults[i];
  for (uint32_t i = 0; i < kDropReasonCount; ++i) sum.dropped[i] += cell.dropped[i];
}

template <typename Slot>
bool contains(const std::vector<std::shared_ptr<Slot>>& slots, const std::shared_ptr<Slot>& slot) {
  return std::find(slots.begin(), slots.end(), slot) != slots.end();
}

// Sparse: room for a thousand rings of the default size, or 60 of the largest.
constexpr uint64_t kSharedControlBytes = 64u << 20;

}  // namespace

Status Engine::create(const std::string& name, const EngineOptions& options, PipeDirectory* pipes,
                      std::shared_ptr<Engine>* engine) {
  const auto wrong = [&name](const std::string& what) {
    return Status(Code::invalid_argument, "engine " + name + ": " + what);
  };
  if (name.empty() || name.size() > kNameMax) {
    return {Code::invalid_argument, "an engine's name has 1 to " + std::to_string(kNameMax) +
                                        " bytes, not " + std::to_string(name.size())};
  }
  if (options.batch > kBatchMax) {
    return wrong("batch is " + std::to_string(options.batch) + ", it must be 1 to " +
                 std::to_string(kBatchMax));
  }
  const long cores = sysconf(_SC_NPROCESSORS_CONF);
  if (options.cpu < -1 || options.cpu >= cores) {
    return wrong("cpu is " + std::to_string(options.cpu) + ", this machine has 0 to " +
                 std::to_string(cores - 1) + "; -1 pins to none");
  }
  std::shared_ptr<Engine> made(new Engine);
  made->name_ = name;
  made->options_ = options;
  if (made->options_.batch == 0) made->options_.batch = kBatchDefault;
  if (made->options_.pipe_slots == 0) made->options_.pipe_slots = kPipeSlotsDefault;
  made->context_.pipes = pipes;
  made->context_.pipe_slots = made->options_.pipe_slots;
  made->context_.queue = options.queue;
  made->context_.owner = name;
  if (options.shared) {
    Status status = Region::create(name, kSharedControlBytes, kSharedRegionBuffers,
                                   &made->context_.shared_region);
    if (!status.ok()) return status;
  }
  if (options.spill > kSpillBuffersMax) {
    return wrong("spill is " + std::to_string(options.spill) + " buffers, it must be 1 to " +
                 std::to_string(kSpillBuffersMax));
  }
  made->context_.spills = std::make_shared<SpillSource>(name, options.spill);
  made->context_.all_spill = options.spill != 0;
  if (options.spill) {
    std::shared_ptr<SpillPool> pool;
    if (Status status = made->context_.spills->get(&pool); !status.ok()) return status;
  }
  Status remembers = SessionTable::create(
      "engine " + name, options.sessions ? options.sessions : kSessionsDefault, &made->sessions_);
  if (!remembers.ok()) return remembers;
  made->wake_event_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (made->wake_event_ < 0) return system_error("cannot make engine " + name, errno);
  made->context_.doorbell = std::make_shared<Doorbell>(made->wake_event_);
  made->context_.filters = true;
  made->plan_ = std::make_shared<Plan>();
  made->active_ = made->plan_.get();
  *engine = std::move(made);
  return {};
}

Engine::~Engine() {
  if (thread_.joinable()) {
    const Status stopped = stop();
    assert(stopped.ok());
  }
  const Status emptied = apply({});
  assert(emptied.ok());
  close(wake_event_);
}

// Has the engine's thread do it, or does it here when there is none.
void Engine::run_request(Plan* next, bool stop, EngineCells* cells) {
  std::unique_lock lock(mutex_);
  request_ = {next, stop, cells, true};
  post_request(lock);
}

void Engine::run_between(const std::function<void(Plan&)>& look) {
  std::unique_lock lock(mutex_);
  request_.look = &look;
  request_.open = true;
  post_request(lock);
}

void Engine::post_request(std::unique_lock<std::mutex>& lock) {
  if (!running_) {
    lock.unlock();
    attend();
    stop_ = false;
    check_drained();
    return;
  }
  attention_.store(true, std::memory_order_release);
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t ignored = write(wake_event_, &one, sizeof one);
  answered_.wait(lock, [this] { return !request_.open; });
}

Status Engine::apply(const Graph& graph) {
  std::lock_guard control(control_);
  std::unique_ptr<Plan> built;
  Status status = Plan::build(graph, plan_.get(), context_, &built, sessions_.get());
  if (!status.ok()) return {status.code, "engine " + name_ + ": " + status.message};
  std::shared_ptr<Plan> next(std::move(built));
  next->set_taps(taps_);
  const std::shared_ptr<Plan> before = plan_;
  run_request(next.get(), false, nullptr);
  plan_ = next;
  drains_.update(*next);
  draining_.push_back(before);
  if (unfinished_done_.load(std::memory_order_acquire)) draining_.clear();
  collect_warnings();
  retire(*before, *next);
  prune_taps();
  return {};
}

void Engine::retire(const Plan& before, const Plan& after) {
  for (const auto& input : before.inputs) {
    if (!contains(after.inputs, input)) add_cell(retired_inputs_, input->cell);
  }
  for (const auto& brick : before.bricks) {
    if (!contains(after.bricks, brick)) add_cell(retired_bricks_, brick->cell);
  }
  for (const auto& output : before.outputs) {
    if (contains(after.outputs, output)) continue;
    output->port->close(output->cell);
    if (std::string text = output->port->take_warning(); !text.empty()) {
      warnings_.push_back(std::move(text));
    }
    add_cell(retired_outputs_, output->cell);
    output->port.reset();
  }
}

void Engine::collect_warnings() {
  const auto take = [this](auto& slot) {
    if (std::string text = slot->port->take_warning(); !text.empty()) {
      warnings_.push_back(std::move(text));
    }
  };
  for (const auto& input : plan_->inputs) take(input);
  for (const auto& output : plan_->outputs) take(output);
}

std::string Engine::not_linked_text() const {
  return "engine " + name_ + " has no brick with an input; link one first: pe:link(brick)";
}

Status Engine::start() {
  std::lock_guard control(control_);
  if (running_) return {Code::already_running, "engine " + name_ + " is already running"};
  if (plan_->inputs.empty()) return {Code::not_linked, not_linked_text()};
  running_ = true;
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), ("br:" + name_).substr(0, 15).c_str());
  return {};
}

Status Engine::stop() {
  std::lock_guard control(control_);
  if (!running_) return {Code::not_running, "engine " + name_ + " is not running"};
  run_request(nullptr, true, nullptr);
  thread_.join();
  running_ = false;
  return {};
}

bool Engine::wait_drained(uint32_t timeout_ms) {
  std::unique_lock lock(mutex_);
  return drained_changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                                   [this] { return drained_.load(); });
}

EngineSnapshot Engine::snapshot() {
  std::lock_guard control(control_);
  EngineCells cells;
  cells.inputs.resize(plan_->inputs.size());
  cells.finished.resize(plan_->inputs.size());
  cells.bricks.resize(plan_->bricks.size());
  cells.figures.resize(plan_->bricks.size());
  cells.outputs.resize(plan_->outputs.size());
  cells.ready.resize(plan_->outputs.size());
  run_request(nullptr, false, &cells);
  collect_warnings();
  EngineSnapshot made;
  made.name = name_;
  made.running = running_;
  made.linked = !plan_->inputs.empty();
  made.drained = drained_;
  made.cpu = options_.cpu;
  made.batch = options_.batch;
  made.breaths = cells.breaths;
  made.spill_free = cells.spill_free;
  made.sessions = cells.sessions;
  made.session_capacity = sessions_->capacity();
  made.fragments.assign(cells.fragments.all.begin(),
                        cells.fragments.all.begin() + cells.fragments.count);
  for (size_t i = 0; i < cells.inputs.size(); ++i) {
    const InputSlot& slot = *plan_->inputs[i];
    made.inputs.push_back({slot.name, slot.port->describe(), cells.finished[i],
                           slot.port->lossless(), cells.inputs[i]});
  }
  for (size_t i = 0; i < cells.bricks.size(); ++i) {
    const FigureSet& figures = cells.figures[i];
    made.bricks.push_back({plan_->bricks[i]->id,
                           plan_->bricks[i]->type->name,
                           cells.bricks[i],
                           {},
                           {figures.all.begin(), figures.all.begin() + figures.count},
                           plan_->bricks[i]->options});
  }
  for (size_t i = 0; i < cells.outputs.size(); ++i) {
    const OutputSlot& slot = *plan_->outputs[i];
    const PipeOutput* pipe = slot.port->pipe();
    made.outputs.push_back({slot.name, plan_->output_bricks[i], slot.port->describe(),
                            pipe ? pipe->share()->consumer_pid.load() : 0, pipe ? pipe->slots() : 0,
                            cells.ready[i], pipe ? pipe->silent_ms() : -1, cells.outputs[i]});
  }
  for (uint32_t i = 0; i < made.inputs.size(); ++i) {
    made.inputs[i].brick = plan_->bricks[plan_->entry(i)]->id;
  }
  for (uint32_t i = 0; i < made.outputs.size(); ++i) {
    const PipeOutput* pipe = plan_->outputs[i]->port->pipe();
    if (!pipe) continue;
    made.outputs[i].memory_fd = pipe->share()->memory_fd;
    made.outputs[i].pipe_offset = pipe->share()->pipe_offset;
  }
  for (uint32_t i = 0; i < made.bricks.size(); ++i) made.bricks[i].ways = plan_->ways(i);
  made.taps = tap_rows();
  made.retired_inputs = retired_inputs_;
  made.retired_bricks = retired_bricks_;
  made.retired_outputs = retired_outputs_;
  made.warnings = warnings_;
  made.draining = drains_.rows();
  return made;
}

}  // namespace bricks
