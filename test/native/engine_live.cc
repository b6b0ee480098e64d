// Engines under load: the ledger balances after every change of graph, hostile and absent consumers
// disturb nobody else, and what a consumer gets is what went in.
#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <set>
#include <thread>

#include "abi/pipe.h"
#include "check.hh"
#include "engine_house.hh"

namespace bricks {

namespace {

Graph balance(const std::string& input, uint32_t outputs, const char* prefix = "e{") {
  Graph graph;
  graph.inlets = {{input, 0}};
  Graph::Node& node = graph.bricks.emplace_back();
  node.id = node.kind = "LoadBalancer";
  for (uint32_t i = 0; i < outputs; ++i) node.outlets.push_back({prefix + std::to_string(i), -1});
  return graph;
}

// Reads a pipe in a thread until its end or until told; counts, and checks the bytes of gen:
// packets (every one has right IPv4 or IPv6 version and the length it says).
class Reader {
 public:
  Reader(const std::string& run_dir, std::string name) {
    thread_ = std::thread([this, run_dir, name] {
      bricks_options options{};
      options.run_dir = run_dir.c_str();
      options.timeout_ms = -1;
      bricks_consumer* consumer = nullptr;
      if (bricks_attach(&consumer, name.c_str(), &options, nullptr, 0) != BRICKS_OK) return;
      bricks_packet packets[64];
      while (!stop_) {
        uint32_t count = 0;
        const bricks_result result = bricks_next_batch(consumer, packets, 64, &count);
        if (result == BRICKS_EMPTY) {
          bricks_wait(consumer, 20);
          continue;
        }
        if (result != BRICKS_OK) break;
        for (uint32_t i = 0; i < count; ++i) {
          const bricks_packet& p = packets[i];
          if (p.captured < 60 || p.data[12] != 8 || p.data[14] != 0x45 ||
              static_cast<uint32_t>(p.data[16] << 8 | p.data[17]) + 14 > p.captured) {
            ++wrong_;
          }
        }
        count_ += count;
      }
      bricks_detach(consumer);
    });
  }
  ~Reader() {
    stop_ = true;
    thread_.join();
  }
  uint64_t count() const { return count_; }
  uint64_t wrong() const { return wrong_; }

 private:
  std::thread thread_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> count_{0}, wrong_{0};
};

}  // namespace

TEST(engine_counts_every_packet_of_a_finite_input) {
  House house;
  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 0; i < 4; ++i) {
    readers.push_back(std::make_unique<Reader>(house.folder.path(), "e}" + std::to_string(i)));
  }
  CHECK(house.engine->apply(balance("gen:60?flows=500&count=300000", 4)).ok());
  CHECK(eventually([&] {
    const EngineSnapshot now = house.engine->snapshot();
    int attached = 0;
    for (const auto& output : now.outputs) attached += output.consumer_pid != 0;
    return attached == 4;
  }));
  CHECK(house.engine->start().ok());
  CHECK(house.engine->wait_drained(60000));
  const EngineSnapshot now = house.engine->snapshot();
  CHECK_EQ(difference(now), 0);
  CHECK_EQ(now.inputs[0].cell.packets, 300000u);
  uint64_t delivered = 0, dropped = 0;
  for (const auto& output : now.outputs) {
    delivered += output.cell.delivered;
    dropped += output.cell.dropped_total();
  }
  CHECK_EQ(delivered + dropped, 300000u);
  uint64_t read = 0, wrong = 0;
  CHECK(house.engine->stop().ok());
  for (const auto& reader : readers) {
    CHECK(eventually([&] { return reader->count() > 0; }));
    read += reader->count();
    wrong += reader->wrong();
  }
  CHECK_EQ(read, delivered);
  CHECK_EQ(wrong, 0u);
}

