// Rules of one mask combination in a hash table (tuple-space search: Srinivasan, Suri, Varghese
// 1999). One control thread changes it while one engine thread looks packets up: entries are
// published with release stores, and freed by the owner once no reader can see them (rule_list.hh).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "filter/rule.hh"
#include "wire/flow_hash.hh"

namespace bricks {

using MonotonicNanos = uint64_t;
inline constexpr MonotonicNanos kNever = UINT64_MAX;

// Written by the engine's thread only, read by anybody; kept when a rule is changed.
struct RuleCounts {
  std::atomic<uint64_t> packets{0};  // that the rule decided about
  std::atomic<uint64_t> bytes{0};    // of those, captured bytes
  std::atomic<uint64_t> dropped{0};  // of those, packets that did not pass
};

// What the packet path knows of a rule.
struct RuleState {
  uint32_t id = 0;
  RuleAction action = RuleAction::drop;
  bool in_bits = false;
  uint32_t copy_name = 0;  // number of the output's name in its list
  uint64_t amount = 0;     // as in Rule; limit: thousandths a second
  uint64_t burst = 0;      // limit: most tokens
  MonotonicNanos expires = kNever;
  std::shared_ptr<RuleCounts> counts;
  // The engine's own; atomic only so that a stray second reader would be harmless.
  std::atomic<uint64_t> turn{0};    // sample: packets seen, modulo amount
  std::atomic<uint64_t> tokens{0};  // limit: thousandths left
  std::atomic<MonotonicNanos> refilled{0};
};

struct alignas(64) RuleEntry {
  std::atomic<RuleEntry*> next{nullptr};  // of the bucket, by rank
  RuleWords key;
  RuleRank rank;
  RuleState* state;
};
static_assert(sizeof(RuleEntry) == 64);

inline uint64_t hash_rule_words(const RuleWords& words, RuleFamily family,
                                const HashSeed& seed) noexcept {
  const uint64_t first = multiply_fold(words[0] ^ seed.word[0], words[1] ^ seed.word[1]);
  if (family != RuleFamily::ipv6) return first;
  const uint64_t second = multiply_fold(words[2] ^ seed.word[2], words[3] ^ seed.word[3]);
  return multiply_fold(first ^ words[4], second ^ seed.word[0]);
}

class RuleTable {
 public:
  RuleTable(RuleFamily family, const RuleWords& mask, uint32_t bits);
  ~RuleTable();  // frees the entries it has
  RuleTable(const RuleTable&) = delete;
  RuleTable& operator=(const RuleTable&) = delete;

  RuleFamily family() const noexcept { return family_; }
  const RuleWords& mask() const noexcept { return mask_; }
  uint32_t size() const noexcept { return size_; }
  bool full() const noexcept { return size_ >= uint64_t{1} << bits_; }
  uint32_t bits() const noexcept { return bits_; }
  // No entry has a smaller one; not raised by removal.
  RuleRank best_rank() const noexcept { return best_rank_; }

  // Packet path. A bucket's word is its first entry with 16 bits of a Bloom filter above it.
  const std::atomic<uint64_t>* bucket(uint64_t hash) const noexcept {
    return &buckets_[hash >> (64 - bits_)];
  }
  static bool may_have(uint64_t word, uint64_t hash) noexcept {
    return word >> (48 + (hash & 15)) & 1;
  }
  static const RuleEntry* first(uint64_t word) noexcept {
    return reinterpret_cast<const RuleEntry*>(word & kPointer);
  }

  // Control thread. False where kRuleSameMatchMax rules share the bucket.
  bool insert(const RuleWords& key, RuleRank rank, RuleState* state);
  // Takes the entry of `state` and `key` out of the table; readers may still see it. Null: none.
  std::unique_ptr<RuleEntry> remove(const RuleWords& key, const RuleState* state);
  // The same entries, in a table of twice the size.
  std::unique_ptr<RuleTable> grown() const;

 private:
  static constexpr uint64_t kPointer = (uint64_t{1} << 48) - 1;
  std::atomic<uint64_t>* bucket_of(const RuleWords& key) const noexcept;
  uint64_t tags_of(const RuleEntry* entry) const noexcept;

  RuleFamily family_;
  RuleWords mask_;
  uint32_t bits_;
  uint32_t size_ = 0;
  RuleRank best_rank_ = kNoRank;
  std::unique_ptr<std::atomic<uint64_t>[]> buckets_;
};

}  // namespace bricks
