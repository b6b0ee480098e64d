// A Filter's rule: what it matches, what happens to a packet that does. Control plane; what the
// packet path knows of a rule is in rule_table.hh.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "filter/expression.hh"
#include "mem/option.hh"
#include "mem/status.hh"

namespace bricks {

enum class RuleAction : uint8_t { drop, pass, copy, sample, slice, limit };
enum class RuleFamily : uint8_t { ipv4, ipv6, mac };
inline constexpr uint32_t kRuleFamilies = 3;

// The headers that rules look at, in words: the same places in packets, rules and masks.
//   ipv4: [0] source | target << 32, as native loads; [1] ports and protocol
//   ipv6: [0] [1] source, [2] [3] target, as native loads; [4] ports and protocol
//   mac:  [0] source, [1] target, 48 bits each
// Ports and protocol: source port | target port << 16 | protocol << 32 | application << 40, in
// host order; the application is enum bricks_protocol.
inline constexpr uint32_t kRuleWords = 5;
using RuleWords = std::array<uint64_t, kRuleWords>;

// Words that `family` uses.
inline constexpr uint32_t rule_words(RuleFamily family) noexcept {
  return family == RuleFamily::ipv6 ? 5 : 2;
}

// One way to match: (words & mask) == key.
struct RuleKey {
  RuleFamily family;
  RuleWords mask{};
  RuleWords key{};
  bool operator==(const RuleKey&) const = default;
};

// First match by rank wins, smaller first: higher priority, then older id.
using RuleRank = uint64_t;
inline constexpr RuleRank kNoRank = UINT64_MAX;
inline constexpr RuleRank rule_rank(int64_t priority, uint32_t id) noexcept {
  return static_cast<RuleRank>(INT32_MAX - priority) << 32 | id;
}

struct Rule {
  uint32_t id = 0;  // 0: none given
  int32_t priority = 0;
  RuleAction action = RuleAction::drop;
  std::string copy_to;   // name of an output
  uint64_t amount = 0;   // sample: 1 in so many; slice: bytes; limit: packets or bits per second
  bool in_bits = false;  // limit
  double timeout = 0;    // seconds; 0: none
  std::vector<RuleKey> keys;                     // any of them; empty: the expression decides
  std::shared_ptr<const Expression> expression;  // null: the keys decide
  Options fields;                                // as given, with kind and action added
};

// What a rule can be made of, for checks, help and documentation.
std::span<const OptionDescriptor> rule_fields() noexcept;

// Makes a rule of its fields. invalid_argument names `where` and the field.
Status parse_rule(const std::string& where, Options fields, Rule* rule);

// The rule with `changes` over its fields: another match takes the place of the whole match,
// another action of the whole action.
Options changed_fields(const Options& fields, const Options& changes);

}  // namespace bricks
