// Memory is bounded, what a caller takes back comes again, and options are held to their ranges.
#include "stream_fixture.hh"
#include "streams/segment_tree.hh"

using namespace stream_fixture;

TEST(streams_a_dropped_segment_comes_again) {
  Talk talk;
  talk.syn();
  talk.data(0, "hello");
  talk.data(5, " bad");
  talk.streams().undo(talk.connection(), 0);  // a plugin dropped the packet
  CHECK_EQ(talk.position().next, 5u);
  talk.data(9, "!");  // the next one waits for it, as the receiver does
  CHECK_EQ(talk.data(5, " you"), Taken::in_order);
  CHECK_EQ(talk.log.text(), std::string("p0+9:hello bad p5+5: you! "));
  CHECK_EQ(talk.streams().counts().undone, 1u);

  Talk waiting;
  waiting.syn();
  CHECK_EQ(waiting.data(5, " bad"), Taken::waiting);
  waiting.streams().undo(waiting.connection(), 0);
  CHECK_EQ(waiting.position().waiting, 0u);
  waiting.data(0, "hello");
  CHECK_EQ(waiting.data(5, " you"), Taken::in_order);
  CHECK_EQ(waiting.log.text(), std::string("p0+9:hello you "));
  CHECK(waiting.log.conflicts.empty());

  Talk finished;
  finished.syn();
  finished.data(0, "bad", kFin);
  finished.streams().undo(finished.connection(), 0);
  CHECK(!finished.position().finished);
  finished.data(0, "hello", kFin);
  CHECK_EQ(finished.log.text(), std::string("p0+3:bad p0+5:hello "));
  CHECK_EQ(finished.log.ends, std::string("0@3fin 0@5fin "));
}

TEST(streams_a_dropped_segment_that_filled_a_hole_is_judged_again) {
  Talk talk;
  talk.syn();
  talk.data(3, "lo");
  talk.data(0, "BAD");  // "lo" goes out with it
  talk.streams().undo(talk.connection(), 0);
  CHECK_EQ(talk.position().next, 5u);
  CHECK_EQ(talk.data(0, "BAD"), Taken::old);
  talk.streams().undo(talk.connection(), 0);
  CHECK_EQ(talk.data(0, "hel"), Taken::old);
  CHECK_EQ(talk.log.text(), std::string("p0+5:BADlo p0+3:BAD p0+3:hel "));
  CHECK_EQ(talk.data(0, "hel"), Taken::old);  // and only once
  CHECK_EQ(talk.log.events[0].size(), 3u);
}

TEST(streams_over_the_cap_by_each_policy) {
  const auto run = [](OverCap over, std::string* said, Taken* taken) {
    StreamOptions options = small_options();
    options.segments = 3;
    options.over_cap = over;
    Talk talk(options);
    talk.syn();
    for (int i = 1; i <= 3; ++i) talk.data(i * 10, "wait");
    *taken = talk.data(40, "more");
    talk.close();
    *said = talk.log.text() + talk.log.ends;
  };
  std::string said;
  Taken taken;
  run(OverCap::skip, &said, &taken);
  CHECK_EQ(taken, Taken::waiting);
  CHECK_EQ(said, std::string("g0+10:cap p10+4:wait g14+6:flush p20+4:wait g24+6:flush p30+4:wait "
                             "g34+6:flush p40+4:more "));
  run(OverCap::refuse, &said, &taken);
  CHECK_EQ(taken, Taken::refused);
  CHECK_EQ(said, std::string("g0+10:flush p10+4:wait g14+6:flush p20+4:wait g24+6:flush "
                             "p30+4:wait "));
  run(OverCap::stop, &said, &taken);
  CHECK_EQ(taken, Taken::stopped);
  CHECK_EQ(said, std::string("0@0cap "));
}

TEST(streams_memory_stays_below_each_cap) {
  StreamOptions options = small_options();
  options.bytes = 1u << 20;
  options.session_bytes = 300u << 10;
  options.direction_bytes = 200u << 10;
  options.segments = 100000;
  std::unique_ptr<TcpStreams> streams;
  CHECK(TcpStreams::create(options, &streams).ok());
  Log log;
  std::vector<uint32_t> connections;
  for (int i = 0; i < 8; ++i) connections.push_back(streams->open());
  const std::vector<uint8_t> payload(1400, 'x');
  TcpSegment segment;
  segment.payload = payload.data();
  for (int i = 0; i < 4000; ++i) {
    for (const uint32_t connection : connections) {
      const auto direction = static_cast<uint32_t>(i % 2);
      segment.seq = static_cast<uint32_t>(i / 2 * 5000);  // never in order
      segment.length = i % 7 ? 1400 : 1;
      segment.flags = i < 2 ? kSyn : 0;
      streams->segment(connection, direction, segment, log);
      CHECK(streams->position(connection, direction).memory <= options.direction_bytes * 8 / 7);
      CHECK(streams->position(connection, 0).memory + streams->position(connection, 1).memory <=
            options.session_bytes * 8 / 7);
      CHECK(streams->bytes_used() <= options.bytes);
    }
    streams->recycle();
  }
  CHECK(streams->counts().gaps[static_cast<int>(GapReason::cap)] > 1000);
  for (const uint32_t connection : connections) streams->close(connection, log);
  CHECK_EQ(streams->bytes_used(), 0u);
  // Every byte once, and every hole said.
  for (const auto& events : log.events) CHECK(!events.empty());
}

