// Queues in an engine: what they do where outputs have no room, and that sessions wait for them.
#include <atomic>
#include <thread>

#include "check.hh"
#include "pcap_bytes.hh"
#include "queues/queue_groups.hh"
#include "session_fixture.hh"
#include "session_house.hh"

namespace bricks {
namespace {

// A queue group of this process, for one test.
struct Group {
  uint32_t id;
  Group(uint32_t number, const QueueParameters& parameters) : id(number) {
    const Status status = process_queue_groups().create(id, parameters);
    if (!status.ok()) std::printf("  %s\n", status.message.c_str());
    CHECK(status.ok());
  }
  ~Group() { CHECK(process_queue_groups().remove(id).ok()); }
  QueueStats stats() const {
    QueueGroupInfo info{};
    CHECK(process_queue_groups().get(id, &info).ok());
    return info.stats;
  }
};

QueueParameters without_rate() {
  QueueParameters made = default_queue(0, 0);
  made.kind = QueueKind::aqm;
  made.discipline = QueueDiscipline::codel;
  made.codel.target = 2000000;
  made.codel.interval = 10000000;
  made.codel.mtu = 1514;
  made.packets = 256;
  return made;
}

// Takes up to 32 packets every millisecond; all there are when told that it is the end.
class SlowReader {
 public:
  explicit SlowReader(const House& house)
      : thread_([this, run_dir = house.folder.path()] { run(run_dir); }) {}
  ~SlowReader() {
    stop_ = true;
    thread_.join();
  }
  uint64_t count() const { return count_; }

