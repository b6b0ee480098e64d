// Random graphs with bricks that hold (Merge with a window, Deduplicator beside it, fragments
// before the balancers), one after the other under traffic: at every moment each packet is in one
// cell.
#include <chrono>
#include <cstdlib>

#include "check.hh"
#include "encapsulations.hh"
#include "engine_house.hh"
#include "pcap_bytes.hh"

namespace bricks {
namespace {

using frames::Bytes;

constexpr const char* kKinds[] = {"LoadBalancer", "Duplicator", "Merge", "Deduplicator",
                                  "Dummy",        "Merge",      "Filter"};

// Datagrams of three pieces in a random order, whole packets between them, some of them twice.
std::vector<conformance::Frame> traffic(uint32_t count, Random& random) {
  std::vector<Bytes> waiting;
  std::vector<conformance::Frame> made;
  const frames::Ends ends = {};
  while (made.size() < count) {
    if (waiting.size() < 12) {
      const auto host = static_cast<uint8_t>(1 + random.below(60));
      const auto id = static_cast<uint16_t>(random.next());
      const Bytes data = frames::udp(static_cast<uint16_t>(1000 + host), 53, Bytes(64, 'd'));
      for (uint16_t at = 0; at < data.size(); at = static_cast<uint16_t>(at + 24)) {
        const size_t end = std::min<size_t>(at + 24u, data.size());
        waiting.push_back(frames::ethernet(
            ends, 0x0800,
            frames::ip4(
                ends, {.protocol = 17, .net = host, .id = id, .at = at, .more = end < data.size()},
                {data.begin() + at, data.begin() + static_cast<long>(end)})));
      }
      waiting.push_back(frames::ethernet(
          ends, 0x0800, frames::ip4(ends, {.protocol = 17, .net = host, .id = id}, data)));
    }
    const uint32_t which = random.below(static_cast<uint32_t>(waiting.size()));
    const Nanos time = 1700000000000000000 + made.size() * 10000;
    made.push_back(conformance::whole(waiting[which], time));
    if (random.below(10) != 0) waiting.erase(waiting.begin() + which);
  }
  return made;
}

class RandomGraphs {
 public:
  RandomGraphs(Random& random, std::vector<std::string> inputs)
      : random_(random), inputs_(std::move(inputs)) {}

  // Bricks keep their ids from graph to graph, so that some of them stay and some change.
  Graph next() {
    Graph graph;
    const uint32_t bricks = 1 + random_.below(7);
    for (uint32_t i = 0; i < bricks; ++i) {
      const char* kind = kKinds[random_.below(std::size(kKinds))];
      Graph::Node& node = graph.bricks.emplace_back();
      node.kind = kind;
      node.id = kind + std::to_string(i);
      options(node);
      const bool many = node.kind == "LoadBalancer" || node.kind == "Duplicator";
      const uint32_t outlets = many ? 1 + random_.below(4) : 1;
      for (uint32_t o = 0; o < outlets; ++o) {
        // To a later brick, several to one at times: no circles.
        const bool fused = i + 1 < bricks && random_.below(3) != 0;
        const uint32_t child = i + 1 + (fused ? random_.below(bricks - i - 1) : 0);
        const std::string place = std::to_string(i) + "." + std::to_string(o);
        node.outlets.push_back(
            {(fused ? "link" : "null:out") + place, fused ? static_cast<int32_t>(child) : -1});
      }
    }
    for (const std::string& input : inputs_) {
      if (graph.inlets.empty() || random_.below(3)) {
        graph.inlets.push_back({input, random_.below(std::min(bricks, 3u))});
      }
    }
    return graph;
  }

