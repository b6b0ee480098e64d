// lb4-consumer: an engine's thread on one core, one consumer process on another that reads all four
// pipes through libbricks and touches every header. What counts is what the consumer took.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "abi/bricks.h"
#include "engine/engine.hh"
#include "figure.hh"
#include "must.hh"
#include "ports/pipe_directory.hh"
#include "ports/pipe_server.hh"

namespace bench {

using namespace bricks;

namespace {

constexpr uint32_t kPipes = 4;

// The consumer process: reads until its parent is gone.
[[noreturn]] void consume(const std::string& run_dir) {
  bricks_consumer* consumers[kPipes];
  bricks_options options{};
  options.run_dir = run_dir.c_str();
  options.timeout_ms = 10000;
  options.busy_poll = 1;
  for (uint32_t i = 0; i < kPipes; ++i) {
    const std::string name = "bench}" + std::to_string(i);
    char why[256];
    if (bricks_attach(&consumers[i], name.c_str(), &options, why, sizeof why) != BRICKS_OK) {
      std::fprintf(stderr, "bench: %s\n", why);
      _exit(1);
    }
  }
  bricks_packet packets[256];
  uint64_t touched = 0;
  while (getppid() != 1) {
    for (int round = 0; round < 10000; ++round) {
      bool any = false;
      for (bricks_consumer* consumer : consumers) {
        uint32_t count = 0;
        const bricks_result result = bricks_next_batch(consumer, packets, 256, &count);
        if (result != BRICKS_OK && result != BRICKS_EMPTY) _exit(touched & 0);
        for (uint32_t i = 0; i < count; ++i) touched += packets[i].data[14];
        any |= count != 0;
      }
      if (!any) bricks_wait_any(consumers, kPipes, 100);
    }
  }
  _exit(0);
}

uint64_t delivered(Engine& engine) {
  uint64_t sum = 0;
  for (const auto& output : engine.snapshot().outputs) sum += output.cell.delivered;
  return sum;
}

// pin: the LoadBalancer remembers its flows, as it does where nobody says otherwise.
Spread measure(bool shared, bool pin) {
  char folder[] = "/dev/shm/bricks-bench-XXXXXX";
  if (!mkdtemp(folder)) std::abort();
  const std::string run_dir = folder;
  PipeDirectory directory;
  std::unique_ptr<PipeServer> server;
  std::shared_ptr<Engine> engine;
  const pid_t child = fork();  // before there are threads
  if (child == 0) consume(run_dir);
  must(PipeServer::open(run_dir + "/ports.sock", directory, &server));
  EngineOptions options;
  options.shared = shared;
  must(Engine::create("bench", options, &directory, &engine));
  Graph graph;
  graph.inlets = {{"gen:60?flows=1000&buffers=5120", 0}};
  Graph::Node& node = graph.bricks.emplace_back();
  node.id = node.kind = "LoadBalancer";
  node.options["pin"] = pin;
  for (uint32_t i = 0; i < kPipes; ++i) node.outlets.push_back({"bench{" + std::to_string(i), -1});
  must(engine->apply(graph));
  must(engine->start());
  std::vector<double> runs;
  for (int run = -2; run < kRuns; ++run) {
    const uint64_t before = delivered(*engine);
    const double begin = seconds_now();
    std::this_thread::sleep_for(std::chrono::duration<double>(kRunSeconds));
    const uint64_t after = delivered(*engine);
    if (run >= 0)
      runs.push_back(static_cast<double>(after - before) / (seconds_now() - begin) / 1e6);
  }
  must(engine->stop());
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  engine.reset();
  server.reset();
  rmdir(folder);
  return spread(runs);
}

}  // namespace

void measure_with_consumer(const Wanted& wanted, Figures& figures) {
  if (!wanted("lb4-consumer")) return;
  const auto add = [&](const char* input_set, bool shared, bool pin) {
    figures.push_back({"lb4-consumer", input_set, "Mpps delivered", measure(shared, pin), 0});
  };
  add("hot, shared region", true, true);
  add("hot, own memory", false, true);
  add("hot, shared region, pin = false", true, false);
  add("hot, own memory, pin = false", false, false);
}

}  // namespace bench
