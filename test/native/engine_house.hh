// An engine of its own with ports, and the ledger's law.
#pragma once

#include <memory>

#include "check.hh"
#include "engine/engine.hh"
#include "pipe_fixture.hh"

namespace bricks {

struct House {
  RunFolder folder;
  PipeDirectory directory;
  std::unique_ptr<PipeServer> server;
  std::shared_ptr<Engine> engine;

  explicit House(EngineOptions options = {}) {
    CHECK(PipeServer::open(folder.socket(), directory, &server).ok());
    CHECK(Engine::create("e", options, &directory, &engine).ok());
  }
  ~House() {
    engine.reset();
    server.reset();
  }
};

// received + copies - delivered - dropped - held: 0 at every breath. Only inputs receive, only
// outputs deliver.
inline int64_t difference(const EngineSnapshot& now) {
  int64_t sum = 0;
  const auto add = [&sum](const LedgerCell& cell, bool input, bool output) {
    const auto dropped = static_cast<int64_t>(cell.dropped_total());
    if (input) sum += static_cast<int64_t>(cell.packets);
    sum += static_cast<int64_t>(cell.copies) - dropped - static_cast<int64_t>(cell.held);
    if (output) sum -= static_cast<int64_t>(cell.delivered);
  };
  for (const auto& row : now.inputs) add(row.cell, true, false);
  for (const auto& row : now.bricks) add(row.cell, false, false);
  for (const auto& row : now.outputs) add(row.cell, false, true);
  add(now.retired_inputs, true, false);
  add(now.retired_bricks, false, false);
  add(now.retired_outputs, false, true);
  return sum;
}

// Runs it until its inputs have ended and nothing is under way.
inline EngineSnapshot run_to_the_end(House& house, const Graph& graph) {
  CHECK(house.engine->apply(graph).ok());
  CHECK(house.engine->start().ok());
  CHECK(eventually([&] { return house.engine->wait_drained(100); }, 60));
  const EngineSnapshot now = house.engine->snapshot();
  CHECK_EQ(difference(now), 0);
  return now;
}

}  // namespace bricks
