// Keeping and changing rules.
#include "filter/rule_list.hh"

#include <algorithm>
#include <cassert>
#include <ctime>
#include <set>

#include "mem/limits.hh"

namespace bricks {

namespace {

constexpr uint32_t kTableBitsFirst = 6;

MonotonicNanos clock_now() noexcept {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000 + static_cast<uint64_t>(now.tv_nsec);
}

std::string rule_name(uint32_t id) { return "rule " + std::to_string(id); }

}  // namespace

struct RuleList::Record {
  Rule rule;
  std::shared_ptr<RuleState> state;
  RuleRank rank() const noexcept { return rule_rank(rule.priority, rule.id); }
};

struct RuleList::Tables {
  using Key = std::pair<RuleFamily, RuleWords>;
  std::map<Key, std::unique_ptr<RuleTable>> by_mask;
  std::map<RuleRank, RuleView::ByExpression> expressions;
};

RuleList::RuleList() : tables_(std::make_unique<Tables>()) {}

RuleList::~RuleList() { assert(readers_.empty()); }

// Whoever reads in an epoch from before `object` was taken out may still see it.
void RuleList::retire(std::shared_ptr<void> object) {
  retired_.emplace_back(epoch_.load(std::memory_order_relaxed) + 1, std::move(object));
}

void RuleList::collect() {
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
  const MonotonicNanos now = clock_now();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const auto found = records_.find(deadlines_.begin()->second);
    assert(found != records_.end());
    forget(std::move(found->second));
    records_.erase(found);
  }
}

Status RuleList::check_names(const Rule& rule, const std::string& where) const {
  if (rule.action != RuleAction::copy) return {};
  for (const Reader* reader : readers_) {
    if (std::find(reader->names_.begin(), reader->names_.end(), rule.copy_to) !=
        reader->names_.end()) {
      continue;
    }
    std::string known;
    for (size_t i = 0; i < reader->names_.size() && i < 8; ++i) {
      known += (i ? ", " : "") + reader->names_[i];
    }
    return {Code::invalid_argument, where + ": copy_to is \"" + rule.copy_to.substr(0, 80) +
                                        "\", which is no output of this Filter; its outputs are " +
                                        known + "; add one with b:connect_output(\"...\")"};
  }
  return {};
}

Status RuleList::check_copies(const Reader& reader) const {
  for (const auto& [id, record] : records_) {
    if (record->rule.action != RuleAction::copy) continue;
    const uint32_t outlet = reader.outlets_[record->state->copy_name];
    if (outlet < kOutletsMax) continue;
    return {Code::invalid_graph, rule_name(id) + " copies to " + record->rule.copy_to +
                                     ", which is no output of this Filter; add the output, or "
                                     "take the rule out first: b:remove_rule(" +
                                     std::to_string(id) + ")"};
  }
  return {};
}

// Parses and checks rules, gives them ids and states. `keep_old`: beside those there are.
Status RuleList::make_records(const std::vector<Options>& rules, bool keep_old,
                              std::vector<std::unique_ptr<Record>>* made) {
  const size_t before = keep_old ? records_.size() : 0;
  if (before + rules.size() > kRulesMax) {
    return {Code::limit_reached, std::to_string(before + rules.size()) +
                                     " rules; a Filter takes " + std::to_string(kRulesMax) +
                                     " (kRulesMax)"};
  }
  const MonotonicNanos now = clock_now();
  std::set<uint32_t> ids;
  for (size_t i = 0; i < rules.size(); ++i) {
    const std::string where =
        rules.size() == 1 && keep_old ? "rule" : "rule #" + std::to_string(i + 1);
    auto record = std::make_unique<Record>();
    Rule& rule = record->rule;
    if (Status status = parse_rule(where, rules[i], &rule); !status.ok()) return status;
    if (Status status = check_names(rule, where); !status.ok()) return status;
    if (rule.id && ((keep_old && records_.contains(rule.id)) || !ids.insert(rule.id).second)) {
      return {Code::already_exists, where + ": id " + std::to_string(rule.id) +
                                        " is another rule's; leave it out, or change that one: "
                                        "b:change_rule(" + std::to_string(rule.id) + ", {...})"};
    }
    auto state = std::make_shared<RuleState>();
    state->action = rule.action;
    state->in_bits = rule.in_bits;
    state->amount = rule.amount;
    state->counts = std::make_shared<RuleCounts>();
    if (rule.timeout > 0) state->expires = now + static_cast<uint64_t>(rule.timeout * 1e9);
    if (rule.action == RuleAction::limit) {
      // A tenth of a second's worth, but never less than the largest packet.
      const uint64_t least = rule.in_bits ? uint64_t{kFrameMax} * 8000 : 1000;
      state->burst = std::max(least, rule.amount / 10);
      state->tokens = state->burst;
      state->refilled = now;
    }
    if (rule.action == RuleAction::copy) {
      const auto found = std::find(names_.begin(), names_.end(), rule.copy_to);
      state->copy_name = static_cast<uint32_t>(found - names_.begin());
      if (found == names_.end()) {
        if (names_.size() >= kOutletsMax) {
          return {Code::limit_reached, where + ": rules have named " +
                                           std::to_string(kOutletsMax) + " outputs (kOutletsMax)"};
        }
        names_.push_back(rule.copy_to);
        for (Reader* reader : readers_) reader->learn_name(state->copy_name, rule.copy_to);
      }
    }
    record->state = std::move(state);
    made->push_back(std::move(record));
  }
  // Ids that nobody asked for: after the greatest so far, which keeps them in order of age.
  for (const uint32_t id : ids) last_id_ = std::max(last_id_, id);
  for (const auto& record : *made) {
    Rule& rule = record->rule;
    if (rule.id == 0) {
      do {
        ++last_id_;
      } while (last_id_ == 0 || ids.contains(last_id_) ||
               (keep_old && records_.contains(last_id_)));
      rule.id = last_id_;
    }
    rule.fields["id"] = static_cast<int64_t>(rule.id);
    record->state->id = rule.id;
  }
  return {};
}

