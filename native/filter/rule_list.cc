// Keeping and changing rules.
#include <algorithm>
#include <set>

#include "filter/rule_record.hh"
#include "mem/limits.hh"

namespace bricks {

namespace {

Status no_rule(uint32_t id) {
  return {Code::invalid_argument,
          "there is no " + rule_name(id) + "; b:rules() lists those there are"};
}

std::shared_ptr<RuleState> make_state(const Rule& rule, MonotonicNanos now) {
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
  return state;
}

}  // namespace

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
    return {Code::limit_reached, std::to_string(before + rules.size()) + " rules; a Filter takes " +
                                     std::to_string(kRulesMax) + " (kRulesMax)"};
  }
  const MonotonicNanos now = rule_clock();
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
                                        "b:change_rule(" +
                                        std::to_string(rule.id) + ", {...})"};
    }
    auto state = make_state(rule, now);
    if (rule.action == RuleAction::copy) {
      const auto found = std::find(names_.begin(), names_.end(), rule.copy_to);
      state->copy_name = static_cast<uint32_t>(found - names_.begin());
      if (found == names_.end()) {
        if (names_.size() >= kOutletsMax) {
          return {Code::limit_reached, where + ": rules have named " + std::to_string(kOutletsMax) +
                                           " outputs (kOutletsMax)"};
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
  collect();
  return status;
}

Status RuleList::remove(uint32_t id) {
  std::lock_guard lock(mutex_);
  purge();
  const auto found = records_.find(id);
  Status status;
  if (found == records_.end()) status = no_rule(id);
  if (status.ok()) {
    forget(std::move(found->second));
    records_.erase(found);
  }
  collect();
  return status;
}

Status RuleList::change(uint32_t id, const Options& changes) {
  std::lock_guard lock(mutex_);
  purge();
  const auto found = records_.find(id);
  if (found == records_.end()) return no_rule(id);
  if (changes.contains("id")) {
    return {Code::invalid_argument, rule_name(id) +
                                        ": an id cannot change; remove the rule and "
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
    stale_ = true;  // what was purged above is still in the view
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
  collect();
  std::map<RuleRank, const Record*> sorted;
  for (const auto& [id, record] : records_) sorted.emplace(record->rank(), record.get());
  const MonotonicNanos now = rule_clock();
  std::vector<RuleInfo> made;
  for (const auto& [rank, record] : sorted) {
    const RuleState& state = *record->state;
    const RuleCounts& counts = *state.counts;
    // One may have come to its end since purge() looked at the clock.
    const MonotonicNanos left = state.expires > now ? state.expires - now : 0;
    const uint64_t dropped = counts.dropped;  // before packets: never more than those
    made.push_back({record->rule.fields, counts.packets, counts.bytes, dropped,
                    state.expires == kNever ? -1 : static_cast<double>(left) / 1e9});
  }
  return made;
}

}  // namespace bricks
