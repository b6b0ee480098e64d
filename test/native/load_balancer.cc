// Shares, nesting and change of the LoadBalancer.
#include <algorithm>
#include <cmath>
#include <memory>

#include "bricks/brick.hh"
#include "check.hh"
#include "pipe_fixture.hh"

namespace bricks {

namespace {

struct Balancer {
  std::unique_ptr<Brick> brick;
  std::vector<Index> storage;
  std::vector<Outlets::List> lists;
  LedgerCell cell;

  Balancer(std::vector<std::string> names, uint32_t level, Options options = {}) {
    const BrickType* type = find_brick_type("LoadBalancer");
    CHECK(check_options("LoadBalancer", type->options, &options).ok());
    const auto outlets = static_cast<uint32_t>(names.size());
    CHECK(type->make(options, {outlets, level, std::move(names)}, &brick).ok());
    storage.resize(size_t{outlets} * kBatchMax);
    lists.resize(outlets);
  }
  uint32_t pick(uint32_t hash) {
    auto batch = std::make_unique<Batch>();
    batch->packets[0].hash = hash;
    const Index all[1] = {0};
    for (size_t i = 0; i < lists.size(); ++i) {
      Index* own = storage.data() + i * kBatchMax;
      lists[i] = {own, own, own};
    }
    Outlets outlets(lists, cell);
    brick->push(*batch, all, outlets);
    for (uint32_t i = 0; i < lists.size(); ++i) {
      if (lists[i].count()) return i;
    }
    return UINT32_MAX;
  }
};

std::vector<std::string> names(uint32_t count) {
  std::vector<std::string> made;
  for (uint32_t i = 0; i < count; ++i) made.push_back("eth0{" + std::to_string(i));
  return made;
}

}  // namespace

TEST(load_balancer_shares_are_even_at_three_levels) {
  constexpr uint32_t kFlows = 200000;
  Balancer first(names(4), 1), second(names(4), 2), third(names(4), 3);
  std::vector<uint32_t> at_one(4), at_two(16), at_three(64);
  Random random{42};
  for (uint32_t i = 0; i < kFlows; ++i) {
    const auto hash = static_cast<uint32_t>(random.next() >> 32);
    const uint32_t a = first.pick(hash), b = second.pick(hash), c = third.pick(hash);
    ++at_one[a];
    ++at_two[a * 4 + b];
    ++at_three[a * 16 + b * 4 + c];
  }
  const auto worst = [](const std::vector<uint32_t>& shares) {
    double most = 0;
    for (const uint32_t share : shares) {
      most = std::max(most, std::abs(share * double(shares.size()) / kFlows - 1));
    }
    return most;
  };
  std::printf("  off even by %.1f %%, %.1f %%, %.1f %% at levels 1, 2, 3\n", worst(at_one) * 100,
              worst(at_two) * 100, worst(at_three) * 100);
  CHECK(worst(at_one) < 0.05);
  CHECK(worst(at_two) < 0.10);
  CHECK(worst(at_three) < 0.10);
}

TEST(load_balancer_moves_only_what_it_must) {
  constexpr uint32_t kFlows = 50000;
  Balancer eight(names(8), 1), nine(names(9), 1);
  uint32_t moved = 0, elsewhere = 0;
  Random random{43};
  for (uint32_t i = 0; i < kFlows; ++i) {
    const auto hash = static_cast<uint32_t>(random.next() >> 32);
    const uint32_t before = eight.pick(hash), after = nine.pick(hash);
    moved += before != after;
    elsewhere += before != after && after != 8;
  }
  CHECK_EQ(elsewhere, 0u);
  CHECK(moved < kFlows * 0.126 && moved > kFlows * 0.096);
}

TEST(load_balancer_weights) {
  constexpr uint32_t kFlows = 50000;
  Options options;
  options["weights"] = std::vector<double>{3, 1, 0};
  Balancer weighted(names(3), 1, options);
  uint32_t shares[3] = {};
  Random random{44};
  for (uint32_t i = 0; i < kFlows; ++i) {
    ++shares[weighted.pick(static_cast<uint32_t>(random.next() >> 32))];
  }
  CHECK(std::abs(shares[0] / double(kFlows) - 0.75) < 0.02);
  CHECK_EQ(shares[2], 0u);
  Options short_list;
  short_list["weights"] = std::vector<double>{1, 2};
  const BrickType* type = find_brick_type("LoadBalancer");
  CHECK(check_options("LoadBalancer", type->options, &short_list).ok());
  std::unique_ptr<Brick> brick;
  CHECK_EQ(type->make(short_list, {3, 1, names(3)}, &brick).code, Code::invalid_argument);
}

TEST(load_balancer_many_outputs) {
  Balancer thousand(names(1000), 1);
  std::vector<uint32_t> shares(1000);
  Random random{45};
  for (int i = 0; i < 100000; ++i) {
    ++shares[thousand.pick(static_cast<uint32_t>(random.next() >> 32))];
  }
  CHECK(*std::min_element(shares.begin(), shares.end()) > 0);
}

}  // namespace bricks