 private:
  void options(Graph::Node& node) {
    if (node.kind == "Merge" && random_.below(3)) {
      node.options["window"] = 0.5 + random_.below(2);
      node.options["packets"] = int64_t{2048};
    } else if (node.kind == "Deduplicator") {
      node.options["window"] = 1.0 + random_.below(2);
      node.options["packets"] = int64_t{4096};
      node.options["measure"] = random_.below(4) == 0;
    } else if (node.kind == "Filter") {
      node.options["expression"] = std::string(random_.below(2) ? "udp" : "greater 70");
    } else if (node.kind == "LoadBalancer") {
      node.options["pin"] = random_.below(2) == 0;
    }
  }
  Random& random_;
  std::vector<std::string> inputs_;
};

Random seeded(uint64_t usual) {
  const char* given = std::getenv("BRICKS_TEST_SEED");
  Random random{given ? std::strtoull(given, nullptr, 0) : usual};
  std::printf("  seed %llu (BRICKS_TEST_SEED)\n", static_cast<unsigned long long>(random.state));
  return random;
}

std::shared_ptr<Engine> make_engine(PipeDirectory* directory) {
  std::shared_ptr<Engine> engine;
  CHECK(Engine::create("e", {}, directory, &engine).ok());
  return engine;
}

}  // namespace

TEST(random_graphs_with_holding_bricks_conserve_packets_under_changes) {
  Random random = seeded(401);
  captures::Folder folder;
  std::vector<std::string> inputs;
  for (uint32_t i = 0; i < 2; ++i) {
    const std::string path =
        folder.write(std::to_string(i) + ".pcap", captures::pcap_file({}, traffic(4000, random)));
    inputs.push_back("pcap:" + path + "?loop=0");  // for ever
  }
  inputs.push_back("gen:60?flows=50");
  PipeDirectory directory;
  const std::shared_ptr<Engine> engine = make_engine(&directory);
  RandomGraphs graphs(random, inputs);
  CHECK(engine->apply(graphs.next()).ok());
  CHECK(engine->start().ok());
  uint64_t held = 0, waited = 0, duplicates = 0;
  const auto tested = [&] { return held > 0 && waited > 0 && duplicates > 0; };
  const auto late = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  // Of packets of an engine that has few turns there is little to see.
  for (uint32_t change = 0; change < 300 || (!tested() && std::chrono::steady_clock::now() < late);
       ++change) {
    const Status status = engine->apply(graphs.next());
    if (!status.ok()) std::printf("  %s\n", status.message.c_str());
    CHECK(status.ok());
    if (change % 3 == 0) {  // not until it has moved
      const uint64_t breaths = engine->snapshot().breaths;
      CHECK(eventually([&] { return engine->snapshot().breaths > breaths + 2; }));
    }
    const EngineSnapshot now = engine->snapshot();
    if (difference(now) != 0) std::printf("  after change %u\n", change);
    CHECK_EQ(difference(now), 0);
    for (const auto& row : now.bricks) held += row.cell.held;
    for (const auto& row : now.bricks)
      duplicates += row.cell.dropped[static_cast<uint32_t>(Drop::duplicate)];
    for (const Figure& figure : now.fragments) {
      if (std::string(figure.name) == "fragments_waited") waited = figure.value;
    }
    if (random.below(20) == 0) {
      CHECK(engine->stop().ok());
      CHECK_EQ(difference(engine->snapshot()), 0);
      CHECK(engine->start().ok());
    }
  }
  CHECK(engine->stop().ok());
  CHECK_EQ(difference(engine->snapshot()), 0);
  std::printf("  %llu held when looked at, %llu fragments waited, %llu duplicates\n",
              static_cast<unsigned long long>(held), static_cast<unsigned long long>(waited),
              static_cast<unsigned long long>(duplicates));
  CHECK(tested());
}

TEST(random_graphs_with_holding_bricks_deliver_all_of_finite_inputs) {
  Random random = seeded(402);
  captures::Folder folder;
  std::vector<std::string> inputs;
  for (uint32_t i = 0; i < 3; ++i) {
    inputs.push_back("pcap:" + folder.write(std::to_string(i) + ".pcap",
                                            captures::pcap_file({}, traffic(3000, random))));
  }
  RandomGraphs graphs(random, inputs);
  PipeDirectory directory;
  for (uint32_t round = 0; round < 40; ++round) {
    const std::shared_ptr<Engine> engine = make_engine(&directory);
    const Graph graph = graphs.next();
    CHECK(engine->apply(graph).ok());
    CHECK(engine->start().ok());
    CHECK(eventually([&] { return engine->wait_drained(100); }, 60));
    const EngineSnapshot now = engine->snapshot();
    CHECK_EQ(difference(now), 0);
    uint64_t received = 0;
    for (const auto& row : now.inputs) received += row.cell.packets;
    CHECK_EQ(received, graph.inlets.size() * 3000);
    for (const auto& row : now.inputs) CHECK_EQ(row.cell.held + row.cell.dropped_total(), 0u);
    for (const auto& row : now.bricks) CHECK_EQ(row.cell.held, 0u);
    for (const auto& row : now.outputs) CHECK_EQ(row.cell.dropped_total() + row.cell.held, 0u);
  }
}

}  // namespace bricks
