// Who has which bucket: shares, and what moves when an output comes, goes, is lost and found.
#include "bricks/rendezvous.hh"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "check.hh"

namespace bricks {

namespace {

constexpr uint32_t kBuckets = Rendezvous::kBuckets;

std::vector<std::string> names(uint32_t set, uint32_t count) {
  std::vector<std::string> made;
  for (uint32_t i = 0; i < count; ++i) {
    made.push_back("set" + std::to_string(set) + "{" + std::to_string(i));
  }
  return made;
}

// By the same way that packets take: hash, bucket, outlet.
std::vector<uint16_t> owners(const Rendezvous& rendezvous) {
  std::vector<uint16_t> of(kBuckets);
  for (uint32_t i = 0; i < kBuckets; ++i) {
    const uint32_t hash = i << (32 - Rendezvous::kBucketBits);
    of[rendezvous.bucket(hash)] = static_cast<uint16_t>(rendezvous.outlet(hash));
  }
  return of;
}

double share(const std::vector<uint16_t>& of, uint32_t outlet) {
  return static_cast<double>(std::count(of.begin(), of.end(), outlet)) / kBuckets;
}

}  // namespace

TEST(rendezvous_shares_are_as_even_as_the_issue_wants) {
  // 8 outputs become 7: 12.6 % at most, 9: 11.3 %. For each of these names.
  uint32_t missed = 0;
  for (uint32_t set = 0; set < 8; ++set) {
    const std::vector<double> even(9, 1);
    const Rendezvous eight(names(set, 8), {even.begin(), even.begin() + 8}, 1);
    const Rendezvous nine(names(set, 9), even, 1);
    const std::vector<uint16_t> before = owners(eight), after = owners(nine);
    uint32_t moved = 0;
    for (uint32_t i = 0; i < kBuckets; ++i) {
      moved += before[i] != after[i];
      if (after[i] != 8) CHECK(before[i] == after[i]);
    }
    for (uint32_t i = 0; i < 8; ++i) CHECK(std::fabs(share(before, i) - 0.125) < 0.002);
    missed += share(before, 6) > 0.126 || moved > kBuckets * 0.113;
  }
  std::printf("  %u of 8 sets of names above 12.6 or 11.3 %%\n", missed);
  CHECK(missed == 0);
}

TEST(rendezvous_follows_weights) {
  const Rendezvous rendezvous(names(1, 4), {1, 2, 0, 5}, 1);
  const std::vector<uint16_t> of = owners(rendezvous);
  CHECK(std::fabs(share(of, 0) - 0.125) < 0.003);
  CHECK(std::fabs(share(of, 1) - 0.25) < 0.004);
  CHECK(share(of, 2) == 0);
  CHECK(std::fabs(share(of, 3) - 0.625) < 0.004);
}

// For a few outputs and for more than a byte names; some buckets are settled before, some after.
TEST(rendezvous_lost_outputs_are_as_if_they_were_not_there) {
  for (const uint32_t count : {3u, 300u}) {
    const std::vector<std::string> all = names(2, count);
    const std::vector<double> even(count, 1);
    Rendezvous rendezvous(all, even, 1);
    const std::vector<uint16_t> first = owners(rendezvous);
    rendezvous.set_open(1, false);
    std::vector<uint16_t> of = owners(rendezvous);
    for (uint32_t i = 0; i < kBuckets; ++i) {
      CHECK(of[i] != 1);
      if (first[i] != 1) CHECK(of[i] == first[i]);
    }
    // Two in a row, before anybody asks.
    rendezvous.set_open(1, true);
    rendezvous.set_open(0, false);
    of = owners(rendezvous);
    for (uint32_t i = 0; i < kBuckets; ++i) {
      CHECK(of[i] != 0);
      if (first[i] != 0) CHECK(of[i] == first[i]);
    }
    rendezvous.set_open(0, true);
    CHECK(owners(rendezvous) == first);
  }
}

TEST(rendezvous_without_any_output_open_stays) {
  Rendezvous rendezvous(names(3, 2), {1, 1}, 1);
  const std::vector<uint16_t> first = owners(rendezvous);
  rendezvous.set_open(0, false);
  const std::vector<uint16_t> one = owners(rendezvous);
  CHECK(share(one, 1) == 1);
  rendezvous.set_open(1, false);
  CHECK(owners(rendezvous) == one);
  rendezvous.set_open(0, true);
  CHECK(share(owners(rendezvous), 0) == 1);
  rendezvous.set_open(1, true);
  CHECK(owners(rendezvous) == first);
}

}  // namespace bricks
