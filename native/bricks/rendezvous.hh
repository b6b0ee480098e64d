// Weighted rendezvous hashing (Thaler, Ravishankar 1998; Schindelhauer, Schomaker 2005): a flow
// hashes to a bucket, a bucket goes to the output with the highest score; so an output that leaves
// takes only its own along, and one that comes takes only what is its own.
#pragma once

#include <string>
#include <vector>

#include "wire/packet.hh"

namespace bricks {

class Rendezvous {
 public:
  // 16,384 buckets keep every share within 2 % of its weight, and the table of up to 256 outputs
  // within half of a first-level cache.
  static constexpr uint32_t kBucketBits = 14, kBuckets = 1u << kBucketBits;

  // `level`: a balancer behind a balancer decides anew. One weight at least is above 0.
  Rendezvous(const std::vector<std::string>& names, const std::vector<double>& weights,
             uint32_t level);

  uint32_t bucket(uint32_t hash) const noexcept { return (hash * salt_) >> (32 - kBucketBits); }
  uint32_t outlet(uint32_t hash) const noexcept { return table_[bucket(hash)]; }
  uint32_t salt() const noexcept { return salt_; }
  const std::vector<uint16_t>& table() const noexcept { return table_; }
  bool is_open(uint32_t outlet) const noexcept { return open_[outlet]; }
  // Buckets of a closed outlet are the others', as if it were not there; where all are closed they
  // stay. Does not allocate.
  void set_open(uint32_t outlet, bool open) noexcept;

 private:
  double score(uint32_t bucket, uint32_t outlet) const noexcept;
  uint16_t best(uint32_t bucket) const noexcept;

  std::vector<uint64_t> names_;  // their hashes
  std::vector<double> weights_;
  std::vector<bool> open_;
  std::vector<uint16_t> table_;
  uint32_t salt_;
  bool even_;  // all weights are alike: scores need no logarithm
};

}  // namespace bricks