TEST(streams_without_recycle_it_goes_on_over_the_cap) {
  StreamOptions options = small_options();
  options.bytes = 1u << 20;
  std::unique_ptr<TcpStreams> streams;
  CHECK(TcpStreams::create(options, &streams).ok());
  const uint32_t connection = streams->open();
  Log log;
  const std::vector<uint8_t> payload(1000, 'x');
  TcpSegment segment;
  segment.payload = payload.data();
  segment.length = 1000;
  for (uint32_t i = 0; i < 5000; i += 2) {  // each pair swapped
    segment.seq = (i + 1) * 1000;
    streams->segment(connection, 0, segment, log);
    segment.seq = i * 1000;
    streams->segment(connection, 0, segment, log);
  }
  CHECK(streams->counts().gaps[static_cast<int>(GapReason::cap)] > 0);
  streams->close(connection, log);
  streams->recycle();
  CHECK_EQ(streams->bytes_used(), 0u);
}

TEST(streams_connections_are_bounded_and_come_back) {
  StreamOptions options = small_options();
  options.connections = 3;
  std::unique_ptr<TcpStreams> streams;
  CHECK(TcpStreams::create(options, &streams).ok());
  Log log;
  const uint32_t first = streams->open();
  CHECK(first && streams->open() && streams->open());
  CHECK_EQ(streams->open(), 0u);
  CHECK_EQ(streams->counts().no_connection, 1u);
  streams->close(first, log);
  CHECK_EQ(streams->open(), first);
}

TEST(streams_options_out_of_range_are_refused_by_name) {
  std::unique_ptr<TcpStreams> streams;
  const auto refuses = [&](auto change, const char* name) {
    StreamOptions options;
    change(options);
    const bricks::Status status = TcpStreams::create(options, &streams);
    CHECK_EQ(status.code, bricks::Code::invalid_argument);
    CHECK(status.message.find(name) != std::string::npos);
    CHECK(!streams);
  };
  refuses([](auto& options) { options.connections = 0; }, "connections");
  refuses([](auto& options) { options.segments = 0; }, "segments");
  refuses([](auto& options) { options.evidence = 1u << 30; }, "evidence");
  refuses([](auto& options) { options.direction_bytes = 1000; }, "direction_bytes");
  refuses([](auto& options) { options.session_bytes = 1000; }, "session_bytes");
  refuses([](auto& options) { options.bytes = 1000; }, "bytes");
}

namespace {

uint32_t depth_of(const SegmentNodes& nodes, uint32_t tree) {
  if (!tree) return 0;
  return 1 + std::max(depth_of(nodes, nodes.at(tree).left), depth_of(nodes, nodes.at(tree).right));
}

}  // namespace

// Work for a segment is the depth of the tree and what it lies over: neither grows with a flood of
// tiny segments, whatever their order.
TEST(streams_a_flood_of_tiny_segments_makes_no_deep_tree) {
  constexpr uint32_t kCount = 100000;
  for (int way = 0; way < 3; ++way) {
    std::vector<SegmentNode> memory(kCount + 1);
    SegmentNodes nodes;
    nodes.init(memory.data(), kCount, 0x9e3779b97f4a7c15 + static_cast<uint64_t>(way));
    uint32_t root = kNoSegment;
    for (uint32_t i = 0; i < kCount; ++i) {
      const uint32_t place = way == 0 ? i : way == 1 ? kCount - i : (i * 7919) % kCount;
      nodes.insert(&root, place * 2, place * 2 + 1);
    }
    CHECK(depth_of(nodes, root) < 64);  // log2 is 17; a list would have 100,000
    uint32_t found[8];
    CHECK_EQ(nodes.overlaps(root, 1000, 1003, found, 8), 2u);
    CHECK_EQ(nodes.overlaps(root, 0, kCount, found, 8), 9u);  // "more than 8"
    while (root) nodes.remove(&root, nodes.first(root));
    CHECK_EQ(nodes.used(), 0u);
  }
}

TEST(streams_a_segment_over_too_many_is_over_the_cap) {
  StreamOptions options = small_options();
  options.segments = 100000;
  Talk talk(options);
  talk.syn();
  for (uint32_t i = 0; i < bricks::kStreamOverlapsMax + 1; ++i) talk.data(10 + i * 2, "x");
  CHECK_EQ(talk.data(5, std::string(1000, 'y')), Taken::in_order);
  CHECK(talk.streams().counts().gaps[static_cast<int>(GapReason::cap)] > 0);
  // In order nothing of it has to be kept: all goes out, without a gap.
  Talk other(options);
  other.syn();
  for (uint32_t i = 0; i < 5000; ++i) other.data(10 + i * 2, "x");
  CHECK_EQ(other.data(0, std::string(10009, 'y')), Taken::in_order);
  CHECK_EQ(other.log.events[0].size(), 1u);
  CHECK_EQ(other.position().waiting, 0u);
}
