// packet: in an engine: every packet that was sent is in the ledger, whenever one looks.
#include "check.hh"
#include "engine/engine.hh"
#include "packet_network.hh"
#include "ports/pipe_directory.hh"

using namespace bricks;
using namespace packet_test;

namespace {

uint64_t received(const EngineSnapshot& snapshot) { return snapshot.inputs.at(0).cell.packets; }

uint64_t kernel_drops(const EngineSnapshot& snapshot) {
  return snapshot.inputs.at(0).cell.dropped[static_cast<uint32_t>(Drop::kernel)];
}

uint64_t delivered(const EngineSnapshot& snapshot) {
  uint64_t sum = 0;
  for (const auto& output : snapshot.outputs) sum += output.cell.delivered;
  return sum;
}

// The ring overflows before the engine starts: nothing but the kernel knows of those packets.
void ledger_knows_kernel_drops() {
  Witness witness("far");
  PipeDirectory pipes;
  std::shared_ptr<Engine> engine;
  CHECK_EQ(Engine::create("live", {}, &pipes, &engine).message, "");
  Graph graph;
  graph.inlets = {{"packet:far?ring=1", 0}};
  graph.bricks.push_back({"lb", "LoadBalancer", {}, 1, {{"null:0", -1}, {"null:1", -1}}});
  CHECK_EQ(engine->apply(graph).message, "");
  Random random(kSeed + 20);
  const Frame frame = random_frame(random, 60);
  constexpr uint64_t kSent = 20000;
  Sender sender("near");
  for (uint64_t i = 0; i < kSent; ++i) CHECK(sender.send(frame));
  CHECK(witness.saw(kSent));
  const EngineSnapshot before = engine->snapshot();
  CHECK(kernel_drops(before) > 0);
  CHECK_EQ(received(before), kernel_drops(before));
  CHECK_EQ(engine->start().message, "");
  CHECK(eventually([&] { return received(engine->snapshot()) == kSent; }));
  CHECK_EQ(engine->stop().message, "");
  const EngineSnapshot now = engine->snapshot();
  CHECK_EQ(delivered(now) + kernel_drops(now), kSent);
  CHECK_EQ(kernel_drops(now), kernel_drops(before));
  CHECK_EQ(engine->apply({}).message, "");
  CHECK_EQ(engine->snapshot().retired_inputs.packets, kSent);
}

}  // namespace

TEST(packet_engine_ledger) { in_own_network(ledger_knows_kernel_drops); }
