// What a RuleList keeps: for its own sources.
#pragma once

#include <ctime>

#include "filter/rule_list.hh"

namespace bricks {

inline MonotonicNanos rule_clock() noexcept {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000 + static_cast<uint64_t>(now.tv_nsec);
}

inline std::string rule_name(uint32_t id) { return "rule " + std::to_string(id); }

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

}  // namespace bricks
