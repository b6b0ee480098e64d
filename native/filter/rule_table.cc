#include "filter/rule_table.hh"

#include <algorithm>
#include <cassert>

#include "mem/limits.hh"

namespace bricks {

namespace {

uint64_t tag_of(uint64_t hash) noexcept { return uint64_t{1} << (48 + (hash & 15)); }

}  // namespace

RuleTable::RuleTable(RuleFamily family, const RuleWords& mask, uint32_t bits)
    : family_(family),
      mask_(mask),
      bits_(bits),
      buckets_(std::make_unique<std::atomic<uint64_t>[]>(size_t{1} << bits)) {
  assert(bits >= 1 && bits <= 32);
}

RuleTable::~RuleTable() {
  for (uint64_t i = 0; i < uint64_t{1} << bits_; ++i) {
    const RuleEntry* entry = first(buckets_[i].load(std::memory_order_relaxed));
    while (entry) {
      const RuleEntry* next = entry->next.load(std::memory_order_relaxed);
      delete entry;
      entry = next;
    }
  }
}

std::atomic<uint64_t>* RuleTable::bucket_of(const RuleWords& key) const noexcept {
  return &buckets_[hash_rule_words(key, family_, process_hash_seed()) >> (64 - bits_)];
}

uint64_t RuleTable::tags_of(const RuleEntry* entry) const noexcept {
  uint64_t tags = 0;
  for (; entry; entry = entry->next.load(std::memory_order_relaxed)) {
    tags |= tag_of(hash_rule_words(entry->key, family_, process_hash_seed()));
  }
  return tags;
}

bool RuleTable::insert(const RuleWords& key, RuleRank rank, RuleState* state) {
  std::atomic<uint64_t>* bucket = bucket_of(key);
  const uint64_t word = bucket->load(std::memory_order_relaxed);
  auto* head = reinterpret_cast<RuleEntry*>(word & kPointer);
  RuleEntry* before = nullptr;
  RuleEntry* after = head;
  uint32_t length = 0;
  for (RuleEntry* at = head; at; at = at->next.load(std::memory_order_relaxed)) ++length;
  if (length >= kRuleSameMatchMax) return false;
  while (after && after->rank < rank) {
    before = after;
    after = after->next.load(std::memory_order_relaxed);
  }
  auto* entry = new RuleEntry;
  entry->key = key;
  entry->rank = rank;
  entry->state = state;
  entry->next.store(after, std::memory_order_relaxed);
  assert((reinterpret_cast<uint64_t>(entry) & ~kPointer) == 0);
  const uint64_t tags =
      (word & ~kPointer) | tag_of(hash_rule_words(key, family_, process_hash_seed()));
  if (before) before->next.store(entry, std::memory_order_release);
  const RuleEntry* new_head = before ? head : entry;
  bucket->store(reinterpret_cast<uint64_t>(new_head) | tags, std::memory_order_release);
  ++size_;
  best_rank_ = std::min(best_rank_, rank);
  return true;
}

std::unique_ptr<RuleEntry> RuleTable::remove(const RuleWords& key, const RuleState* state) {
  std::atomic<uint64_t>* bucket = bucket_of(key);
  auto* head = reinterpret_cast<RuleEntry*>(bucket->load(std::memory_order_relaxed) & kPointer);
  RuleEntry* before = nullptr;
  RuleEntry* entry = head;
  while (entry && (entry->state != state || entry->key != key)) {
    before = entry;
    entry = entry->next.load(std::memory_order_relaxed);
  }
  if (!entry) return nullptr;
  RuleEntry* after = entry->next.load(std::memory_order_relaxed);
  if (before) {
    before->next.store(after, std::memory_order_release);
  } else {
    head = after;
  }
  bucket->store(reinterpret_cast<uint64_t>(head) | tags_of(head), std::memory_order_release);
  --size_;
  return std::unique_ptr<RuleEntry>(entry);
}

std::unique_ptr<RuleTable> RuleTable::grown() const {
  auto made = std::make_unique<RuleTable>(family_, mask_, bits_ + 1);
  for (uint64_t i = 0; i < uint64_t{1} << bits_; ++i) {
    const RuleEntry* entry = first(buckets_[i].load(std::memory_order_relaxed));
    for (; entry; entry = entry->next.load(std::memory_order_relaxed)) {
      [[maybe_unused]] const bool fits = made->insert(entry->key, entry->rank, entry->state);
      assert(fits);  // no bucket gets more than the one it was split from
    }
  }
  return made;
}

}  // namespace bricks
