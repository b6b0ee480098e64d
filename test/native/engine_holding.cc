// Engines with bricks that hold packets: nothing is lost when they come, go and wait, and all of it
// has left when the input is said to be drained.
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "check.hh"
#include "engine_house.hh"
#include "pcap_bytes.hh"

namespace bricks {
namespace {

// Frames of `count` packets over `files` captures, in the order of their times within each.
std::vector<std::vector<conformance::Frame>> spread(uint32_t files, uint32_t count,
                                                    Random& random) {
  std::vector<std::vector<conformance::Frame>> made(files);
  Nanos time = 1700000000000000000;
  uint32_t file = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (random.below(300) == 0) file = random.below(files);  // runs longer than a batch
    time += 1000 * (1 + random.below(2000));
    conformance::Frame frame = conformance::make_frame(i, 60 + random.below(200));
    frame.timestamp = time;
    frame.wire_length = static_cast<uint32_t>(frame.bytes.size());
    made[random.below(4) ? file : random.below(files)].push_back(std::move(frame));
  }
  return made;
}

Graph merge(const std::vector<std::string>& inputs, const std::string& output, double window,
            int64_t packets = 65536) {
  Graph graph;
  for (const std::string& input : inputs) graph.inlets.push_back({input, 0});
  Graph::Node& node = graph.bricks.emplace_back();
  node.id = node.kind = "Merge";
  node.options["window"] = window;
  node.options["packets"] = packets;
  node.outlets = {{output, -1}};
  return graph;
}

bool in_order(const std::vector<conformance::Frame>& frames) {
  return std::is_sorted(frames.begin(), frames.end(),
                        [](const auto& a, const auto& b) { return a.timestamp < b.timestamp; });
}

}  // namespace

TEST(holding_files_at_full_speed_are_merged_exactly) {
  Random random{20261121};
  captures::Folder folder;
  // More packets than the Merge may hold, and one file far behind the other.
  auto files = spread(3, 30000, random);
  for (auto& frame : files[2]) frame.timestamp += 20000000;
  std::vector<std::string> inputs;
  for (size_t i = 0; i < files.size(); ++i) {
    inputs.push_back("pcap:" +
                     folder.write(std::to_string(i) + ".pcap", captures::pcap_file({}, files[i])));
  }
  House house;
  CHECK(house.engine->apply(merge(inputs, "pcap:" + folder.path("out.pcap"), 0.001, 2048)).ok());
  CHECK(house.engine->start().ok());
  CHECK(eventually([&] { return house.engine->wait_drained(100); }, 60));
  const EngineSnapshot now = house.engine->snapshot();
  CHECK_EQ(difference(now), 0);
  CHECK_EQ(now.bricks[0].cell.held, 0u);
  CHECK_EQ(now.outputs[0].cell.delivered, 30000u);
  for (const Figure& figure : now.bricks[0].figures) {
    if (figure.value) std::printf("  %s %llu\n", figure.name, (unsigned long long)figure.value);
    CHECK_EQ(figure.value, 0u);
  }
  CHECK(house.engine->apply({}).ok());
  const captures::Reading out = captures::read_port("pcap:" + folder.path("out.pcap"));
  CHECK_EQ(out.frames.size(), 30000u);
  CHECK(in_order(out.frames));
}

// Two Merges, one behind the other, and a brick that drops most of one input between them.
TEST(holding_bricks_behind_each_other) {
  Random random{99};
  captures::Folder folder;
  const auto files = spread(3, 20000, random);
  std::vector<std::string> names;
  for (size_t i = 0; i < files.size(); ++i) {
    names.push_back("pcap:" +
                    folder.write(std::to_string(i) + ".pcap", captures::pcap_file({}, files[i])));
  }
  Graph graph = merge({names[0], names[1]}, "link", 0.001, 4096);
  graph.bricks[0].id = "inner";
  graph.bricks[0].outlets[0].brick = 1;
  Graph::Node& outer = graph.bricks.emplace_back(graph.bricks[0]);
  outer.id = "outer";
  outer.outlets = {{"pcap:" + folder.path("out.pcap"), -1}};
  outer.level = 2;
  Graph::Node& filter = graph.bricks.emplace_back();
  filter.id = filter.kind = "Filter";
  filter.options["expression"] = std::string("less 80");
  filter.outlets = {{"link2", 1}};
  graph.inlets.push_back({names[2], 2});
  House house;
  const Status status = house.engine->apply(graph);
  if (!status.ok()) std::printf("  %s\n", status.message.c_str());
  CHECK(status.ok());
  CHECK(house.engine->start().ok());
  CHECK(eventually([&] { return house.engine->wait_drained(100); }, 60));
  const EngineSnapshot now = house.engine->snapshot();
  CHECK_EQ(difference(now), 0);
  const uint64_t dropped = now.bricks[2].cell.dropped_total() + now.bricks[1].cell.dropped_total() +
                           now.bricks[0].cell.dropped_total();
  CHECK_EQ(now.outputs[0].cell.delivered + dropped, 20000u);
  CHECK(house.engine->apply({}).ok());
  CHECK(in_order(captures::read_port("pcap:" + folder.path("out.pcap")).frames));
}

