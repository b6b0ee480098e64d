// Groups shared by workers: one rate however many there are; creating, changing and deleting while
// they run.
#include <atomic>
#include <cstdio>
#include <thread>

#include "queue_fixture.hh"

namespace bricks {
namespace {

using namespace queue_test;
constexpr Nanos kSecond = 1000000000;

// Workers whose time is the same: each packet makes it a bit later for all.
struct Shared {
  QueueGroups groups;
  std::atomic<Nanos> now{1700000000 * kSecond};
  std::atomic<bool> stop{false};
};

struct Result {
  uint64_t passed = 0, offered = 0;
  LedgerCell cell;
  uint32_t held = 0;
};

// Packets of one size, two times the rate all together, until the time has come.
void work(Shared& shared, Nanos end, Nanos step, uint32_t session, Result* result) {
  std::unique_ptr<EgressQueues> queues;
  EgressOptions options;
  options.sessions = 100;
  options.packets = 4096;
  CHECK(EgressQueues::create("worker", options, shared.groups, nullptr, &queues).ok());
  Frames frames;
  auto batch = std::make_unique<Batch>();
  auto released = std::make_unique<Batch>();
  const uint32_t ids[] = {1};
  const auto release = [&](Nanos now, bool all) {
    while (queues->due(now, all)) {
      queues->release(*released, now, all, result->cell);
      for (uint32_t i = 0; i < released->count; ++i) {
        if (!all) result->passed += released->packets[i].length - 14;
      }
      queues->recycle();
    }
  };
  while (!shared.stop.load(std::memory_order_relaxed)) {
    const Nanos now = shared.now.fetch_add(step, std::memory_order_relaxed);
    if (now >= end) break;
    release(now, false);
    frames.begin(*batch);
    const Index index = frames.add(*batch, {now, 1000, session, 0, 0, {}});
    ++result->offered;
    const Enqueued done = queues->enqueue(*batch, index, ids, session, now, result->cell);
    if (done == Enqueued::pass) result->passed += 1000;
  }
  result->held = queues->held();
  release(end, true);
}

}  // namespace

// E.6.7: within 1 % of the rate for 1 to 16 workers, never more than bucket and leases beyond it.
TEST(queue_one_rate_for_all_workers) {
  for (const bool shape : {false, true}) {
    for (const bool leased : {false, true}) {
      for (const uint32_t workers : {1u, 2u, 4u, 16u}) {
        Shared shared;
        constexpr uint64_t kRate = 10000000, kBurst = 20000;
        QueueParameters p = shape ? shaper(kRate, kBurst) : policer(kRate, kBurst);
        p.leased = leased;
        p.packets = 500;
        CHECK(shared.groups.create(1, p).ok());
        const Nanos begin = shared.now;
        const Nanos end = begin + 2 * kSecond;
        std::vector<Result> results(workers);
        std::vector<std::thread> threads;
        for (uint32_t i = 0; i < workers; ++i) {
          threads.emplace_back(work, std::ref(shared), end, 50000, 1 + i, &results[i]);
        }
        for (std::thread& thread : threads) thread.join();
        uint64_t passed = 0, offered = 0;
        for (const Result& result : results) passed += result.passed, offered += result.offered;
        const double seconds = 2, expected = kRate * seconds;
        const double lease = leased ? workers * kBurst / 8.0 : 0;
        const double excess = double(passed) - expected;
        if (excess > kBurst + lease || excess < -0.01 * expected) {
          std::printf("  %u workers, %s, %s: %llu bytes, %.0f beyond the rate\n", workers,
                      shape ? "shaper" : "policer", leased ? "leased" : "exact",
                      (unsigned long long)passed, excess);
        }
        // Workers' clocks differ by a packet each.
        CHECK(excess <= kBurst + lease + 1000.0 * workers);
        CHECK(excess >= -0.01 * expected);
        QueueGroupInfo info{};
        CHECK(shared.groups.get(1, &info).ok());
        CHECK(info.stats.balanced());
        CHECK_EQ(info.stats[QueueCount::enqueued], offered);
        CHECK_EQ(info.stats[QueueCount::backlog], 0u);
        CHECK_EQ(info.workers, 0u);
      }
    }
  }
}

// Every worker gets its share, though one of them sends longer packets.
TEST(queue_shaper_serves_workers_in_turn) {
  Shared shared;
  CHECK(shared.groups.create(1, shaper(1000000, 3000)).ok());
  Bench small, large;  // two workers on one thread: their turns are exact
  std::unique_ptr<EgressQueues> queues[2];
  EgressOptions options;
  options.sessions = 10;
  for (auto& each : queues) {
    CHECK(EgressQueues::create("worker", options, shared.groups, nullptr, &each).ok());
  }
  Frames frames;
  auto batch = std::make_unique<Batch>();
  LedgerCell cells[2];
  uint64_t passed[2] = {};
  const uint32_t ids[] = {1};
  for (uint64_t step = 0; step < 200000; ++step) {
    const Nanos now = shared.now + step * 10000;
    for (uint32_t k = 0; k < 2; ++k) {
      const uint32_t bytes = k ? 1500 : 60;
      while (queues[k]->due(now, false)) {
        queues[k]->release(*batch, now, false, cells[k]);
        passed[k] += uint64_t{batch->count} * bytes;
        queues[k]->recycle();
      }
      if (cells[k].held >= 50) continue;
      frames.begin(*batch);
      const Index index = frames.add(*batch, {now, bytes, k + 1, 0, 0, {}});
      const Enqueued done = queues[k]->enqueue(*batch, index, ids, k + 1, now, cells[k]);
      if (done == Enqueued::pass) passed[k] += bytes;
    }
  }
  std::printf("  short packets %llu bytes, long ones %llu\n", (unsigned long long)passed[0],
              (unsigned long long)passed[1]);
  // Packet by packet in turn: 60 of 1,560 bytes.
  CHECK(double(passed[1]) > 0.9 * 2000000);
  CHECK(passed[0] > 2000000 * 60 / 1560 * 9 / 10);
  CHECK(passed[0] + passed[1] <= 2000000 + 3000);
}

// Control calls at any moment: sums are right at the end, nobody crashes (also under sanitizers).
TEST(queue_groups_come_and_go_under_workers) {
  Shared shared;
  CHECK(shared.groups.create(1, shaper(5000000, 10000)).ok());
  const Nanos end = shared.now + 3600 * kSecond;
  std::vector<Result> results(3);
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < 3; ++i) {
    threads.emplace_back(work, std::ref(shared), end, 1000, 1 + i, &results[i]);
  }
  CounterRandom random(11);
  std::printf("  seed 11\n");
  for (int i = 0; i < 600; ++i) {
    QueueParameters p = shaper(1000000 + random.bits() % 9000000, 5000 + random.bits() % 9000);
    p.discipline = static_cast<QueueDiscipline>(random.bits() % 5);
    p.drop_at_end = random.bits() % 2;
    p.packets = 100;
    CHECK(shared.groups.create(1, p).ok());
    CHECK(shared.groups.create(2 + i % 7, p).ok());
    for (const QueueGroupInfo& info : shared.groups.list()) CHECK(info.workers <= 3);
    if (random.bits() % 3 == 0) CHECK(shared.groups.remove(1).ok());
    if (i > 7) CHECK(shared.groups.remove(2 + (i + 1) % 7).ok());
    std::this_thread::yield();
  }
  shared.stop = true;
  for (std::thread& thread : threads) thread.join();
  for (const Result& result : results) {
    CHECK_EQ(result.cell.held, 0u);
    CHECK(result.offered > 0);
  }
}

