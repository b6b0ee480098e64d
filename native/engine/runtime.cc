#include "engine/runtime.hh"

#include <algorithm>

#include "engine/runtime_state.hh"

namespace bricks {

Runtime& Runtime::instance() {
  // Never destroyed: engine threads may outlive static destruction at exit().
  static Runtime* const runtime = new Runtime;
  return *runtime;
}

Runtime::Runtime() : state_(std::make_unique<State>(*this)) {}
Runtime::~Runtime() = default;

Status Runtime::open_ports(const std::string& run_dir) {
  std::lock_guard lock(state_->mutex);
  if (state_->server) return {Code::busy, "ports.sock is already being served"};
  return PipeServer::open(run_dir + "/ports.sock", state_->pipes, &state_->server,
                          &state_->services);
}

void Runtime::close_ports() {
  std::unique_ptr<PipeServer> server;
  std::lock_guard lock(state_->mutex);
  server = std::move(state_->server);
}

Status Runtime::create_engine(const std::string& name, const EngineOptions& options) {
  std::lock_guard lock(state_->mutex);
  for (const auto& [known, engine] : state_->engines) {
    if (known == name) return {Code::already_exists, "an engine is already called " + name};
  }
  if (state_->engines.size() >= kEnginesMax) {
    return {Code::limit_reached, "there are " + std::to_string(kEnginesMax) +
                                     " engines, which is the most; delete one first"};
  }
  std::shared_ptr<Engine> engine;
  Status status = Engine::create(name, options, &state_->pipes, &engine);
  if (status.ok()) state_->engines.emplace_back(name, std::move(engine));
  return status;
}

Status Runtime::delete_engine(const std::string& name) {
  std::shared_ptr<Engine> engine;
  if (Status status = state_->find(name, &engine); !status.ok()) return status;
  // Whoever reads a pipe gets its rest while the engine goes; the list must not wait for that.
  {
    std::lock_guard lock(state_->mutex);
    std::erase_if(state_->engines, [&](const auto& entry) { return entry.second == engine; });
  }
  return {};
}

Status Runtime::apply(const std::string& name, const Graph& graph) {
  std::shared_ptr<Engine> engine;
  Status status = state_->find(name, &engine);
  return status.ok() ? engine->apply(graph) : status;
}

Status Runtime::start(const std::string& name) {
  std::shared_ptr<Engine> engine;
  Status status = state_->find(name, &engine);
  return status.ok() ? engine->start() : status;
}

Status Runtime::stop(const std::string& name) {
  std::shared_ptr<Engine> engine;
  Status status = state_->find(name, &engine);
  return status.ok() ? engine->stop() : status;
}

Status Runtime::wait_drained(const std::string& name, uint32_t timeout_ms, bool* drained) {
  std::shared_ptr<Engine> engine;
  Status status = state_->find(name, &engine);
  if (status.ok()) *drained = engine->wait_drained(timeout_ms);
  return status;
}

Status Runtime::explain(const FlowQuestion& question, std::vector<Explanation>* answers) {
  for (const auto& engine : state_->all()) {
    if (Status status = engine->explain(question, answers); !status.ok()) return status;
  }
  return {};
}

std::vector<EngineSnapshot> Runtime::snapshot() {
  std::vector<EngineSnapshot> made;
  for (const auto& engine : state_->all()) made.push_back(engine->snapshot());
  state_->add_recorded(&made);
  return made;
}

}  // namespace bricks