// A merge whose packets wait for a stream that does not end.
struct Waiting {
  captures::Folder folder;
  std::string file, fifo;
  House house;

  explicit Waiting(const std::vector<conformance::Frame>& frames)
      : file(folder.write("a.pcap", captures::pcap_file({}, frames))),
        fifo(folder.path("fifo")),
        house(small_pipes()) {
    CHECK_EQ(mkfifo(fifo.c_str(), 0600), 0);
  }
  Graph graph() const { return merge({"pcap:" + file, "pcap:" + fifo}, "e{0", 60000); }

 private:
  static EngineOptions small_pipes() {
    EngineOptions options;
    options.pipe_slots = 64;
    return options;
  }
};

// What a brick holds leaves with it, through the outputs it has, also when those go at once and
// their consumer is slow.
TEST(holding_brick_that_leaves_loses_nothing) {
  Random random{7};
  const auto files = spread(2, 6000, random);
  Waiting waiting(files[0]);
  House& house = waiting.house;
  std::atomic<uint64_t> read{0};
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    bricks_options attach{};
    attach.run_dir = house.folder.path().c_str();
    attach.timeout_ms = -1;
    bricks_consumer* consumer = nullptr;
    if (bricks_attach(&consumer, "e}0", &attach, nullptr, 0) != BRICKS_OK) return;
    bricks_packet packets[16];
    while (!stop) {
      uint32_t count = 0;
      const bricks_result result = bricks_next_batch(consumer, packets, 16, &count);
      if (result == BRICKS_EMPTY) {
        bricks_wait(consumer, 20);
        continue;
      }
      if (result != BRICKS_OK) break;
      read += count;
    }
    bricks_detach(consumer);
  });
  CHECK(house.engine->apply(waiting.graph()).ok());
  CHECK(eventually([&] { return house.engine->snapshot().outputs[0].consumer_pid != 0; }));
  CHECK(house.engine->start().ok());
  CHECK(eventually([&] {
    const EngineSnapshot now = house.engine->snapshot();
    CHECK_EQ(difference(now), 0);
    return now.inputs[0].cell.packets == files[0].size();
  }));
  CHECK_EQ(house.engine->snapshot().bricks[0].cell.held, files[0].size());
  CHECK_EQ(read.load(), 0u);
  Graph other;
  other.inlets = {{"gen:60?flows=1&count=1", 0}};
  Graph::Node& node = other.bricks.emplace_back();
  node.id = node.kind = "Dummy";
  node.outlets = {{"null:", -1}};
  CHECK(house.engine->apply(other).ok());
  CHECK(eventually([&] { return read == files[0].size(); }));
  const EngineSnapshot now = house.engine->snapshot();
  CHECK_EQ(difference(now), 0);
  CHECK_EQ(now.retired_outputs.delivered, files[0].size());
  CHECK_EQ(now.retired_bricks.held, 0u);
  stop = true;
  reader.join();
}

// Nobody reads: a stop does not wait for ever and keeps what it could not give.
TEST(holding_engine_stops_though_nobody_reads) {
  Random random{8};
  const auto files = spread(1, 5000, random);
  Waiting waiting(files[0]);
  House& house = waiting.house;
  CHECK(house.engine->apply(waiting.graph()).ok());
  CHECK(house.engine->start().ok());
  CHECK(eventually([&] { return house.engine->snapshot().inputs[0].cell.packets == 5000; }));
  CHECK(house.engine->stop().ok());
  const EngineSnapshot now = house.engine->snapshot();
  CHECK_EQ(difference(now), 0);
  CHECK_EQ(now.outputs[0].cell.dropped_total(), 0u);
  CHECK(house.engine->start().ok());
  CHECK_EQ(difference(house.engine->snapshot()), 0);
}

}  // namespace bricks