Status RuleList::add(const std::vector<Options>& rules, std::vector<uint32_t>* ids) {
  std::lock_guard lock(mutex_);
  purge();
  std::vector<std::unique_ptr<Record>> made;
  Status status = make_records(rules, true, &made);
  size_t inserted = 0;
  while (status.ok() && inserted < made.size()) {
    status = insert(*made[inserted]);
    if (status.ok()) ++inserted;
  }
  if (!status.ok()) {
    for (size_t i = 0; i < inserted; ++i) erase(*made[i]);
    made.clear();
  }
  for (auto& record : made) {
    const uint32_t id = record->rule.id;
    ids->push_back(id);
    if (record->state->expires != kNever) deadlines_.emplace(record->state->expires, id);
    records_.emplace(id, std::move(record));
  }
  if (stale_) publish();
  collect();
  return status;
}

Status RuleList::remove(uint32_t id) {
  std::lock_guard lock(mutex_);
  purge();
  const auto found = records_.find(id);
  Status status;
  if (found == records_.end()) {
    status = {Code::invalid_argument, "there is no rule " + std::to_string(id) +
                                          "; b:rules() lists those there are"};
  } else {
    forget(std::move(found->second));
    records_.erase(found);
  }
  if (stale_) publish();
  collect();
  return status;
}

Status RuleList::change(uint32_t id, const Options& changes) {
  std::lock_guard lock(mutex_);
  purge();
  const auto found = records_.find(id);
  if (found == records_.end()) {
    return {Code::invalid_argument,
            "there is no rule " + std::to_string(id) + "; b:rules() lists those there are"};
  }
  if (changes.contains("id")) {
    return {Code::invalid_argument, rule_name(id) + ": an id cannot change; remove the rule and "
                                                    "add another"};
  }
  Record& old = *found->second;
  Options fields = changed_fields(old.rule.fields, changes);
  fields.erase("id");
  std::vector<std::unique_ptr<Record>> made;
  const uint32_t last_id = last_id_;
  Status status = make_records({fields}, true, &made);
  last_id_ = last_id;
  if (!status.ok()) return {status.code, rule_name(id) + status.message.substr(4)};
  Record& next = *made[0];
  next.rule.id = next.state->id = id;
  next.rule.fields["id"] = static_cast<int64_t>(id);
  next.state->counts = old.state->counts;
  if (!changes.contains("timeout")) next.state->expires = old.state->expires;
  // The new one first: no packet finds neither. Expressions change places in one publish.
  if (next.rule.expression && old.rule.expression) {
    tables_->expressions.erase(old.rank());
    old.rule.expression = nullptr;
  }
  status = insert(next);
  if (status.ok()) {
    forget(std::move(found->second));
    found->second = std::move(made[0]);
    if (next.state->expires != kNever) deadlines_.emplace(next.state->expires, id);
  }
  if (stale_) publish();
  collect();
  return status;
}

Status RuleList::replace(const std::vector<Options>& rules, std::vector<uint32_t>* ids) {
  std::lock_guard lock(mutex_);
  purge();
  std::vector<std::unique_ptr<Record>> made;
  if (Status status = make_records(rules, false, &made); !status.ok()) return status;
  std::unique_ptr<Tables> before = std::move(tables_);
  tables_ = std::make_unique<Tables>();
  for (const auto& record : made) {
    Status status = insert(*record);
    if (status.ok()) continue;
    tables_ = std::move(before);
    publish();  // what was purged above is still in the view
    collect();
    return status;
  }
  for (const auto& record : made) {
    const auto old = records_.find(record->rule.id);
    if (old != records_.end()) record->state->counts = old->second->state->counts;
  }
  publish();
  retire(std::shared_ptr<Tables>(std::move(before)));
  for (auto& [id, record] : records_) retire(record->state);
  records_.clear();
  deadlines_.clear();
  for (auto& record : made) {
    const uint32_t id = record->rule.id;
    ids->push_back(id);
    if (record->state->expires != kNever) deadlines_.emplace(record->state->expires, id);
    records_.emplace(id, std::move(record));
  }
  collect();
  return {};
}

std::vector<RuleInfo> RuleList::list() {
  std::lock_guard lock(mutex_);
  purge();
  if (stale_) publish();
  collect();
  std::map<RuleRank, const Record*> sorted;
  for (const auto& [id, record] : records_) sorted.emplace(record->rank(), record.get());
  const MonotonicNanos now = clock_now();
  std::vector<RuleInfo> made;
  for (const auto& [rank, record] : sorted) {
    const RuleState& state = *record->state;
    const RuleCounts& counts = *state.counts;
    const double left = static_cast<double>(state.expires - now) / 1e9;
    made.push_back({record->rule.fields, counts.packets, counts.bytes, counts.dropped,
                    state.expires == kNever ? -1 : std::max(left, 0.0)});
  }
  return made;
}

uint32_t RuleList::size() {
  std::lock_guard lock(mutex_);
  purge();
  return static_cast<uint32_t>(records_.size());
}

}  // namespace bricks
