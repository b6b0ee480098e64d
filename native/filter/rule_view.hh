// All rules of a list as the packet path sees them, and the matching of a batch against them.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "filter/expression.hh"
#include "filter/rule_table.hh"
#include "wire/packet.hh"

namespace bricks {

struct RuleView {
  struct Table {
    const RuleTable* table;
    RuleRank best_rank;
  };
  struct ByExpression {
    RuleRank rank;
    std::shared_ptr<const Expression> expression;
    std::shared_ptr<RuleState> state;
  };
  std::array<std::vector<Table>, kRuleFamilies> tables;  // best first
  std::vector<ByExpression> expressions;                 // best first
  bool reads_headers() const noexcept { return !tables[0].empty() || !tables[1].empty(); }
};

// Room for the work on one batch; belongs to an engine's thread.
class RuleMatcher {
 public:
  // Finds the rule that decides about each packet of `batch` named by `picks`, which are distinct
  // and in order. The batch must be decoded where view.reads_headers(). `now`: rules that ended
  // before do not count. Never reads beyond a packet's captured bytes.
  void match(const RuleView& view, const Batch& batch, const Index* picks, uint32_t count,
             MonotonicNanos now) noexcept;

  // After match: the rule of a packet among `picks`; null: none.
  RuleState* winner(Index packet) const noexcept { return winner_[packet]; }

 private:
  struct Lane {  // packets of one family, their words side by side
    uint32_t count;
    Index packet[kBatchMax];
  };
  void read_headers(const Batch& batch, const Index* picks, uint32_t count) noexcept;
  void read_macs(const Batch& batch, const Index* picks, uint32_t count) noexcept;
  template <RuleFamily family>
  void probe(const std::vector<RuleView::Table>& tables, const Lane& lane,
             MonotonicNanos now) noexcept;
  void match_expressions(const RuleView& view, const Batch& batch, const Index* picks,
                         uint32_t count, MonotonicNanos now) noexcept;

  RuleState* winner_[kBatchMax];
  RuleRank rank_[kBatchMax];
  Lane lanes_[kRuleFamilies];
  RuleWords words_[kRuleFamilies][kBatchMax];
  uint64_t hashes_[kBatchMax];
  const RuleEntry* first_[kBatchMax + 1];
  Index candidate_[kBatchMax + 1];
  Index left_[kBatchMax + 1], matched_[kBatchMax];
};

}  // namespace bricks
