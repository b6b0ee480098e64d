// lb4, dup4, merge, filter, dedup: the engine's own costs on one core. Input: gen: in a region;
// outputs: real pipes whose consumer accepts at once (head follows tail after every flush), or
// null:.
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "abi/pipe.h"
#include "engine/plan.hh"
#include "figure.hh"
#include "limit_loop.hh"
#include "mem/region.hh"
#include "must.hh"
#include "ports/pipe_output.hh"
#include "sessions/session_table.hh"

namespace bench {

using namespace bricks;

namespace {

constexpr uint32_t kPinnedSessions = 1000000;
constexpr const char* kHot = "gen:60?flows=1000&buffers=5120";
constexpr const char* kShuffled = "gen:60?flows=100000&buffers=131072&shuffle=1";
constexpr const char* kMixed = "gen:imix?flows=100000&buffers=131072&shuffle=1&mix=1";
constexpr const char* kHotImix = "gen:imix?flows=1000&buffers=5120";

// What an engine's thread does, without the thread: a plan, breathing.
class Lane {
 public:
  // pinned: with a session table, as an engine has one; a LoadBalancer remembers its flows there.
  Lane(const Graph& graph, bool shared_region, bool pinned = false) {
    if (pinned) must(SessionTable::create("bench", kPinnedSessions, &table_));
    if (shared_region) {
      must(Region::create("bench", 16u << 20, kSharedRegionBuffers, &context_.shared_region));
    }
    must(Plan::build(graph, nullptr, context_, &plan_, table_.get()));
    for (const auto& output : plan_->outputs) {
      const PipeOutput* pipe = output->port->pipe();
      if (!pipe) continue;
      const auto& share = *pipe->share();
      void* memory =
          mmap(nullptr, share.region_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, share.memory_fd, 0);
      auto* head = static_cast<uint8_t*>(memory) + share.pipe_offset;
      const auto* header = reinterpret_cast<bricks_pipe*>(head);
      rings_.push_back(
          reinterpret_cast<netmap_ring*>(static_cast<uint8_t*>(memory) + header->ring_offset));
    }
  }

  // One breath; returns packets taken in.
  uint64_t breathe() {
    timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    const Nanos now =
        static_cast<Nanos>(time.tv_sec) * 1000000000 + static_cast<Nanos>(time.tv_nsec);
    uint64_t packets = 0;
    if (table_) table_->tick(now);
    for (uint32_t i = 0; i < plan_->inputs.size(); ++i) {
      InputSlot& input = *plan_->inputs[i];
      input.batch.count = 0;
      packets += input.port->receive(input.batch, kBatchDefault, now, input.cell);
      plan_->route(i, process_hash_seed());
      plan_->transmit(input.batch, false);
      input.port->release(input.batch);
    }
    plan_->flush(now, false);
    for (netmap_ring* ring : rings_) {
      __atomic_store_n(&ring->head, __atomic_load_n(&ring->tail, __ATOMIC_RELAXED),
                       __ATOMIC_RELEASE);
    }
    return packets;
  }

  // received + copies - delivered - dropped - held; and how much was dropped.
  void check(const char* name) {
    plan_->flush(1, true);
    uint64_t in = 0, out = 0, dropped = 0, lost = 0;
    for (const auto& input : plan_->inputs) in += input->cell.packets;
    for (const auto& brick : plan_->bricks) {
      in += brick->cell.copies;
      dropped += brick->cell.dropped_total();
    }
    for (const auto& output : plan_->outputs) {
      out += output->cell.delivered + output->cell.held + output->cell.dropped_total();
      lost += output->cell.dropped_total();
    }
    if (lost) {  // what is dropped costs nothing: no figure of what is delivered
      std::fprintf(stderr, "bench: %s: %llu packets were lost\n", name,
                   static_cast<unsigned long long>(lost));
      std::exit(1);
    }
    if (in != out + dropped) {
      std::fprintf(stderr, "bench: %s: the ledger does not balance\n", name);
      std::exit(1);
    }
  }

  Region& region() { return *context_.shared_region; }

