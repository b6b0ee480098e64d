// The egress scheduler: what passes, waits and is dropped, when it leaves, and in which order.
#include <algorithm>
#include <cstdio>

#include "queue_fixture.hh"

namespace bricks {
namespace {

using namespace queue_test;
constexpr Nanos kMs = 1000000, kSecond = 1000000000;
constexpr Nanos kBegin = 1700000000 * kSecond;

std::vector<Arrival> burst(uint32_t count, uint32_t ip_bytes, std::vector<uint32_t> groups,
                           Nanos at = kBegin) {
  std::vector<Arrival> made;
  for (uint32_t i = 0; i < count; ++i) made.push_back({at, ip_bytes, 1, i, 0, groups});
  return made;
}

bool in_order_by_session(const std::vector<Departure>& out) {
  std::map<uint32_t, uint32_t> last;
  for (const Departure& each : out) {
    const auto [at, fresh] = last.try_emplace(each.session, each.number);
    if (!fresh && at->second >= each.number) return false;
    at->second = each.number;
  }
  return true;
}

}  // namespace

TEST(queue_T_E3_shaper_group) {
  for (const bool leased : {false, true}) {
    EgressOptions options;
    options.virtual_time = true;
    Bench bench(options);
    QueueParameters p = shaper(125000, 3000);
    p.leased = leased;
    CHECK(bench.groups.create(7, p).ok());
    bench.run(burst(6, 1500, {7}), 6, true);
    const Nanos expected[] = {0, 0, 12, 24, 36, 48};
    CHECK_EQ(bench.out.size(), 6u);
    for (uint32_t i = 0; i < bench.out.size(); ++i) {
      CHECK_EQ(bench.out[i].time - kBegin, expected[i] * kMs);
      CHECK_EQ(bench.out[i].number, i);
    }
    const QueueStats stats = bench.stats(7);
    CHECK_EQ(stats[QueueCount::enqueued], 6u);
    CHECK_EQ(stats[QueueCount::dequeued], 6u);
    CHECK_EQ(stats[QueueCount::passed], 2u);
    CHECK_EQ(stats[QueueCount::delay_us], 120000u);
  }
}

TEST(queue_T_E4_fifth_is_held_back) {
  Bench bench;
  CHECK(bench.groups.create(1, shaper(6000, 6000)).ok());
  bench.push(burst(5, 1500, {1}), 0, 5, false);
  CHECK_EQ(bench.out.size(), 4u);
  CHECK_EQ(bench.cell.held, 1u);
  CHECK_EQ(bench.queues->due_at(), kBegin + 250 * kMs);
  bench.release(kBegin + 250 * kMs - 1, false, false);
  CHECK_EQ(bench.out.size(), 4u);
  bench.release(kBegin + 250 * kMs, false, false);
  CHECK_EQ(bench.out.size(), 5u);
  bench.check();
  CHECK_EQ(bench.queues->due_at(), 0u);
}

TEST(queue_policer_drops_and_the_ledger_says_so) {
  Bench bench;
  CHECK(bench.groups.create(1, policer(125000, 3000)).ok());
  bench.run(burst(6, 1500, {1}), 6, false);
  CHECK_EQ(bench.out.size(), 2u);
  CHECK_EQ(bench.cell.dropped[static_cast<int>(Drop::policed)], 4u);
  CHECK_EQ(bench.stats(1)[QueueCount::policed], 4u);
}

// A.5.8: a group set at a session's first packet holds for it, and a group that is not there for
// none.
TEST(edge_case_08_queue_and_unknown_groups) {
  Bench bench;
  CHECK(bench.groups.create(1, policer(1000, 1500)).ok());
  bench.run(burst(2, 1500, {1}), 1, false);
  CHECK_EQ(bench.out.size(), 1u);
  bench.run(burst(2, 1500, {2}), 1, false);
  CHECK_EQ(bench.out.size(), 3u);
  CHECK_EQ(bench.queues->unknown_group(), 2u);
}

// A.5.9: what waits when a group is deleted leaves at its rate, or is dropped and counted as that.
TEST(edge_case_09_group_deleted_with_backlog) {
  for (const bool drop : {false, true}) {
    Bench bench;
    QueueParameters p = shaper(125000, 3000);
    p.drop_at_end = drop;
    CHECK(bench.groups.create(1, p).ok());
    bench.push(burst(6, 1500, {1}), 0, 6, false);
    CHECK_EQ(bench.cell.held, 4u);
    CHECK(bench.groups.remove(1).ok());
    CHECK(!bench.groups.has(1));
    CHECK(!bench.groups.remove(1).ok());
    // One of the same number is another one, and has its own tokens.
    CHECK(bench.groups.create(1, shaper(125000, 3000)).ok());
    auto more = burst(2, 1500, {1}, kBegin + 1);
    for (Arrival& each : more) each.session = 2;
    bench.push(more, 0, 2, false);
    CHECK_EQ(bench.out.size(), 4u);
    CHECK_EQ(bench.cell.held, drop ? 0u : 4u);
    CHECK_EQ(bench.cell.dropped[static_cast<int>(Drop::queue_gone)], drop ? 4u : 0u);
    for (int i = 1; !drop && i <= 4; ++i) {
      bench.release(kBegin + i * 12 * kMs - 1, false, false);
      CHECK_EQ(bench.out.size(), 3u + i);
      bench.release(kBegin + i * 12 * kMs, false, false);
      CHECK_EQ(bench.out.size(), 4u + i);
    }
    CHECK_EQ(bench.watcher.all(), 0);
    bench.check();
  }
}

// A.5.10: a packet longer than the bucket does not block the queue for ever.
TEST(edge_case_10_jumbo_in_a_small_bucket) {
  for (const bool borrow : {false, true}) {
    EgressOptions options;
    options.virtual_time = true;
    Bench bench(options);
    QueueParameters p = shaper(125000, 3000);
    p.borrow = borrow;
    CHECK(bench.groups.create(1, p).ok());
    auto arrivals = burst(3, 1500, {1});
    arrivals[1].ip_bytes = 9000;
    bench.run(arrivals, 3, true);
    if (!borrow) {
      CHECK_EQ(bench.out.size(), 2u);
      CHECK_EQ(bench.cell.dropped[static_cast<int>(Drop::oversize)], 1u);
      continue;
    }
    // The bucket is full again after 12 ms; then it owes 6,000 bytes, and 1,500 more are wanted.
    CHECK_EQ(bench.out.size(), 3u);
    CHECK_EQ(bench.out[1].time - kBegin, 12 * kMs);
    CHECK_EQ(bench.out[2].time - kBegin, 72 * kMs);
  }
  QueueGroups groups;
  CHECK(!groups.create(1, shaper(1000, kQueueBurstMin - 1)).ok());
  CHECK(!groups.create(1, shaper(0, 3000)).ok());
  CHECK(!groups.has(1));
}

// A.5.11: the session goes while its packets wait; they keep its reference until they are out.
TEST(edge_case_11_references_on_sessions) {
  Bench bench;
  CHECK(bench.groups.create(1, shaper(125000, 3000)).ok());
  bench.push(burst(6, 1500, {1}), 0, 6, false);
  CHECK_EQ(bench.watcher.held[1], 4);
  CHECK(bench.queues->has_packets(1));
  bench.release(kBegin + 24 * kMs, false, false);
  CHECK_EQ(bench.watcher.held[1], 2);
  bench.release(kBegin + 24 * kMs, true, false);
  CHECK_EQ(bench.watcher.held[1], 0);
  CHECK(!bench.queues->has_packets(1));
}

// E.5: tokens of all groups or of none.
TEST(queue_all_or_nothing) {
  Bench bench;
  CHECK(bench.groups.create(1, policer(1000, 1500)).ok());
  CHECK(bench.groups.create(2, policer(1000, 4500)).ok());
  bench.run(burst(3, 1500, {2, 1}), 1, false);
  CHECK_EQ(bench.out.size(), 1u);
  // Group 2 has lost nothing to the two packets that group 1 has refused.
  bench.run(burst(2, 1500, {2}), 1, false);
  CHECK_EQ(bench.out.size(), 3u);
  CHECK_EQ(bench.stats(2)[QueueCount::policed], 0u);
  CHECK_EQ(bench.stats(1)[QueueCount::policed], 2u);
}

// E.6.5: packets of a session leave in order, whatever its groups were meanwhile; those of no group
// do not overtake those that wait.
TEST(queue_order_when_groups_change) {
  for (const bool virtual_time : {false, true}) {
    EgressOptions options;
    options.virtual_time = virtual_time;
    Bench bench(options);
    CHECK(bench.groups.create(1, shaper(125000, 3000)).ok());
    CHECK(bench.groups.create(2, shaper(250000, 3000)).ok());
    std::vector<Arrival> arrivals = burst(40, 1500, {1});
    for (uint32_t i = 10; i < 20; ++i) arrivals[i].groups = {2};
    for (uint32_t i = 20; i < 30; ++i) arrivals[i].groups = {};
    for (uint32_t i = 30; i < 40; ++i) arrivals[i].groups = {2, 1};
    for (uint32_t i = 0; i < 40; ++i) arrivals[i].time += i * 3 * kMs;
    bench.run(arrivals, 4, virtual_time);
    CHECK_EQ(bench.out.size(), 40u);
    CHECK(in_order_by_session(bench.out));
  }
}

// A wide group is not held up by a narrow one that some of its packets belong to as well.
TEST(queue_narrow_group_does_not_block_a_wide_one) {
  EgressOptions options;
  options.virtual_time = true;
  Bench bench(options);
  CHECK(bench.groups.create(1, shaper(1000000, 3000)).ok());
  CHECK(bench.groups.create(2, shaper(10000, 1500)).ok());
  std::vector<Arrival> arrivals;
  for (uint32_t i = 0; i < 400; ++i) {
    const bool narrow = i % 10 == 0;
    arrivals.push_back({kBegin + i * kMs, 1500, narrow ? 2u : 1u, i, 0,
                        narrow ? std::vector<uint32_t>{1, 2} : std::vector<uint32_t>{1}});
  }
  bench.run(arrivals, 16, true);
  CHECK_EQ(bench.cell.dropped_total(), 0u);
  CHECK(in_order_by_session(bench.out));
  Nanos wide = 0, narrow = 0;
  for (const Departure& each : bench.out) {
    (each.session == 1 ? wide : narrow) = std::max(each.session == 1 ? wide : narrow, each.time);
  }
  // 600,000 bytes at a million a second less what comes later of the narrow ones.
  CHECK(wide - kBegin < 620 * kMs);
  CHECK(narrow - kBegin >= 39 * 150 * kMs - 150 * kMs);
}

// What comes out does not depend on how packets were batched: order, times, marks, drops.
TEST(queue_virtual_time_is_the_same_for_every_batch) {
  for (const QueueDiscipline discipline :
       {QueueDiscipline::tail_drop, QueueDiscipline::red, QueueDiscipline::codel,
        QueueDiscipline::pie, QueueDiscipline::fq_codel}) {
    CounterRandom random(20261121 + static_cast<uint64_t>(discipline));
    std::vector<Arrival> arrivals;
    Nanos now = kBegin;
    for (uint32_t i = 0; i < 6000; ++i) {
      now += random.bits() % 400000;
      Arrival arrival{now,
                      40 + static_cast<uint32_t>(random.bits() % 1461),
                      1 + static_cast<uint32_t>(random.bits() % 30),
                      i,
                      0,
                      {}};
      arrival.traffic_class = static_cast<uint8_t>(random.bits() % 4);
      if (random.bits() % 8) arrival.groups.push_back(1);
      if (random.bits() % 3 == 0) arrival.groups.push_back(2 + arrival.session % 2);
      if (random.bits() % 5 == 0) arrival.groups.push_back(9);
      arrivals.push_back(arrival);
    }
    std::vector<Departure> first;
    for (const size_t size : {1u, 8u, 64u, 256u}) {
      EgressOptions options;
      options.virtual_time = true;
      Bench bench(options);
      QueueParameters p = shaper(2000000, 10000);
      p.discipline = discipline;
      p.packets = 200;
      p.ecn = true;
      p.seed = 5;
      CHECK(bench.groups.create(1, p).ok());
      p.cir = 700000;
      CHECK(bench.groups.create(2, p).ok());
      CHECK(bench.groups.create(3, p).ok());
      CHECK(bench.groups.create(9, policer(300000, 5000)).ok());
      bench.run(arrivals, size, true);
      CHECK(in_order_by_session(bench.out) || discipline == QueueDiscipline::fq_codel);
      if (size == 1) {
        first = bench.out;
        const QueueStats stats = bench.stats(1);
        std::printf("  %u: %zu of 6000 out, %llu marked, %llu dropped by it\n",
                    static_cast<uint32_t>(discipline), first.size(),
                    (unsigned long long)stats[QueueCount::marked],
                    (unsigned long long)stats[QueueCount::aqm_drop]);
      }
      CHECK(bench.out == first);
    }
  }
}

// At no time has a group let go more than its bucket and its rate allow.
TEST(queue_group_keeps_its_rate) {
  CounterRandom random(3);
  std::printf("  seed 3\n");
  for (int round = 0; round < 30; ++round) {
    const bool virtual_time = round % 2;
    const bool police = round % 3 == 0;
    EgressOptions options;
    options.virtual_time = virtual_time;
    Bench bench(options);
    const uint64_t cir = 10000 + random.bits() % 10000000, cbs = 1500 + random.bits() % 20000;
    QueueParameters p = police ? policer(cir, cbs) : shaper(cir, cbs);
    p.leased = round % 5 == 0;
    CHECK(bench.groups.create(4, p).ok());
    std::vector<Arrival> arrivals;
    Nanos now = kBegin;
    for (uint32_t i = 0; i < 1500; ++i) {
      now += random.bits() % (2 * 750 * kSecond / cir);
      if (random.bits() % 200 == 0) now += kSecond;
      arrivals.push_back({now,
                          40 + static_cast<uint32_t>(random.bits() % 1461),
                          1 + static_cast<uint32_t>(random.bits() % 9),
                          i,
                          0,
                          {4}});
    }
    for (size_t i = 0; i < arrivals.size(); i += 16) {
      bench.push(arrivals, i, std::min<size_t>(16, arrivals.size() - i), virtual_time);
    }
    // A worker may have a portion at hand beside what the bucket holds.
    const double lease = p.leased ? std::min(double(cir) / 100, double(cbs) / 8) : 0;
    double worst = 0;
    for (size_t i = 0; i < bench.out.size(); ++i) {
      uint64_t sum = 0;
      for (size_t k = i; k < bench.out.size(); ++k) {
        sum += bench.out[k].ip_bytes;
        const double allowed =
            double(cbs) + lease + double(cir) * double(bench.out[k].time - bench.out[i].time) / 1e9;
        worst = std::max(worst, double(sum) - allowed);
      }
    }
    if (worst > 1) std::printf("  round %d: %f bytes too many\n", round, worst);
    CHECK(worst <= 1);
    bench.release(now, true, virtual_time);
    bench.check();
  }
}

}  // namespace bricks
