// Filter: rules first, then the expression or the default. What a rule does is in act().
#include <ctime>

#include "bricks/brick.hh"
#include "filter/expression.hh"
#include "filter/rule_list.hh"
#include "wire/decode.hh"

namespace bricks {

namespace {

constexpr OptionDescriptor kOptions[] = {
    {"expression", OptionType::text, "", 0, 0, nullptr,
     "libpcap expression (pcap-filter(7)): what no rule decides about passes if it matches; empty: "
     "see default"},
    {"default", OptionType::text, "pass", 0, 0, "pass|drop",
     "what no rule decides about, where there is no expression"},
    {"rules", OptionType::integer, "0", 0, 9007199254740991.0, nullptr,
     "a list of rules, as b:add_rule takes them; all of them at once"},
};

// vDSO: no system call; a few milliseconds coarse, which is fine enough for time-outs and rates.
MonotonicNanos coarse_clock() noexcept {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000 + static_cast<uint64_t>(now.tv_nsec);
}

// Only the engine's thread writes.
void add(std::atomic<uint64_t>& count, uint64_t more) noexcept {
  count.store(count.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

bool take_turn(RuleState& rule) noexcept {
  const uint64_t turn = rule.turn.load(std::memory_order_relaxed);
  rule.turn.store(turn + 1 < rule.amount ? turn + 1 : 0, std::memory_order_relaxed);
  return turn == 0;
}

// Token bucket, in thousandths of a packet or bit.
bool take_tokens(RuleState& rule, uint64_t cost, MonotonicNanos now) noexcept {
  uint64_t tokens = rule.tokens.load(std::memory_order_relaxed);
  const MonotonicNanos refilled = rule.refilled.load(std::memory_order_relaxed);
  if (now > refilled) {
    const double more =
        static_cast<double>(now - refilled) * static_cast<double>(rule.amount) / 1e9;
    // Less than a token is left to grow until it is one.
    if (more >= 1) {
      const double room = static_cast<double>(rule.burst - tokens);
      tokens = more >= room ? rule.burst : tokens + static_cast<uint64_t>(more);
      rule.refilled.store(now, std::memory_order_relaxed);
    }
  }
  const bool enough = tokens >= cost;
  rule.tokens.store(enough ? tokens - cost : tokens, std::memory_order_relaxed);
  return enough;
}

class Filter final : public Brick {
 public:
  Filter(std::unique_ptr<Expression> expression, bool pass_rest,
         std::unique_ptr<RuleList::Reader> rules)
      : expression_(std::move(expression)), pass_rest_(pass_rest), rules_(std::move(rules)) {}

  void push(Batch& batch, Picks in, Outlets& out) noexcept override {
    const RuleView* view = rules_ ? rules_->enter() : nullptr;
    if (view) {
      push_rules(*view, batch, in, out);
    } else {
      push_rest(batch, in, out);
    }
    if (rules_) rules_->leave();
  }

  Decision explain(const Batch& batch, Index packet, uint32_t outlets) const override;

 private:
  // Without rules.
  void push_rest(Batch& batch, Picks in, Outlets& out) noexcept {
    if (!expression_) {
      if (pass_rest_)
        out.put_all(0, in);
      else
        out.cell().drop(Drop::filtered, in.size());
      return;
    }
    Outlets::List& list = out.lists()[0];
    const auto count = static_cast<uint32_t>(in.size());
    list.end += expression_->match(batch, in.data(), count, list.own);
    out.cell().drop(Drop::filtered, count - list.count());
  }

  void push_rules(const RuleView& view, Batch& batch, Picks in, Outlets& out) noexcept {
    if (view.reads_headers() && !batch.decoded) {
      decode(batch, process_hash_seed());
      batch.decoded = true;
    }
    // What comes in several times is matched once; equal picks are neighbours.
    uint32_t count = 0;
    for (const Index packet : in) {
      if (count == 0 || distinct_[count - 1] != packet) distinct_[count++] = packet;
    }
    const MonotonicNanos now = coarse_clock();
    matcher_.match(view, batch, distinct_, count, now);
    decide_rest(batch, count);
    uint64_t filtered = 0, limited = 0;
    for (const Index packet : in) {
      RuleState* rule = matcher_.winner(packet);
      if (!rule) {
        if (rest_passes_[packet])
          out.put(0, packet);
        else
          ++filtered;
        continue;
      }
      add(rule->counts->packets, 1);
      add(rule->counts->bytes, batch.packets[packet].length);
      if (act(*rule, batch, packet, now, out)) continue;
      add(rule->counts->dropped, 1);
      ++(rule->action == RuleAction::limit ? limited : filtered);
    }
    if (filtered) out.cell().drop(Drop::filtered, filtered);
    if (limited) out.cell().drop(Drop::rate_limited, limited);
  }

  // For the packets no rule decided about.
  void decide_rest(const Batch& batch, uint32_t count) noexcept {
    if (!expression_) {
      for (uint32_t i = 0; i < count; ++i) rest_passes_[distinct_[i]] = pass_rest_;
      return;
    }
    uint32_t rest = 0;
    for (uint32_t i = 0; i < count; ++i) {
      rest_[rest] = distinct_[i];
      rest += !matcher_.winner(distinct_[i]);
      rest_passes_[distinct_[i]] = false;
    }
    if (rest == 0) return;
    const uint32_t matched = expression_->match(batch, rest_, rest, matched_);
    for (uint32_t i = 0; i < matched; ++i) rest_passes_[matched_[i]] = true;
  }

  // True: it has been put where it goes. False: it is to be dropped.
  bool act(RuleState& rule, const Batch& batch, Index packet, MonotonicNanos now,
           Outlets& out) noexcept {
    switch (rule.action) {
      case RuleAction::drop:
        return false;
      case RuleAction::pass:
        break;
      case RuleAction::copy:
        if (const uint32_t outlet = rules_->outlet(rule.copy_name); outlet < out.count()) {
          out.put(outlet, packet);
          // A rule may name outlet 0: then it is there once, as any other.
          if (outlet == 0) return true;
          ++out.cell().copies;
        }
        break;
      case RuleAction::sample:
        if (!take_turn(rule)) return false;
        break;
      case RuleAction::slice:
        if (rule.amount < batch.packets[packet].length) {
          out.cut(packet, static_cast<uint32_t>(rule.amount));
        }
        break;
      case RuleAction::limit: {
        const uint64_t cost = rule.in_bits ? uint64_t{wire_length(batch, packet)} * 8000 : 1000;
        if (!take_tokens(rule, cost, now)) return false;
        break;
      }
    }
    out.put(0, packet);
    return true;
  }

  std::unique_ptr<Expression> expression_;  // null: none
  bool pass_rest_;
  std::unique_ptr<RuleList::Reader> rules_;  // null: none
  RuleMatcher matcher_;
  Index distinct_[kBatchMax + 1], rest_[kBatchMax + 1], matched_[kBatchMax];
  bool rest_passes_[kBatchMax];
};

constexpr const char* kActions[] = {"drop", "pass", "copy", "sample", "slice", "limit"};

Decision Filter::explain(const Batch& batch, Index packet, uint32_t outlets) const {
  const RuleView* view = rules_ ? rules_->enter() : nullptr;
  const auto matcher = std::make_unique<RuleMatcher>();
  Decision decision{{0}, {}};
  const RuleState* rule = nullptr;
  if (view) {
    matcher->match(*view, batch, &packet, 1, coarse_clock());
    rule = matcher->winner(packet);
  }
  if (rule) {
    decision.why =
        "rule " + std::to_string(rule->id) + ": " + kActions[static_cast<size_t>(rule->action)];
    if (rule->action == RuleAction::drop) decision.outlets.clear();
    if (rule->action == RuleAction::sample) {
      decision.why += ", one packet in " + std::to_string(rule->amount) + " passes";
    } else if (rule->action == RuleAction::limit) {
      decision.why += ", " + std::to_string(rule->amount / 1000) +
                      (rule->in_bits ? " bits" : " packets") + " a second pass";
    } else if (rule->action == RuleAction::copy) {
      const uint32_t outlet = rules_->outlet(rule->copy_name);
      if (outlet != 0 && outlet < outlets) decision.outlets.push_back(outlet);
    }
  } else if (expression_) {
    Index matched;
    const bool passes = expression_->match(batch, &packet, 1, &matched) == 1;
    decision.why =
        std::string(passes ? "it matches '" : "it does not match '") + expression_->text() + "'";
    if (!passes) decision.outlets.clear();
  } else {
    decision.why =
        std::string("no rule decides about it; default is ") + (pass_rest_ ? "pass" : "drop");
    if (!pass_rest_) decision.outlets.clear();
  }
  if (rules_) rules_->leave();
  return decision;
}

Status make(const Options& options, const BrickPlace& place, std::unique_ptr<Brick>* brick) {
  std::unique_ptr<Expression> expression;
  if (const std::string& text = option_text(options, "expression"); !text.empty()) {
    if (Status status = compile_expression(text, &expression); !status.ok()) {
      return {status.code, "Filter: " + status.message};
    }
  }
  std::unique_ptr<RuleList::Reader> rules;
  if (const auto number = static_cast<uint64_t>(option_integer(options, "rules"))) {
    const std::shared_ptr<RuleList> list = find_rule_list(number);
    if (!list) {
      return {Code::invalid_argument,
              "Filter: there is no list of rules with the number " + std::to_string(number)};
    }
    if (Status status = list->attach(place.outlet_names, &rules); !status.ok()) {
      return {status.code, "Filter: " + status.message};
    }
  }
  *brick = std::make_unique<Filter>(std::move(expression),
                                    option_text(options, "default") == "pass", std::move(rules));
  return {};
}

}  // namespace

extern const BrickType kFilter = {
    .name = "Filter",
    .summary = "passes or drops packets by a libpcap expression and by rules",
    .details =
        "The expression is compiled by libpcap for the link type of each packet. What does "
        "not match is dropped and counted as `filtered`. Rules (docs/filter-rules.md) come "
        "first and are added, changed and removed while it runs; they drop, pass, copy, "
        "sample, slice or limit. What passes goes to the first output; further outputs get "
        "what rules copy to them.",
    .inputs = {1, kInletsMax},
    .outputs = {1, kOutletsMax},
    .duplicates = true,
    .reads_flows = false,
    .cuts = true,
    .options = kOptions,
    .make = make,
};

}  // namespace bricks