 private:
  PortContext context_;
  std::unique_ptr<SessionTable> table_;
  std::unique_ptr<Plan> plan_;
  std::vector<netmap_ring*> rings_;
};

Graph one_brick(const std::string& input, const std::string& kind, uint32_t outputs,
                const std::string& output, Options options = {}) {
  Graph graph;
  graph.inlets = {{input, 0}};
  Graph::Node& node = graph.bricks.emplace_back();
  node.id = node.kind = kind;
  node.options = std::move(options);
  for (uint32_t i = 0; i < outputs; ++i) {
    node.outlets.push_back({outputs == 1 ? output : output + std::to_string(i), -1});
  }
  return graph;
}

// The limit loop over as many buffers as the input set has.
class Limit {
 public:
  Limit(uint32_t buffers, bool shuffled) {
    must(Region::create("limit", 4096, kSharedRegionBuffers, &region_));
    std::vector<uint32_t> order;
    must(region_->allocate_buffers(buffers, &order));
    for (size_t i = 0; i < order.size(); ++i) {
      uint8_t* frame = region_->buffer(order[i]);
      for (uint32_t k = 0; k < 64; ++k) frame[k] = static_cast<uint8_t>((i >> (k % 4 * 8)) + k);
    }
    uint64_t state = 1;
    for (size_t i = order.size() - 1; shuffled && i > 0; --i) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      std::swap(order[i], order[(state >> 33) % (i + 1)]);
    }
    loop_ = std::make_unique<LimitLoop>(*region_, std::move(order));
  }
  uint64_t run_batch() { return loop_->run_batch(); }

 private:
  std::shared_ptr<Region> region_;
  std::unique_ptr<LimitLoop> loop_;
};

void lane_figure(Figures& figures, const char* name, const char* input_set, const Graph& graph,
                 bool shared, Limit* limit = nullptr, bool pinned = false) {
  Lane lane(graph, shared, pinned);
  if (limit) {
    const PairOfSpreads both =
        measure_with_limit([&] { return lane.breathe(); }, [&] { return limit->run_batch(); });
    figures.push_back({name, input_set, "Mpps", both.value, both.limit.median});
  } else {
    const Spread value = measure_rate([&] { return lane.breathe(); });
    figures.push_back({name, input_set, "Mpps", value, 0});
  }
  lane.check(name);
}

void measure_lb4(Figures& figures) {
  Limit hot(5120, false), shuffled(131072, true);
  lane_figure(figures, "lb4", "hot", one_brick(kHot, "LoadBalancer", 4, "b{"), true, &hot);
  lane_figure(figures, "lb4", "hot, pinned", one_brick(kHot, "LoadBalancer", 4, "b{"), true, &hot,
              true);
  lane_figure(figures, "lb4", "shuffled", one_brick(kShuffled, "LoadBalancer", 4, "b{"), true,
              &shuffled);
  lane_figure(figures, "lb4", "mixed IMIX, shuffled", one_brick(kMixed, "LoadBalancer", 4, "b{"),
              true, &shuffled);
}

void measure_own_memory(Figures& figures) {
  lane_figure(figures, "lb4-own-memory", "hot", one_brick(kHot, "LoadBalancer", 4, "b{"), false);
  lane_figure(figures, "lb4-own-memory", "hot IMIX", one_brick(kHotImix, "LoadBalancer", 4, "b{"),
              false);
}

// All of them differ: each is remembered. All are copies: each is found.
void measure_deduplicator(Figures& figures) {
  const auto lane = [&](const char* input_set, const char* input, double window) {
    lane_figure(figures, "dedup", input_set,
                one_brick(input, "Deduplicator", 1, "null:", {{"window", window}}), false);
  };
  lane("hot, no copies", kHot, 0.001);
  lane("hot, nothing but copies", kHot, 1000);
  lane("hot IMIX, no copies", kHotImix, 0.001);
  lane("shuffled, no copies", kShuffled, 0.001);
}

void measure_filter(Figures& figures) {
  Options options;
  options["expression"] = std::string("tcp port 443 or udp port 53");
  Lane plain(one_brick(kHot, "Dummy", 1, "null:"), false);
  Lane filtered(one_brick(kHot, "Filter", 1, "null:", options), false);
  std::vector<double> runs;
  for (int run = 0; run < kRuns; ++run) {
    const double without = 1e3 / measure_rate([&] { return plain.breathe(); }).median;
    const double with = 1e3 / measure_rate([&] { return filtered.breathe(); }).median;
    runs.push_back(with - without);
  }
  filtered.check("filter");
  figures.push_back({"filter", "hot", "ns more than without", spread(runs), 0});
}

}  // namespace

void measure_in_process(const Wanted& wanted, Figures& figures) {
  if (wanted("lb4")) measure_lb4(figures);
  if (wanted("lb4-own-memory")) measure_own_memory(figures);
  if (wanted("dup4")) {
    lane_figure(figures, "dup4", "hot", one_brick(kHot, "Duplicator", 4, "b{"), true);
  }
  if (wanted("merge")) {
    Graph graph = one_brick(kHot, "Merge", 1, "b{0");
    graph.inlets.push_back({"gen:60?flows=1000&buffers=5120&seed=2", 0});
    lane_figure(figures, "merge", "hot, 2 inputs", graph, true);
  }
  if (wanted("filter")) measure_filter(figures);
  if (wanted("dedup")) measure_deduplicator(figures);
}

}  // namespace bench