// The heart of "change anything while it runs": random graphs, one after the other, at full speed.
TEST(engine_reconfigures_at_full_speed) {
  const char* given = std::getenv("BRICKS_TEST_SEED");
  Random random{given ? std::strtoull(given, nullptr, 0) : 20261121};
  const char* length = std::getenv("BRICKS_TEST_SECONDS");
  const double seconds = length ? std::atof(length) : 4;
  std::printf("  seed %llu (BRICKS_TEST_SEED), %.0f s (BRICKS_TEST_SECONDS)\n",
              static_cast<unsigned long long>(random.state), seconds);
  for (const bool shared : {false, true}) {
    EngineOptions options;
    options.shared = shared;
    House house(options);
    Reader steady(house.folder.path(), "e}0");
    CHECK(house.engine->apply(balance("gen:60?flows=100", 1)).ok());
    CHECK(house.engine->start().ok());
    CHECK(eventually([&] { return steady.count() > 0; }));
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds / 2);
    uint32_t changes = 0;
    int64_t worst = 0;
    while (changes <= 20 || std::chrono::steady_clock::now() < end) {
      Graph graph = balance("gen:60?flows=100", 1 + random.below(6));
      if (random.below(3) == 0) graph.inlets.push_back({"gen:imix?flows=50&seed=3", 0});
      if (random.below(3) == 0) graph.bricks[0].kind = graph.bricks[0].id = "Duplicator";
      if (random.below(3) == 0 && graph.bricks[0].outlets.size() > 2) {  // a Merge behind two links
        Graph::Node& merge = graph.bricks.emplace_back();
        merge.kind = merge.id = "Merge";
        merge.level = 2;
        merge.outlets = {{"e{9", -1}};
        graph.bricks[0].outlets[1].brick = graph.bricks[0].outlets[2].brick = 1;
        if (random.below(2) == 0) {  // that holds, and in whose place another one comes
          merge.options["window"] = 1.0 + random.below(3);
          merge.options["packets"] = int64_t{4096};
        }
      }
      const Status status = house.engine->apply(graph);
      if (!status.ok()) std::printf("  %s\n", status.message.c_str());
      CHECK(status.ok());
      ++changes;
      const int64_t off = difference(house.engine->snapshot());
      if (off != 0) worst = off;
      if (random.below(20) == 0) {
        CHECK(house.engine->stop().ok());
        CHECK_EQ(difference(house.engine->snapshot()), 0);
        CHECK(house.engine->start().ok());
      }
    }
    CHECK_EQ(worst, 0);
    const uint64_t before = steady.count();
    CHECK(eventually([&] { return steady.count() > before; }));
    CHECK_EQ(steady.wrong(), 0u);
    std::printf("  %s: %u changes, %llu packets read\n", shared ? "shared region" : "own memory",
                changes, static_cast<unsigned long long>(steady.count()));
  }
}

TEST(engine_adding_outputs_loses_nothing_of_a_lossless_input) {
  House house;
  Reader reader(house.folder.path(), "e}0");
  // A Duplicator: output 0 must get every packet, whatever comes and goes beside it.
  Graph graph = balance("pcap:" + house.folder.path() + "/in.pcap", 1);
  graph.bricks[0].kind = "Duplicator";
  Graph make = balance("gen:60?flows=100&count=200000", 1);
  make.bricks[0].outlets[0].name = "pcap:" + house.folder.path() + "/in.pcap";
  CHECK(house.engine->apply(make).ok());
  CHECK(house.engine->start().ok());
  while (!house.engine->wait_drained(1000)) continue;
  CHECK(house.engine->stop().ok());
  const uint64_t written = house.engine->snapshot().outputs[0].cell.delivered;
  CHECK(house.engine->apply(graph).ok());
  CHECK(house.engine->start().ok());
  CHECK(eventually([&] { return reader.count() > 0; }));
  for (int round = 0; round < 50; ++round) {
    Graph more = graph;
    more.bricks[0].outlets.push_back({"null:", -1});
    CHECK(house.engine->apply(more).ok());
    CHECK_EQ(difference(house.engine->snapshot()), 0);
    CHECK(house.engine->apply(graph).ok());
  }
  CHECK(eventually([&] { return house.engine->wait_drained(100); }, 60));
  eventually([&] { return reader.count() == written; });
  CHECK_EQ(reader.count(), written);
  const LedgerCell end = house.engine->snapshot().outputs[0].cell;
  CHECK_EQ(end.delivered, written);
  for (uint32_t reason = 0; reason < kDropReasonCount; ++reason) {
    if (end.dropped[reason] == 0) continue;
    std::printf("  dropped as %s: %llu\n", kDropReasons[reason].name,
                static_cast<unsigned long long>(end.dropped[reason]));
  }
  CHECK_EQ(difference(house.engine->snapshot()), 0);
  unlink((house.folder.path() + "/in.pcap").c_str());
}

