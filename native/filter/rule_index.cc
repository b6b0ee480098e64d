// Getting rules into the tables that the packet path looks at, and out of them again.
#include <algorithm>
#include <cassert>

#include "filter/rule_record.hh"
#include "mem/limits.hh"

namespace bricks {

namespace {

constexpr uint32_t kTableBitsFirst = 6;

}  // namespace

RuleList::RuleList() : tables_(std::make_unique<Tables>()) {}

RuleList::~RuleList() { assert(readers_.empty()); }

// Whoever reads in an epoch from before `object` was taken out may still see it.
void RuleList::retire(std::shared_ptr<void> object) {
  retired_.emplace_back(epoch_.load(std::memory_order_relaxed) + 1, std::move(object));
}

void RuleList::collect() {
  if (stale_) publish();  // nothing is freed that a new reader could still come upon
  if (retired_.empty()) return;
  uint64_t oldest = epoch_.fetch_add(1, std::memory_order_acq_rel) + 1;
  for (Reader* reader : readers_) {
    // A read that writes: a reader that enters after it sees all that was taken out before it.
    oldest = std::min(oldest, reader->seen_.fetch_add(0, std::memory_order_acq_rel));
  }
  std::erase_if(retired_, [oldest](const auto& entry) { return entry.first <= oldest; });
}

void RuleList::publish() {
  auto made = std::make_unique<RuleView>();
  for (const auto& [key, table] : tables_->by_mask) {
    made->tables[static_cast<uint32_t>(key.first)].push_back({table.get(), table->best_rank()});
  }
  for (auto& tables : made->tables) {
    std::sort(tables.begin(), tables.end(),
              [](const auto& a, const auto& b) { return a.best_rank < b.best_rank; });
  }
  for (const auto& [rank, rule] : tables_->expressions) made->expressions.push_back(rule);
  const bool empty = tables_->by_mask.empty() && tables_->expressions.empty();
  view_.store(empty ? nullptr : made.get(), std::memory_order_release);
  if (published_) retire(std::shared_ptr<RuleView>(std::move(published_)));
  published_ = std::move(made);
  stale_ = false;
}

// Puts a record into the tables. On error nothing of it is there.
Status RuleList::insert(Record& record) {
  const Rule& rule = record.rule;
  if (rule.expression) {
    if (tables_->expressions.size() >= kRuleExpressionsMax) {
      return {Code::limit_reached, rule_name(rule.id) + ": a Filter takes " +
                                       std::to_string(kRuleExpressionsMax) +
                                       " rules with an expression (kRuleExpressionsMax); use "
                                       "address, flow, connection or mac where they do"};
    }
    tables_->expressions[record.rank()] = {record.rank(), rule.expression, record.state};
    stale_ = true;
    return {};
  }
  for (size_t i = 0; i < rule.keys.size(); ++i) {
    const RuleKey& key = rule.keys[i];
    auto& table = tables_->by_mask[{key.family, key.mask}];
    std::string fault;
    if (!table) {
      if (tables_->by_mask.size() > kRuleMasksMax) {
        fault = "a Filter takes " + std::to_string(kRuleMasksMax) +
                " different combinations of prefixes, ports and protocol (kRuleMasksMax)";
      } else {
        table = std::make_unique<RuleTable>(key.family, key.mask, kTableBitsFirst);
        stale_ = true;
      }
    } else if (table->full()) {
      std::unique_ptr<RuleTable> grown = table->grown();
      retire(std::shared_ptr<RuleTable>(std::move(table)));
      table = std::move(grown);
      stale_ = true;
    }
    if (fault.empty()) {
      const RuleRank best = table->best_rank();
      if (!table->insert(key.key, record.rank(), record.state.get())) {
        fault = std::to_string(kRuleSameMatchMax) +
                " rules match the very same packets already (kRuleSameMatchMax)";
      }
      stale_ |= table->best_rank() < best;
    }
    if (fault.empty()) continue;
    if (!table) tables_->by_mask.erase({key.family, key.mask});
    erase(record);
    return {Code::limit_reached, rule_name(rule.id) + ": " + fault};
  }
  return {};
}

// Takes out whatever of the record is in the tables. Its state stays until readers have moved on.
void RuleList::erase(Record& record) {
  if (record.rule.expression) {
    tables_->expressions.erase(record.rank());
    stale_ = true;
  }
  for (const RuleKey& key : record.rule.keys) {
    const auto found = tables_->by_mask.find({key.family, key.mask});
    if (found == tables_->by_mask.end()) continue;
    std::unique_ptr<RuleEntry> entry = found->second->remove(key.key, record.state.get());
    if (entry) retire(std::shared_ptr<RuleEntry>(std::move(entry)));
    if (found->second->size() == 0) {
      retire(std::shared_ptr<RuleTable>(std::move(found->second)));
      tables_->by_mask.erase(found);
      stale_ = true;
    }
  }
  retire(record.state);
}

void RuleList::forget(std::unique_ptr<Record> record) {
  const auto [begin, end] = deadlines_.equal_range(record->state->expires);
  for (auto at = begin; at != end; ++at) {
    if (at->second != record->rule.id) continue;
    deadlines_.erase(at);
    break;
  }
  erase(*record);
}

// Rules whose time is over do not match any more; here they go for good.
void RuleList::purge() {
  const MonotonicNanos now = rule_clock();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const auto found = records_.find(deadlines_.begin()->second);
    assert(found != records_.end());
    forget(std::move(found->second));
    records_.erase(found);
  }
}

}  // namespace bricks