 private:
  void run(const std::string& run_dir) {
    bricks_options attach{};
    attach.run_dir = run_dir.c_str();
    attach.timeout_ms = -1;
    bricks_consumer* consumer = nullptr;
    if (bricks_attach(&consumer, "e}0", &attach, nullptr, 0) != BRICKS_OK) return;
    bricks_packet packets[32];
    while (!stop_) {
      uint32_t count = 0;
      if (bricks_next_batch(consumer, packets, 32, &count) == BRICKS_OK) count_ += count;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    bricks_detach(consumer);
  }
  std::atomic<uint64_t> count_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

uint64_t dropped(const LedgerCell& cell, Drop reason) {
  return cell.dropped[static_cast<size_t>(reason)];
}

Graph through_queue(const std::string& input, const std::string& output, uint32_t group) {
  Graph graph;
  graph.inlets = {{input, 0}};
  Graph::Node& node = graph.bricks.emplace_back();
  node.id = node.kind = "Queue";
  node.options["groups"] = std::vector<double>{static_cast<double>(group)};
  node.outlets = {{output, -1}};
  return graph;
}

}  // namespace

// More than a slow consumer can take: the queue is where packets wait and are dropped, by CoDel and
// for its length, and its ring never overflows.
TEST(queue_without_rate_goes_by_the_consumer) {
  const Group group(8, without_rate());
  EngineOptions options;
  options.pipe_slots = 64;
  House house(options);
  SlowReader reader(house);
  CHECK(house.engine->apply(through_queue("gen:60?flows=10", "e{0", group.id)).ok());
  CHECK(eventually([&] { return house.engine->snapshot().outputs[0].consumer_pid != 0; }));
  CHECK(house.engine->start().ok());
  CHECK(eventually([&] {
    const EngineSnapshot now = house.engine->snapshot();
    CHECK_EQ(difference(now), 0);
    return dropped(now.bricks[0].cell, Drop::aqm_drop) >= 20 && reader.count() > 2000;
  }));
  CHECK(house.engine->stop().ok());
  const EngineSnapshot now = house.engine->snapshot();
  const LedgerCell& cell = now.bricks[0].cell;
  CHECK_EQ(difference(now), 0);
  CHECK_EQ(now.outputs[0].cell.dropped_total(), 0u);  // ring_full, above all
  CHECK_EQ(cell.held, 0u);
  const QueueStats stats = group.stats();
  CHECK(stats.balanced());
  CHECK_EQ(stats[QueueCount::enqueued], cell.packets);
  CHECK_EQ(stats[QueueCount::backlog], 0u);
  CHECK_EQ(stats[QueueCount::aqm_drop], dropped(cell, Drop::aqm_drop));
  CHECK_EQ(stats[QueueCount::queue_full], dropped(cell, Drop::queue_full));
  CHECK_EQ(stats[QueueCount::dequeued], cell.packets - cell.dropped_total());
  std::printf("  %llu came, %llu went, %llu dropped by CoDel\n",
              (unsigned long long)stats[QueueCount::enqueued],
              (unsigned long long)stats[QueueCount::dequeued],
              (unsigned long long)stats[QueueCount::aqm_drop]);
}

// A group that gets a rate is no longer held up by the consumer: its ring overflows, as it would
// for anybody; and without a consumer nothing waits for one.
TEST(queue_with_a_rate_does_not_ask_for_room) {
  const Group group(8, without_rate());
  EngineOptions options;
  options.pipe_slots = 64;
  House house(options);
  CHECK(house.engine->apply(through_queue("gen:60?flows=10", "e{0", group.id)).ok());
  CHECK(house.engine->start().ok());
  CHECK(eventually([&] {
    return dropped(house.engine->snapshot().outputs[0].cell, Drop::no_consumer) > 10000;
  }));
  CHECK_EQ(group.stats()[QueueCount::backlog], 0u);
  SlowReader reader(house);
  CHECK(eventually([&] { return group.stats()[QueueCount::queue_full] > 1000; }));
  const uint64_t before = dropped(house.engine->snapshot().outputs[0].cell, Drop::ring_full);
  QueueParameters fast = default_queue(1000000000, 1000000);
  fast.packets = 256;
  CHECK(process_queue_groups().create(group.id, fast).ok());
  CHECK(eventually([&] {
    const EngineSnapshot now = house.engine->snapshot();
    CHECK_EQ(difference(now), 0);
    return dropped(now.outputs[0].cell, Drop::ring_full) > before + 1000;
  }));
}

namespace sessions {

// Edge case 11: a session has to give way while its packets wait. It is told of its end at once;
// its entry is nobody else's, or another session's packets would queue up behind them.
TEST(edge_case_11_evicted_while_its_packets_wait) {
  captures::Folder folder;
  std::vector<conformance::Frame> frames;
  Nanos time = kStart;
  const auto say = [&](const Ends& ends, const std::string& text) {
    frames.push_back(conformance::whole(udp_saying(ends, text), time += 1000));
  };
  constexpr uint32_t kOwn = 40, kDropped = 10, kOthers = 2000;
  // The first takes the tokens, the queue is full before the last.
  for (uint32_t i = 0; i < kOwn + 1; ++i) say({1, 2, 1000, 53}, "G7" + std::string(1470, 'x'));
  for (uint32_t i = 0; i < kOthers; ++i) say({3, 4, static_cast<uint16_t>(2000 + i), 53}, "hello");
  const std::string in = "pcap:" + folder.write("in.pcap", captures::pcap_file({}, frames));
  QueueParameters slow = default_queue(1000, 1500);
  slow.packets = kOwn - kDropped;
  const Group group(7, slow);
  const Plugged plugged("session_probe");
  EngineOptions options;
  options.sessions = 64;
  House house(options);
  const std::vector<std::string> out = {"pcap:" + folder.path("out.pcap")};
  const EngineSnapshot now = run_to_the_end(house, session({in}, out, plugged));
  CHECK_EQ(now.bricks[0].cell.held, 0u);
  CHECK_EQ(dropped(now.bricks[0].cell, Drop::queue_full), uint64_t{kDropped});
  CHECK_EQ(figure(now, "created"), uint64_t{kOthers + 1});
  CHECK_EQ(figure(now, "closed"), uint64_t{kOthers + 1});
  CHECK(figure(now, "evicted") > 1900);
  CHECK_EQ(figure(now, "queue_dropped"), uint64_t{kDropped});
  CHECK(group.stats().balanced());
  CHECK_EQ(group.stats()[QueueCount::enqueued], uint64_t{kOwn + 1});  // nobody else's
  CHECK_EQ(now.outputs[0].cell.delivered, uint64_t{kOwn + 1 - kDropped + kOthers});
  CHECK(house.engine->apply({}).ok());
}

// Edge case 8: a group that a plugin gives a session with its first packet holds for that packet,
// though the session is new and the packet the only one.
TEST(edge_case_08_group_of_the_first_packet) {
  captures::Folder folder;
  std::vector<conformance::Frame> frames;
  constexpr uint32_t kSessions = 10, kLength = 14 + 20 + 8 + 1472;
  Nanos time = kStart;
  for (uint32_t i = 0; i < kSessions; ++i) {
    const Ends ends = {1, 2, static_cast<uint16_t>(1000 + i), 53};
    for (const char* text : {"G7", "as well"}) {
      std::string said = text;
      said.resize(1472, 'x');
      frames.push_back(conformance::whole(udp_saying(ends, said), time += 1000));
      CHECK_EQ(frames.back().bytes.size(), size_t{kLength});
      if (i % 2) break;  // every other session is one packet
    }
  }
  const std::string in = "pcap:" + folder.write("in.pcap", captures::pcap_file({}, frames));
  QueueParameters strict = default_queue(1000, 3000);
  strict.kind = QueueKind::policer;
  const Group group(7, strict);
  const Plugged plugged("session_probe");
  {
    House house;
    const std::vector<std::string> out = {"pcap:" + folder.path("out.pcap")};
    const EngineSnapshot now = run_to_the_end(house, session({in}, out, plugged));
    // The bucket has room for two: all others of all sessions are dropped, the first ones, too.
    CHECK_EQ(dropped(now.bricks[0].cell, Drop::policed), uint64_t{frames.size() - 2});
    CHECK_EQ(now.outputs[0].cell.delivered, uint64_t{2});
    CHECK_EQ(group.stats()[QueueCount::policed], uint64_t{frames.size() - 2});
    CHECK_EQ(group.stats()[QueueCount::enqueued], uint64_t{frames.size()});
  }
}

// The entry of a session that is over comes back with its last packet, not before, and once.
TEST(session_entry_waits_for_queued_packets) {
  World world;
  auto next = [&, port = uint16_t{1}]() mutable {
    world.push(udp_frame({1, 2, ++port, 53}));
    return world.manager->entry(0);
  };
  const uint32_t first = next();
  const uint32_t held = next();
  world.manager->track(held).queued = 2;
  const auto end_all = [&] {
    world.end(BRICKS_CLOSE_ADMIN);
    CHECK_EQ(world.counts().live, uint64_t{0});
  };
  end_all();
  CHECK_EQ(next(), first);
  world.manager->left_queue(held);
  end_all();
  CHECK_EQ(next(), first);
  world.manager->left_queue(held);
  CHECK_EQ(next(), held);
  CHECK(next() > held);
}

}  // namespace sessions
}  // namespace bricks
