// Weighted rendezvous hashing (Thaler, Ravishankar 1998; Schindelhauer, Schomaker 2005): a flow
// hashes to a bucket, a bucket goes to the output with the highest score; so an output that leaves
// takes only its own along, and one that comes takes only what is its own.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "wire/packet.hh"

namespace bricks {

class Rendezvous {
 public:
  // 256 KiB for up to 255 outputs: still in a second-level cache, beside the packets. A share
  // strays from what its weight says by 0.05 % of all flows. Who has a bucket is found out when the
  // first packet asks.
  static constexpr uint32_t kBucketBits = 18, kBuckets = 1u << kBucketBits;

  // `level`: a balancer behind a balancer decides anew. One weight at least is above 0.
  Rendezvous(const std::vector<std::string>& names, const std::vector<double>& weights,
             uint32_t level);

  uint32_t bucket(uint32_t hash) const noexcept { return (hash * salt_) >> (32 - kBucketBits); }
  uint32_t outlet(uint32_t hash) const noexcept {
    refresh();
    return at(bucket(hash));
  }
  // For a loop over packets: after refresh(), cells<Entry>()[bucket] is the outlet and one, or 0:
  // settle(bucket) says. Entry: uint8_t where narrow(), else uint16_t.
  void refresh() const noexcept {
    if (stale_) clear_stale();
  }
  bool narrow() const noexcept { return names_.size() < 256; }
  template <typename Entry>
  const Entry* cells() const noexcept {
    return static_cast<const Entry*>(table_.get());
  }
  uint32_t settle(uint32_t bucket) const noexcept;
  uint32_t salt() const noexcept { return salt_; }

  bool is_open(uint32_t outlet) const noexcept { return open_[outlet]; }
  // Buckets of a closed outlet are the others', as if it were not there; where all are closed they
  // stay. Does not allocate.
  void set_open(uint32_t outlet, bool open) noexcept;

 private:
  struct Free {
    void operator()(void* table) const noexcept { std::free(table); }
  };
  uint32_t at(uint32_t bucket) const noexcept {
    const uint32_t cell = narrow() ? cells<uint8_t>()[bucket] : cells<uint16_t>()[bucket];
    return cell ? cell - 1 : settle(bucket);
  }
  double score(uint32_t bucket, uint32_t outlet) const noexcept;
  void clear_stale() const noexcept;

  struct Name {
    uint64_t hash;
    uint32_t key[3];
  };
  std::vector<Name> names_;
  std::vector<double> weights_;
  std::vector<bool> open_;
  uint32_t open_count_;
  // Zeros at first: pages that no flow has touched are not there. What is not known yet is no part
  // of what const keeps as it is.
  std::unique_ptr<void, Free> table_;
  mutable bool stale_ = false;      // some cells are of before set_open():
  mutable bool all_stale_ = false;  // all of them,
  uint32_t closed_ = 0;             // or those of this outlet
  uint32_t salt_;
  bool even_;  // all weights are alike: scores need no logarithm
};

}  // namespace bricks
