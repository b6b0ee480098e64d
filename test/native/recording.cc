// A recorder's memory: what is kept, what has to go, readers that begin in the past and keep up, or
// do not; one writer and many readers at once.
#include "ports/recording.hh"

#include <atomic>
#include <ctime>
#include <thread>

#include "abi/bricks_list.h"
#include "check.hh"
#include "engine/runtime.hh"
#include "pipe_fixture.hh"

using namespace bricks;

namespace {

constexpr Nanos kSecond = 1000000000;

Nanos wall_clock() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<Nanos>(now.tv_sec) * kSecond + static_cast<Nanos>(now.tv_nsec);
}

// Frames whose number is in their first bytes and in their length.
struct Writer {
  Batch batch;
  std::vector<Bytes> frames;
  Index picks[kBatchMax];
  uint64_t bytes = 0, number = 0;

  static size_t length(uint64_t n) { return 60 + n * 7 % 1400; }
  uint32_t add(Recording& to, uint32_t count, Nanos came) {
    frames.clear();
    batch.count = count;
    batch.now = came;
    for (uint32_t i = 0; i < count; ++i, ++number) {
      frames.push_back(make_frame(number, length(number)));
      batch.packets[i] = {};
      batch.packets[i].data = frames.back().data();
      batch.packets[i].length = static_cast<uint32_t>(frames.back().size());
      batch.packets[i].timestamp = 1000 + number;
      picks[i] = static_cast<Index>(i);
    }
    return to.add(batch, picks, count, &bytes);
  }
};

// Reads all there is; says how many were right, and stops at the first that is not.
struct Sink {
  Batch batch;
  uint64_t packets = 0, lost = 0, first = UINT64_MAX, next = 0;
  bool good = true;

  bool read(Recording::Reader& reader) {
    const uint32_t count = reader.look(batch, &lost);
    for (uint32_t i = 0; i < count; ++i) {
      const Packet& packet = batch.packets[i];
      const uint64_t number = packet.timestamp - 1000;
      if (first == UINT64_MAX) first = next = number;
      next = packets + first + lost;
      const Bytes frame = make_frame(number, Writer::length(number));
      good = good && number == next && packet.length == frame.size() &&
             std::memcmp(packet.data, frame.data(), frame.size()) == 0;
      ++packets;
    }
    reader.release(count);
    return count > 0;
  }
};

std::shared_ptr<Recording> make(uint32_t seconds = 60, uint64_t bytes = kRecordBytesMin) {
  std::shared_ptr<Recording> recording;
  CHECK(Recording::create("x{0", bytes, seconds, &recording).ok());
  return recording;
}

}  // namespace

TEST(recording_has_bounds) {
  std::shared_ptr<Recording> recording;
  CHECK_EQ(Recording::create("x", kRecordBytesMin - 1, 1, &recording).code, Code::invalid_argument);
  CHECK_EQ(Recording::create("x", kRecordBytesMin, 0, &recording).code, Code::invalid_argument);
  CHECK_EQ(Recording::create("x", kRecordBytesMin, kRecordSecondsMax + 1, &recording).code,
           Code::invalid_argument);
  CHECK_EQ(make(5)->bytes(), kRecordBytesMin);
}

TEST(recording_begins_where_it_was_asked_to) {
  auto recording = make(60);
  Writer writer;
  const Nanos now = wall_clock();
  for (Nanos ago = 100; ago > 0; --ago) writer.add(*recording, 3, now - ago * kSecond);
  const auto from = [&](Nanos back) {
    Recording::Reader reader(recording, now - back * kSecond);
    Sink sink;
    while (sink.read(reader)) continue;
    CHECK(sink.good);
    CHECK_EQ(sink.lost, 0u);
    return sink.packets;
  };
  CHECK_EQ(from(10), 30u);
  CHECK_EQ(from(0), 0u);
  // Nothing older than a recorder's own seconds; the clock has gone on since `now`.
  const uint64_t all = from(1000);
  CHECK(all <= 180 && all >= 60);
}

TEST(recording_goes_on_live_and_counts_what_was_overwritten) {
  auto recording = make();
  Writer writer;
  writer.add(*recording, 100, wall_clock());
  Recording::Reader quick(recording, 1), slow(recording, 1);
  Sink quick_sink, slow_sink;
  while (quick_sink.read(quick)) continue;
  CHECK_EQ(quick_sink.packets, 100u);
  CHECK(slow_sink.read(slow));
  for (int i = 0; i < 200; ++i) {
    CHECK_EQ(writer.add(*recording, 100, wall_clock()), 100u);
    while (quick_sink.read(quick)) continue;
  }
  CHECK_EQ(quick_sink.packets, 20100u);
  CHECK_EQ(quick_sink.lost, 0u);
  while (slow_sink.read(slow)) continue;
  CHECK(recording->overwritten() > 0);
  CHECK(slow_sink.lost > 0);
  CHECK_EQ(slow_sink.packets + slow_sink.lost, 20100u);
  CHECK(quick_sink.good && slow_sink.good);
}