// A consumer that scribbles over all it can reach; the other pipe and the ledger do not notice.
TEST(engine_survives_a_scribbling_consumer) {
  House house;
  Reader good(house.folder.path(), "e}1");
  CHECK(house.engine->apply(balance("gen:60?flows=100", 2)).ok());
  CHECK(house.engine->start().ok());
  CHECK(eventually([&] { return good.count() > 0; }));
  std::shared_ptr<PipeShare> share;
  CHECK(house.directory.attach("e}0", 1, &share).ok());
  auto* memory = static_cast<uint8_t*>(
      mmap(nullptr, share->region_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, share->memory_fd, 0));
  CHECK(memory != MAP_FAILED);
  Random random{99};
  for (int round = 0; round < 300; ++round) {
    for (int i = 0; i < 2000; ++i) {
      auto* word = reinterpret_cast<uint32_t*>(memory) + random.below(18000 / 4);
      __atomic_store_n(word, static_cast<uint32_t>(random.next()), __ATOMIC_RELAXED);
    }
    CHECK_EQ(difference(house.engine->snapshot()), 0);
  }
  CHECK(ftruncate(share->memory_fd, 0) != 0);  // sealed
  house.directory.detach(share);
  const uint64_t before = good.count();
  CHECK(eventually([&] { return good.count() > before + 1000; }));
  CHECK_EQ(good.wrong(), 0u);
  munmap(memory, share->region_bytes);
  share.reset();
  // The next consumer finds constants that make sense again, and packets.
  Reader next(house.folder.path(), "e}0");
  CHECK(eventually([&] { return next.count() > 2048; }));
  CHECK_EQ(difference(house.engine->snapshot()), 0);
}

TEST(engine_says_no_and_changes_nothing) {
  House house;
  CHECK_EQ(house.engine->start().code, Code::not_linked);
  CHECK_EQ(house.engine->stop().code, Code::not_running);
  CHECK(house.engine->apply(balance("gen:60?flows=10", 2)).ok());
  CHECK(house.engine->start().ok());
  CHECK_EQ(house.engine->start().code, Code::already_running);
  Graph bad = balance("gen:60?flows=10", 2);
  bad.bricks[0].outlets.push_back({"pcap:/no/such/folder/out.pcap", -1});
  CHECK(!house.engine->apply(bad).ok());
  bad = balance("pcap:/no/such/file.pcap", 2);
  CHECK_EQ(house.engine->apply(bad).code, Code::no_such_file);
  bad = balance("gen:60?flows=10", 2);
  bad.bricks[0].kind = "Nonsense";
  CHECK_EQ(house.engine->apply(bad).code, Code::unknown_brick);
  bad = balance("gen:60?flows=10", 2);
  bad.bricks[0].outlets[1].name = "e{0";
  CHECK_EQ(house.engine->apply(bad).code, Code::invalid_graph);
  bad = balance("gen:60?flows=10", 2);
  bad.bricks[0].outlets[1].brick = 0;  // a link to itself
  CHECK_EQ(house.engine->apply(bad).code, Code::invalid_graph);
  const EngineSnapshot now = house.engine->snapshot();
  CHECK_EQ(now.outputs.size(), 2u);
  CHECK(now.running);
  CHECK_EQ(difference(now), 0);
}

}  // namespace bricks
