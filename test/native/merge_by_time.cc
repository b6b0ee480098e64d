// Merge with a window: what comes out is in the order of timestamps, nothing is lost, and nobody is
// waited for longer than the window.
#include "bricks/merge_by_time.hh"

#include <algorithm>
#include <map>

#include "check.hh"
#include "pipe_fixture.hh"

namespace bricks {
namespace {

constexpr Nanos kMs = 1000000;

// A Merge with its engine played by hand: `sources` give packets, what leaves is in `out`.
struct Bench {
  struct Left {
    Nanos time;
    uint32_t number, cut;
    bool operator==(const Left&) const = default;
  };
  std::unique_ptr<Brick> brick;
  std::vector<Source> sources;
  LedgerCell cell;
  std::vector<Left> out;
  Nanos now = 1000 * kMs;
  uint32_t number = 0;
  std::unique_ptr<Batch> batch = std::make_unique<Batch>(), released = std::make_unique<Batch>();
  uint8_t frames[kBatchMax][64] = {};
  std::vector<Index> memory = std::vector<Index>(kBatchMax);
  Outlets::List list;
  Cuts cuts;

  Bench(Nanos window, uint32_t legs, uint32_t packets = 4096) : sources(legs) {
    CHECK(MergeByTime::create(window, packets, &brick).ok());
    std::vector<const Source*> known;
    for (const Source& source : sources) known.push_back(&source);
    brick->expect(known);
  }
  void take(const Batch& from) {
    for (const Index* at = list.first; at < list.end; ++at) {
      const Packet& packet = from.packets[*at];
      uint32_t stamp;
      std::memcpy(&stamp, packet.data, 4);
      out.push_back({packet.timestamp, stamp, cuts.any ? cuts.bytes[*at] : UINT32_MAX});
    }
  }
  void release(bool all = false) {
    while (brick->due(now, all)) {
      list = {memory.data(), memory.data(), memory.data()};
      cuts.any = false;
      Outlets outlets({&list, 1}, cell, &cuts);
      brick->release(*released, now, all, outlets);
      CHECK(released->count > 0);
      take(*released);
      brick->recycle(*released);
    }
  }
  // Packets of these times from one leg, and what is due.
  void give(uint32_t leg, const std::vector<Nanos>& times, const Cuts* before = nullptr) {
    release();
    batch->count = 0;
    batch->source = &sources[leg];
    batch->now = now;
    std::vector<Index> in;
    for (const Nanos time : times) {
      Packet& packet = batch->packets[batch->count];
      std::memcpy(frames[batch->count], &number, 4);
      ++number;
      packet = {};
      packet.data = frames[batch->count];
      packet.length = 64;
      packet.timestamp = time;
      in.push_back(static_cast<Index>(batch->count++));
    }
    sources[leg].latest = times.back();
    list = {memory.data(), memory.data(), memory.data()};
    cuts.any = false;
    Outlets outlets({&list, 1}, cell, &cuts, {&before, before ? 1u : 0u});
    brick->push(*batch, in, outlets);
    take(*batch);
    release();
  }
  void nothing(uint32_t leg) {
    sources[leg].empty_at = now;
    release();
  }
  bool sorted() const {
    return std::is_sorted(out.begin(), out.end(),
                          [](const Left& a, const Left& b) { return a.time < b.time; });
  }
  uint64_t figure(const std::string& name) const {
    Figure figures[kFiguresMax];
    const uint32_t count = brick->figures(figures);
    for (uint32_t i = 0; i < count; ++i) {
      if (name == figures[i].name) return figures[i].value;
    }
    CHECK(!"no such figure");
    return 0;
  }
};

Random seeded() {
  const char* given = std::getenv("BRICKS_TEST_SEED");
  const Random random{given ? std::strtoull(given, nullptr, 0) : 20261121};
  std::printf("  seed %llu (BRICKS_TEST_SEED)\n", static_cast<unsigned long long>(random.state));
  return random;
}

}  // namespace

TEST(merge_by_time_sorts_shuffled_legs) {
  Random random = seeded();
  for (uint32_t round = 0; round < 200; ++round) {
    const uint32_t legs = 2 + random.below(5);
    Bench bench(10 * kMs, legs);
    std::vector<std::vector<Nanos>> rest(legs);
    Nanos time = 1;
    for (uint32_t i = 0; i < 2000; ++i) {
      time += random.below(3);  // equal times, too
      rest[random.below(legs)].push_back(time);
    }
    std::vector<size_t> at(legs, 0);
    for (bool more = true; more;) {
      const uint32_t leg = random.below(legs);
      const size_t count = std::min<size_t>(1 + random.below(100), rest[leg].size() - at[leg]);
      if (count && bench.brick->wants(bench.sources[leg])) {
        bench.give(leg, {rest[leg].begin() + static_cast<long>(at[leg]),
                         rest[leg].begin() + static_cast<long>(at[leg] + count)});
      }
      at[leg] += count;
      bench.sources[leg].ended = at[leg] == rest[leg].size();
      more = false;
      for (uint32_t i = 0; i < legs; ++i) more |= at[i] < rest[i].size();
    }
    bench.release();
    CHECK(bench.sorted());
    CHECK_EQ(bench.out.size(), bench.number);
    CHECK_EQ(bench.cell.held, 0u);
    CHECK_EQ(bench.figure("late"), 0u);
    CHECK_EQ(bench.figure("forced"), 0u);
  }
}

TEST(merge_by_time_keeps_equal_times_in_order_of_arrival) {
  Bench bench(10 * kMs, 2);
  bench.give(0, {5, 5, 5});
  bench.give(1, {5, 5});
  bench.give(0, {5, 6});
  bench.release(true);
  for (uint32_t i = 0; i < bench.out.size(); ++i) CHECK_EQ(bench.out[i].number, i);
}

TEST(merge_by_time_waits_for_a_silent_leg_no_longer_than_the_window) {
  Bench bench(10 * kMs, 2);
  bench.give(0, {100, 200});
  bench.now += 9 * kMs;
  bench.nothing(1);
  CHECK(bench.out.empty());
  CHECK_EQ(bench.cell.held, 2u);
  CHECK_EQ(bench.brick->due_at(), 1010 * kMs);
  bench.now += 1 * kMs;
  bench.nothing(1);
  CHECK_EQ(bench.out.size(), 2u);
  // What comes too late goes on at once.
  bench.give(1, {150, 250});
  CHECK_EQ(bench.out.size(), 3u);
  CHECK_EQ(bench.out[2].time, 150u);
  CHECK_EQ(bench.figure("late"), 1u);
  // A source that was not asked is not silent, however long that lasts.
  bench.give(0, {300});
  bench.now += 100 * kMs;
  bench.release();
  CHECK_EQ(bench.out.size(), 4u);
  CHECK_EQ(bench.cell.held, 1u);
}

TEST(merge_by_time_goes_on_when_a_leg_ends) {
  Bench bench(10 * kMs, 3);
  bench.give(0, {10, 20});
  bench.give(1, {15});
  CHECK(bench.out.empty());
  bench.sources[2].ended = true;
  bench.release();
  CHECK_EQ(bench.out.size(), 2u);  // 10 and 15; leg 1 might still give 16
  bench.sources[1].ended = true;
  bench.release();
  CHECK_EQ(bench.out.size(), 3u);
  CHECK(bench.sorted());
}

TEST(merge_by_time_begins_anew_when_a_clock_is_set_back) {
  Bench bench(10 * kMs, 2);
  const Nanos hour = 3600000 * kMs;
  bench.give(0, {hour + 1, hour + 2});
  bench.give(0, {5, 6});
  CHECK_EQ(bench.figure("clock_back"), 1u);
  bench.give(1, {4, 7});
  bench.release(true);
  std::vector<Nanos> times;
  for (const auto& left : bench.out) times.push_back(left.time);
  CHECK(times == (std::vector<Nanos>{hour + 1, hour + 2, 4, 5, 6, 7}));
}

TEST(merge_by_time_lets_the_oldest_go_when_it_is_full) {
  Bench bench(10 * kMs, 2, 1024);
  std::vector<Nanos> times;
  Nanos time = 0;
  for (uint32_t round = 0; round < 40; ++round) {
    times.clear();
    for (uint32_t i = 0; i < 200; ++i) times.push_back(++time);
    bench.give(0, times);
    CHECK(bench.cell.held <= 1024);
  }
  CHECK(!bench.brick->wants(bench.sources[0]));
  CHECK(bench.brick->wants(bench.sources[1]));
  CHECK(bench.figure("forced") > 0);
  CHECK(bench.sorted());
  bench.release(true);
  CHECK(bench.sorted());
  CHECK_EQ(bench.out.size(), 8000u);
}

TEST(merge_by_time_remembers_cuts) {
  Bench bench(10 * kMs, 2);
  Cuts before;
  before.any = true;
  std::fill_n(before.bytes, kBatchMax, UINT32_MAX);
  before.bytes[1] = 40;
  bench.give(0, {1, 2, 3}, &before);
  bench.release(true);
  CHECK_EQ(bench.out[0].cut, UINT32_MAX);
  CHECK_EQ(bench.out[1].cut, 40u);
  CHECK_EQ(bench.out[2].cut, UINT32_MAX);
}

}  // namespace bricks
