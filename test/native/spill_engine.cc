// Overflow queues inside a running engine: they come and go with their outputs while others give
// way.
#include <atomic>
#include <chrono>
#include <thread>

#include "check.hh"
#include "engine/engine.hh"
#include "pipe_fixture.hh"

namespace bricks {
namespace {

int64_t off_balance(const EngineSnapshot& now) {
  int64_t sum = 0;
  const auto add = [&sum](const LedgerCell& cell, int64_t received, int64_t kept) {
    sum += received * static_cast<int64_t>(cell.packets) + static_cast<int64_t>(cell.copies);
    sum -= static_cast<int64_t>(cell.dropped_total());
    sum -= kept * static_cast<int64_t>(cell.delivered + cell.held);
  };
  for (const auto& row : now.inputs) add(row.cell, 1, 0);
  for (const auto& row : now.bricks) add(row.cell, 0, 0);
  for (const auto& row : now.outputs) add(row.cell, 0, 1);
  add(now.retired_inputs, 1, 0);
  add(now.retired_bricks, 0, 0);
  add(now.retired_outputs, 0, 1);
  return sum;
}

Graph duplicate(uint32_t outputs, const char* kind) {
  Graph graph;
  graph.inlets = {{"gen:60?flows=100", 0}};
  Graph::Node& node = graph.bricks.emplace_back();
  node.id = node.kind = kind;
  for (uint32_t i = 0; i < outputs; ++i) node.outlets.push_back({"s{" + std::to_string(i), -1});
  return graph;
}

TEST(spill_in_an_engine_that_changes_at_full_speed) {
  const char* given = std::getenv("BRICKS_TEST_SEED");
  Random random{given ? std::strtoull(given, nullptr, 0) : 4711};
  std::printf("  seed %llu (BRICKS_TEST_SEED)\n", static_cast<unsigned long long>(random.state));
  RunFolder folder;
  PipeDirectory directory;
  std::unique_ptr<PipeServer> server;
  CHECK(PipeServer::open(folder.socket(), directory, &server).ok());
  EngineOptions options;
  options.spill = 3000;
  std::shared_ptr<Engine> engine;
  CHECK(Engine::create("e", options, &directory, &engine).ok());
  CHECK(engine->apply(duplicate(2, "Duplicator")).ok());
  CHECK(engine->start().ok());
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> read{0}, backwards{0};
  std::thread reader([&] {
    bricks_options settings{};
    settings.run_dir = folder.path().c_str();
    bricks_consumer* consumer = nullptr;
    if (bricks_attach(&consumer, "s}0", &settings, nullptr, 0) != BRICKS_OK) return;
    bricks_packet packets[64];
    uint64_t last = 0;
    while (!stop) {
      uint32_t count = 0;
      if (bricks_next_batch(consumer, packets, 64, &count) == BRICKS_EMPTY) {
        bricks_wait(consumer, 20);
      }
      for (uint32_t i = 0; i < count; ++i) {
        backwards += packets[i].timestamp_ns < last;
        last = packets[i].timestamp_ns;
      }
      read += count;
    }
    bricks_detach(consumer);
  });
  int64_t worst = 0;
  uint64_t gave_way = 0, most_spilled = 0;
  const auto tested = [&] { return gave_way > 0 && most_spilled > 0; };
  const auto late = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  // Of packets of an engine that has few turns there is little to see.
  for (int change = 0; change < 150 || (!tested() && std::chrono::steady_clock::now() < late);
       ++change) {
    const char* kind = random.below(2) ? "Duplicator" : "LoadBalancer";
    CHECK(engine->apply(duplicate(1 + random.below(6), kind)).ok());
    const EngineSnapshot now = engine->snapshot();
    if (const int64_t off = off_balance(now); off != 0) worst = off;
    uint64_t spilled = 0;
    for (const auto& row : now.outputs) {
      spilled += row.cell.spilled;
      gave_way += row.cell.dropped[static_cast<uint32_t>(Drop::gave_way)];
    }
    CHECK(spilled + now.spill_free <= 3000);
    most_spilled = std::max(most_spilled, spilled);
    if (random.below(10) == 0) {
      CHECK(engine->stop().ok());
      CHECK(engine->start().ok());
    }
  }
  CHECK_EQ(worst, 0);
  CHECK(tested());
  CHECK(eventually([&] { return read > 5000; }));
  CHECK(engine->apply({}).ok());
  CHECK_EQ(engine->snapshot().spill_free, 3000u);
  CHECK_EQ(off_balance(engine->snapshot()), 0);
  stop = true;
  reader.join();
  CHECK_EQ(backwards.load(), 0u);
}

}  // namespace
}  // namespace bricks