TEST(recording_never_gives_a_reader_what_is_being_written) {
  auto recording = make();
  std::atomic<bool> over{false};
  std::atomic<uint64_t> bad{0}, seen{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      auto sink = std::make_unique<Sink>();
      Recording::Reader reader(recording, 1);
      for (bool last = false; !last;) {
        last = over;
        while (sink->read(reader)) continue;
      }
      bad += !sink->good;
      seen += sink->packets + sink->lost + sink->first;
    });
  }
  Writer writer;
  uint64_t kept = 0;
  for (int i = 0; i < 300; ++i) kept += writer.add(*recording, 128, wall_clock());
  over = true;
  for (std::thread& thread : readers) thread.join();
  CHECK_EQ(bad.load(), 0u);
  CHECK_EQ(kept, 300u * 128u);
  CHECK_EQ(seen.load(), 3 * kept);
}

TEST(recording_feeds_taps_that_begin_in_the_past) {
  RunFolder folder;
  Runtime& runtime = Runtime::instance();
  CHECK(runtime.open_ports(folder.path()).ok());
  CHECK(runtime.create_engine("rec", {}).ok());
  Graph graph;
  graph.inlets = {{"gen:200?count=30000&flows=64", 0}};
  graph.bricks = {{"d", "Dummy", {}, 1, {{"null:", -1}}}};
  CHECK(runtime.apply("rec", graph).ok());
  CHECK_EQ(runtime.open_recorder("rec", "nowhere", 10, kRecordBytesMin).code, Code::no_such_pipe);
  CHECK(runtime.open_recorder("rec", "null:", 60, 64u << 20).ok());
  CHECK_EQ(runtime.open_recorder("rec", "null:", 60, 64u << 20).code, Code::already_exists);
  CHECK(runtime.start("rec").ok());
  bool drained = false;
  CHECK(runtime.wait_drained("rec", 20000, &drained).ok() && drained);

  bricks_options options{};
  options.run_dir = folder.path().c_str();
  char why[512] = "";
  const auto read = [&](const char* filter, bool change) {
    bricks_consumer* consumer = nullptr;
    const bricks_tap_options tap = {filter, 60000};
    CHECK_EQ(bricks_tap(&consumer, "null:", &tap, &options, why, sizeof why), BRICKS_OK);
    if (!consumer) return 0u;
    if (change) {
      CHECK_EQ(bricks_tap_filter(consumer, "tcp prt", why, sizeof why), BRICKS_INVALID);
      CHECK_EQ(bricks_tap_filter(consumer, "not ip and not ip6", why, sizeof why), BRICKS_OK);
    }
    bricks_packet packet;
    uint32_t packets = 0;
    for (bricks_result r; (r = bricks_next(consumer, &packet)) != BRICKS_END;) {
      packets += r == BRICKS_OK;
      if (r == BRICKS_EMPTY && bricks_wait(consumer, 20000) != BRICKS_OK) break;
    }
    bricks_detach(consumer);
    return packets;
  };
  CHECK_EQ(read(nullptr, false), 30000u);
  const uint32_t udp = read("udp", false);
  CHECK_EQ(udp + read("not udp", false), 30000u);
  CHECK(read(nullptr, true) < 30000);  // from the change on, nothing matches
  bricks_consumer* none = nullptr;
  const bricks_tap_options past = {nullptr, 1000};
  CHECK_EQ(bricks_tap(&none, "gen:200?count=30000&flows=64", &past, &options, why, sizeof why),
           BRICKS_INVALID);
  CHECK(std::strstr(why, "pe:record(") != nullptr);
  const EngineSnapshot now = runtime.snapshot()[0];
  CHECK_EQ(now.taps[0].record_s, 60u);
  CHECK_EQ(now.taps[0].cell.delivered, 30000u);
  CHECK(runtime.close_recorder("rec", "null:").ok());
  CHECK_EQ(runtime.close_recorder("rec", "null:").code, Code::no_such_pipe);
  CHECK(runtime.delete_engine("rec").ok());
  runtime.close_ports();
}
