// RED, CoDel, PIE and FQ-CoDel against what is known of them.
#include <cmath>
#include <cstdio>
#include <deque>
#include <vector>

#include "check.hh"
#include "queues/fq_codel.hh"
#include "queues/pie.hh"
#include "queues/red.hh"

namespace bricks {
namespace {

constexpr Nanos kMs = 1000000;

bool near(double a, double b, double by) { return std::fabs(a - b) <= by; }

// Items as simple as can be.
struct TestItems {
  using Item = uint32_t;
  static constexpr Item kNone = UINT32_MAX;
  struct Entry {
    Nanos enqueued;
    uint32_t bytes;
    bool ect;
    Item next;
  };
  std::vector<Entry> all;
  std::vector<Item> dropped, marked;

  Item add(Nanos now, uint32_t size, bool ect = false) {
    all.push_back({now, size, ect, kNone});
    return static_cast<Item>(all.size() - 1);
  }
  Item& next(Item i) { return all[i].next; }
  uint32_t bytes(Item i) const { return all[i].bytes; }
  Nanos enqueued(Item i) const { return all[i].enqueued; }
  bool mark(Item i) {
    if (all[i].ect) marked.push_back(i);
    return all[i].ect;
  }
  void drop(Item i) { dropped.push_back(i); }
};

}  // namespace

// A queue that is never good: the instants of its drops.
TEST(queue_T_E5_codel_drop_instants) {
  TestItems items;
  FlowQueue<TestItems> queue;
  Codel codel;
  const CodelParameters p;
  std::vector<Nanos> drops;
  for (int i = 0; i < 20; ++i) queue.push(items, items.add(0, 1500));
  CodelView<TestItems> view(items, queue, false);
  for (Nanos now = 10 * kMs; drops.size() < 10; now += 1000) {
    if (queue.packets < 10) queue.push(items, items.add(now - 10 * kMs, 1500));
    const size_t before = items.dropped.size();
    // Packets that have always waited 10 ms.
    items.all[queue.head].enqueued = now - 10 * kMs;
    items.all[items.next(queue.head)].enqueued = now - 10 * kMs;
    const uint32_t item = codel.pull(view, p, now);
    CHECK(item != TestItems::kNone);
    for (size_t i = before; i < items.dropped.size(); ++i) drops.push_back(now);
    queue.push(items, items.add(now - 10 * kMs, 1500));
  }
  const double expected[] = {0,       100,     170.711, 228.446, 278.446,
                             323.167, 363.992, 401.788, 437.144, 470.477};
  for (size_t i = 0; i < 10; ++i) {
    const double offset = static_cast<double>(drops[i] - drops[0]) / 1e6;
    if (!near(offset, expected[i], 0.01)) std::printf("  drop %zu at %f\n", i, offset);
    CHECK(near(offset, expected[i], 0.01));
  }
  CHECK_EQ(drops[0], 110 * kMs);
}

TEST(queue_T_E5_codel_one_drop_a_time) {
  TestItems items;
  FlowQueue<TestItems> queue;
  Codel codel;
  const CodelParameters p;
  for (int i = 0; i < 20; ++i) queue.push(items, items.add(0, 1000));
  CodelView<TestItems> view(items, queue, false);
  codel.pull(view, p, 2 * p.target);
  CHECK_EQ(queue.packets, 19u);
  codel.pull(view, p, 2 * p.target + 2 * p.interval);
  CHECK_EQ(queue.packets, 17u);
  CHECK_EQ(items.dropped.size(), 1u);
  codel.pull(view, p, 2 * p.target + 2 * p.interval);
  CHECK_EQ(queue.packets, 16u);
  CHECK_EQ(items.dropped.size(), 1u);
}

// The last packet is the one that is dropped, or marked.
TEST(queue_codel_drop_empties_queue) {
  for (const bool ect : {false, true}) {
    TestItems items;
    FlowQueue<TestItems> queue;
    Codel codel;
    CodelParameters p;
    p.mtu = 0;
    CodelView<TestItems> view(items, queue, true);
    for (int i = 0; i < 3; ++i) queue.push(items, items.add(0, 1000, ect));
    CHECK(codel.pull(view, p, 50 * kMs) != TestItems::kNone);
    CHECK(codel.pull(view, p, 60 * kMs) != TestItems::kNone);
    CHECK_EQ(codel.dropping(), false);
    queue.push(items, items.add(0, 1000, ect));
    // Two are left: the first is dropped and the second as well, if its bytes count.
    CHECK(codel.pull(view, p, 200 * kMs) != TestItems::kNone);
    CHECK_EQ(items.dropped.size(), ect ? 0u : 1u);
    CHECK_EQ(items.marked.size(), ect ? 1u : 0u);
    while (queue.packets) codel.pull(view, p, 400 * kMs);
    CHECK_EQ(codel.pull(view, p, 500 * kMs), TestItems::kNone);
    CHECK_EQ(queue.bytes, 0u);
    CHECK_EQ(codel.pull(view, p, 501 * kMs), TestItems::kNone);
  }
  // Dropping, and the drop is the last of all.
  TestItems items;
  FlowQueue<TestItems> queue;
  Codel codel;
  CodelParameters p;
  p.mtu = 0;
  CodelView<TestItems> view(items, queue, false);
  for (int i = 0; i < 6; ++i) queue.push(items, items.add(0, 1000));
  codel.pull(view, p, 10 * kMs);
  codel.pull(view, p, 120 * kMs);
  CHECK(codel.dropping());
  CHECK_EQ(queue.packets, 3u);
  codel.pull(view, p, 10000 * kMs);  // far behind: several go at once
  CHECK_EQ(queue.packets, 0u);
  CHECK_EQ(codel.pull(view, p, 10001 * kMs), TestItems::kNone);
}

TEST(queue_T_E6_pie_probability) {
  Pie pie;
  pie.begin(0, 30 * kMs, 0);
  const std::pair<int, double> expected[] = {
      {1, 1.92260742e-5}, {2, 3.38745117e-5},  {3, 4.85229492e-5}, {4, 6.31713867e-5},
      {5, 7.78198242e-5}, {6, 9.24682617e-5},  {7, 1.07116699e-4}, {8, 1.65710449e-4},
      {9, 2.24304199e-4}, {10, 2.82897949e-4}, {15, 5.75866699e-4}};
  int step = 0;
  for (const auto& [number, probability] : expected) {
    for (; step < number; ++step) pie.update();
    CHECK(near(pie.probability(), probability, 1e-12));
  }
}

// Nobody comes and nobody goes: the probability falls all the same, and a long silence is as many
// updates as a short one would have had.
TEST(queue_pie_decays_while_idle) {
  Pie pie, stepwise;
  CounterRandom random(1);
  for (Pie* each : {&pie, &stepwise}) {
    each->advance(1);
    each->begin(0.4, 200 * kMs, 0);
    each->advance(100 * kMs);
    each->left(0, 0);
  }
  const double before = pie.probability();
  CHECK(before > 0.4);
  pie.advance(400 * kMs);
  CHECK(pie.probability() < before);
  for (Nanos now = 100 * kMs; now <= 400 * kMs; now += kMs) stepwise.advance(now);
  CHECK_EQ(pie.probability(), stepwise.probability());
  pie.advance(uint64_t{3600} * 24 * 365 * 1000 * kMs);  // a year costs nothing
  CHECK_EQ(pie.probability(), 0.0);
  CHECK(pie.arrive(100, uint64_t{3600} * 24 * 365 * 1000 * kMs, random) == Pie::Judgement::accept);
}

TEST(queue_T_E7_red_average) {
  RedParameters p;
  p.probability = 0.1;
  Red red;
  red.set(p);
  CounterRandom random(5);
  const struct {
    int arrivals;
    double average, probability;
  } expected[] = {{1, 0.04, 0},
                  {10, 0.396419, 0},
                  {100, 3.628664, 0},
                  {143, 4.97905, 0},
                  {144, 5.009092, 9.1e-5},
                  {200, 6.598968, 0.01599},
                  {400, 11.020617, 0.060206}};
  int arrivals = 0;
  for (const auto& step : expected) {
    for (; arrivals < step.arrivals; ++arrivals) red.arrive(20, 0, random);
    CHECK(near(red.average(), step.average, 1e-5));
    CHECK(near(red.probability(), step.probability, 1e-5));
  }
  red.set_average(10);
  red.emptied(0);
  red.arrive(0, 100 * p.packet_time, random);  // its own arrival is one more
  CHECK(near(red.average() / (1 - p.weight), 8.185668, 1e-5));
}

// Between drops RED lets a number of packets pass that is uniform on 1 ... 1/p, not geometric.
TEST(queue_red_spreads_drops_evenly) {
  RedParameters p;
  p.weight = 0;  // the average stays
  p.probability = 0.1;
  Red red;
  red.set(p);
  red.set_average(10);  // half way: p = 0.05, gaps of 1 to 20
  CounterRandom random(20261121);
  std::printf("  seed 20261121\n");
  constexpr uint32_t kGaps = 20, kDrops = 20000;
  std::vector<uint32_t> seen(kGaps + 1);
  uint32_t gap = 0, drops = 0;
  while (drops < kDrops) {
    ++gap;
    if (red.arrive(10, 0, random) == Red::Judgement::accept) continue;
    CHECK(gap <= kGaps);
    ++seen[std::min(gap, kGaps)];
    gap = 0;
    ++drops;
  }
  double chi = 0;
  const double expected = double(kDrops) / kGaps;
  for (uint32_t i = 1; i <= kGaps; ++i)
    chi += (seen[i] - expected) * (seen[i] - expected) / expected;
  std::printf("  chi-square %.1f of 19 degrees\n", chi);
  CHECK(chi < 43.8);  // exceeded once in a thousand
}

TEST(queue_T_E8_fq_codel_turns) {
  TestItems items;
  FqCodel<TestItems> queue;
  std::vector<FqCodel<TestItems>::Flow> flows(8);
  const CodelParameters p;
  queue.begin(flows.data(), 8, 90);
  using State = FqCodel<TestItems>::State;
  const auto pull = [&] { return queue.pull(items, p, false, 0); };
  queue.push(items, items.add(0, 120), 1);
  queue.push(items, items.add(0, 120), 1);
  pull();
  CHECK_EQ(queue.flow(1).deficit, -30);
  queue.push(items, items.add(0, 120), 2);
  queue.push(items, items.add(0, 120), 2);
  // 1 has used its turn and goes to the old ones with 60; 2 is new and comes first.
  pull();
  CHECK_EQ(queue.flow(1).deficit, 60);
  CHECK_EQ(queue.flow(2).deficit, -30);
  pull();
  CHECK_EQ(queue.flow(1).deficit, -60);
  CHECK_EQ(queue.flow(2).deficit, 60);
  pull();
  CHECK_EQ(queue.flow(1).deficit, 30);
  CHECK_EQ(queue.flow(2).deficit, -60);
  queue.push(items, items.add(0, 120), 1);
  pull();
  CHECK_EQ(queue.flow(1).deficit, -90);
  CHECK_EQ(queue.flow(2).deficit, 30);
  CHECK_EQ(pull(), TestItems::kNone);
  CHECK(queue.flow(1).state == State::inactive);
  CHECK(queue.flow(2).state == State::inactive);
}

TEST(queue_fq_codel_makes_room_from_the_fattest) {
  TestItems items;
  FqCodel<TestItems> queue;
  std::vector<FqCodel<TestItems>::Flow> flows(4);
  queue.begin(flows.data(), 4, 1514);
  for (int i = 0; i < 200; ++i) queue.push(items, items.add(0, 1000), 3);
  for (int i = 0; i < 10; ++i) queue.push(items, items.add(0, 1500), 1);
  queue.drop_fattest(items);
  CHECK_EQ(items.dropped.size(), 64u);
  CHECK_EQ(queue.flow(3).queue.packets, 136u);
  for (int i = 0; i < 3; ++i) queue.drop_fattest(items);
  // 136 - 64 = 72, half of that, half of 36; the other flow has 10 of 15,000 bytes.
  CHECK_EQ(queue.flow(3).queue.packets, 18u);
  CHECK_EQ(queue.flow(1).queue.packets, 10u);
}

}  // namespace bricks