// The same parameters again change nothing; others hold at once and keep what is there.
TEST(queue_create_is_idempotent_and_updates_in_place) {
  Bench bench;
  const Nanos begin = 1700000000 * kSecond;
  CHECK(bench.groups.create(1, policer(1000, 3000)).ok());
  const auto one = [&](Nanos at) {
    const size_t before = bench.out.size();
    bench.push({{at, 1500, 1, 0, 0, {1}}}, 0, 1, false);
    return bench.out.size() != before;
  };
  CHECK(one(begin));
  for (int i = 0; i < 5; ++i) CHECK(bench.groups.create(1, policer(1000, 3000)).ok());
  QueueGroupInfo info{};
  CHECK(bench.groups.get(1, &info).ok());
  CHECK_EQ(info.updates, 0u);
  CHECK(one(begin));
  CHECK(!one(begin));
  CHECK(bench.groups.create(1, policer(1500, 4500)).ok());
  CHECK(!one(begin));  // a larger bucket is not fuller
  CHECK(one(begin + kSecond));
  CHECK(bench.groups.get(1, &info).ok());
  CHECK_EQ(info.updates, 1u);
  CHECK_EQ(info.stats[QueueCount::dequeued], 3u);
  // A smaller one runs over.
  CHECK(one(begin + 4 * kSecond));
  CHECK(bench.groups.create(1, policer(1500, 1500)).ok());
  CHECK(one(begin + 4 * kSecond));
  CHECK(!one(begin + 4 * kSecond));
  CHECK(!bench.groups.create(1, policer(0, 1500)).ok());
  CHECK(bench.groups.get(1, &info).ok());
  CHECK_EQ(info.parameters.cir, 1500u);
}

TEST(queue_groups_are_bounded) {
  auto groups = std::make_unique<QueueGroups>();
  for (uint32_t i = 0; i < kQueueGroupsMax; ++i) {
    CHECK(groups->create(i * 2654435761u, policer(1000, 3000)).ok());
  }
  CHECK(groups->create(1, policer(1000, 3000)).code == Code::limit_reached);
  for (uint32_t round = 0; round < 5; ++round) {
    for (uint32_t i = round; i < kQueueGroupsMax; i += 3) {
      CHECK(groups->remove(i * 2654435761u).ok());
      CHECK(!groups->has(i * 2654435761u));
      CHECK(groups->create(i * 2654435761u, policer(1000, 3000)).ok());
    }
  }
  CHECK_EQ(groups->list().size(), kQueueGroupsMax);
}

}  // namespace bricks
