// From fields, as a script gives them, to a rule.
#include "filter/rule.hh"

#include <cstring>

#include "filter/rule_address.hh"
#include "mem/limits.hh"
#include "wire/application.hh"
#include "wire/bytes.hh"

namespace bricks {

namespace {

constexpr OptionDescriptor kFields[] = {
    {"id", OptionType::integer, "", 1, 4294967295, nullptr,
     "number of the rule; the next free one where none is given"},
    {"kind", OptionType::text, "", 0, 0, "connection|flow|address|mac|expression",
     "what is matched; found out where one of address, mac, expression, application is given"},
    {"expression", OptionType::text, "", 0, 0, nullptr, "libpcap expression (pcap-filter(7))"},
    {"address", OptionType::text, "", 0, 0, nullptr,
     "address: source or target, an IPv4 or IPv6 address with or without /PREFIX"},
    {"mac", OptionType::text, "", 0, 0, nullptr, "mac: source or target, as 02:00:00:00:00:01"},
    {"src", OptionType::text, "", 0, 0, nullptr,
     "connection, flow: source, ADDRESS or ADDRESS/PREFIX; any where it is not given"},
    {"dst", OptionType::text, "", 0, 0, nullptr, "connection, flow: target, likewise"},
    {"src_port", OptionType::integer, "0", 0, 65535, nullptr,
     "connection, flow: source port; 0: any"},
    {"dst_port", OptionType::integer, "0", 0, 65535, nullptr,
     "connection, flow: target port; 0: any"},
    {"protocol", OptionType::text, "", 0, 0, nullptr,
     "connection, flow, address: tcp, udp, icmp, icmp6, sctp, gre, esp, ah or 0 to 255; any where "
     "it is not given"},
    {"application", OptionType::text, "", 0, 0, kProtocolChoices,
     "connection, flow, address: what the packet's session speaks, as a Session brick before this "
     "one knows it; unknown: not known, or not yet"},
    {"action", OptionType::text, "", 0, 0, "drop|pass|copy|sample|slice|limit",
     "what happens; found out where one of the fields below is given, else drop"},
    {"copy_to", OptionType::text, "", 0, 0, nullptr,
     "copy: the output that gets a copy; the packet itself passes"},
    {"sample", OptionType::integer, "", 1, 1e9, nullptr, "sample: 1 packet in so many passes"},
    {"slice", OptionType::integer, "", 1, kFrameMax, nullptr,
     "slice: passes, cut to so many bytes where it leaves the graph"},
    {"packets_per_second", OptionType::number, "", 0.001, 1e9, nullptr,
     "limit: so many pass; a tenth of a second's worth may come at once"},
    {"bits_per_second", OptionType::number, "", 1000, 1e13, nullptr, "limit: likewise, in bits"},
    {"priority", OptionType::integer, "0", -2147483648.0, 2147483647, nullptr,
     "higher goes first; of equals the lower id"},
    {"timeout", OptionType::number, "", 0, 1e9, nullptr,
     "seconds until the rule goes away by itself; 0, or not given: never"},
};

const char* const kMatchFields[] = {"kind", "expression", "address",  "mac",      "src",
                                    "dst",  "src_port",   "dst_port", "protocol", "application"};
const char* const kActionFields[] = {
    "action", "copy_to", "sample", "slice", "packets_per_second", "bits_per_second"};

// Reads a rule's fields; keeps the first fault.
class Reader {
 public:
  Reader(const std::string& where, const Options& fields) : where_(where), fields_(fields) {}

  bool has(const char* name) const {
    const auto found = fields_.find(name);
    if (found == fields_.end()) return false;
    const auto* text = std::get_if<std::string>(&found->second);
    const auto* whole = std::get_if<int64_t>(&found->second);
    return text ? !text->empty() : whole ? *whole != 0 || !std::strcmp(name, "priority") : true;
  }
  const std::string& text(const char* name) const { return option_text(fields_, name); }

  void refuse(const std::string& what) {
    if (status_.ok()) status_ = {Code::invalid_argument, where_ + ": " + what};
  }
  // Of `names`, only those in `allowed` may be there.
  void allow_only(std::span<const char* const> names, std::initializer_list<const char*> allowed,
                  const std::string& why) {
    for (const char* name : names) {
      bool fits = !has(name);
      for (const char* each : allowed) fits |= std::strcmp(each, name) == 0;
      if (!fits) refuse(why + " takes no " + name);
    }
  }
  const Status& status() const { return status_; }

 private:
  const std::string& where_;
  const Options& fields_;
  Status status_;
};

struct Protocol {
  const char* name;
  uint8_t number;
};
constexpr Protocol kProtocols[] = {{"icmp", 1},  {"igmp", 2},  {"tcp", 6}, {"udp", 17},
                                   {"gre", 47},  {"esp", 50},  {"ah", 51}, {"icmp6", 58},
                                   {"ospf", 89}, {"sctp", 132}};

void add_protocol(Reader& in, RuleKey* key) {
  if (!in.has("protocol")) return;
  const uint32_t at = rule_words(key->family) - 1;
  const std::string& text = in.text("protocol");
  uint64_t number = 256;
  for (const Protocol& each : kProtocols) {
    if (text == each.name) number = each.number;
  }
  if (text.size() <= 3 && text.find_first_not_of("0123456789") == std::string::npos) {
    number = std::stoul(text);
  }
  if (number > 255) {
    in.refuse("protocol is \"" + text.substr(0, 80) +
              "\", which must be tcp, udp, icmp, icmp6, igmp, sctp, gre, esp, ah, ospf or a "
              "number from 0 to 255");
    return;
  }
  key->mask[at] |= uint64_t{0xff} << 32;
  key->key[at] |= number << 32;
}

void add_application(Reader& in, RuleKey* key) {
  uint8_t number = 0;
  if (!in.has("application") || !protocol_from_name(in.text("application"), &number)) return;
  const uint32_t at = rule_words(key->family) - 1;
  key->mask[at] |= uint64_t{0xff} << 40;
  key->key[at] |= uint64_t{number} << 40;
}

void add_ports(uint64_t source, uint64_t target, RuleKey* key) {
  const uint32_t at = rule_words(key->family) - 1;
  key->mask[at] |= (source ? 0xffff : 0) | (target ? 0xffff0000u : 0);
  key->key[at] |= source | target << 16;
}

// The same the other way round; what is equal to its own reverse is there once.
void add_reverse(std::vector<RuleKey>* keys) {
  const auto swap_words = [](RuleFamily family, RuleWords& words) {
    if (family == RuleFamily::mac) {
      std::swap(words[0], words[1]);
      return;
    }
    if (family == RuleFamily::ipv6) {
      std::swap(words[0], words[2]);
      std::swap(words[1], words[3]);
    } else {
      words[0] = words[0] << 32 | words[0] >> 32;
    }
    uint64_t& last = words[rule_words(family) - 1];
    last = (last & ~0xffffffffull) | (last & 0xffff) << 16 | (last >> 16 & 0xffff);
  };
  for (size_t i = 0, count = keys->size(); i < count; ++i) {
    RuleKey reverse = (*keys)[i];
    swap_words(reverse.family, reverse.mask);
    swap_words(reverse.family, reverse.key);
    if (!(reverse == (*keys)[i])) keys->push_back(reverse);
  }
}

void parse_mac(Reader& in, Rule* rule) {
  in.allow_only(kMatchFields, {"kind", "mac"}, "a rule of kind mac");
  RuleKey key{RuleFamily::mac};
  if (const std::string fault = parse_mac_address(in.text("mac"), &key.key[0]); !fault.empty()) {
    in.refuse("mac is " + fault);
  }
  key.mask[0] = (uint64_t{1} << 48) - 1;
  rule->keys = {key};
  add_reverse(&rule->keys);
}

// address, flow and connection: one key per family that the addresses leave open.
void parse_addresses(Reader& in, const std::string& kind, const Options& fields, Rule* rule) {
  const bool address = kind == "address";
  if (address) {
    in.allow_only(kMatchFields, {"kind", "address", "protocol", "application"},
                  "a rule of kind address");
    if (!in.has("address")) in.refuse("a rule of kind address needs address = \"...\"");
  } else {
    in.allow_only(kMatchFields,
                  {"kind", "src", "dst", "src_port", "dst_port", "protocol", "application"},
                  "a rule of kind " + kind);
  }
  AddressPrefix source, target;
  const auto parse = [&](const char* name, AddressPrefix* prefix) {
    if (!in.has(name) || in.text(name) == "any") return;
    const std::string fault = parse_prefix(in.text(name), prefix);
    if (!fault.empty()) in.refuse(std::string(name) + " is " + fault);
  };
  parse(address ? "address" : "src", &source);
  if (!address) parse("dst", &target);
  if (source.version && target.version && source.version != target.version) {
    in.refuse("src is IPv" + std::to_string(source.version) + " and dst IPv" +
              std::to_string(target.version) + "; both must be of one kind");
  }
  const int version = source.version ? source.version : target.version;
  for (const RuleFamily family : {RuleFamily::ipv4, RuleFamily::ipv6}) {
    if (version && (version == 4) != (family == RuleFamily::ipv4)) continue;
    RuleKey key{family};
    place_prefix(source, false, &key);
    place_prefix(target, true, &key);
    if (!address) {
      add_ports(static_cast<uint64_t>(option_integer(fields, "src_port")),
                static_cast<uint64_t>(option_integer(fields, "dst_port")), &key);
    }
    add_protocol(in, &key);
    add_application(in, &key);
    rule->keys.push_back(key);
  }
  if (kind != "flow") add_reverse(&rule->keys);
}

void parse_match(Reader& in, Options* fields, Rule* rule) {
  std::string kind = in.text("kind");
  if (kind.empty()) {
    for (const char* each : {"expression", "address", "mac"}) {
      if (in.has(each)) kind = each;
    }
    if (kind.empty() && in.has("application")) kind = "connection";
  }
  if (kind.empty()) {
    in.refuse(
        "it says not what to match; give kind = \"connection\" or \"flow\" with src, dst, "
        "src_port, dst_port, protocol, application; or address, mac, expression or application");
    return;
  }
  (*fields)["kind"] = kind;
  if (kind == "mac") return parse_mac(in, rule);
  if (kind != "expression") return parse_addresses(in, kind, *fields, rule);
  in.allow_only(kMatchFields, {"kind", "expression"}, "a rule of kind expression");
  if (!in.has("expression")) in.refuse("a rule of kind expression needs expression = \"...\"");
  if (!in.status().ok()) return;
  std::unique_ptr<Expression> expression;
  const Status status = compile_expression(in.text("expression"), &expression);
  if (!status.ok()) in.refuse("expression: " + status.message);
  rule->expression = std::move(expression);
}

void parse_action(Reader& in, Options* fields, Rule* rule) {
  struct Known {
    const char* name;
    RuleAction action;
    const char* field;
  };
  static constexpr Known kKnown[] = {{"drop", RuleAction::drop, nullptr},
                                     {"pass", RuleAction::pass, nullptr},
                                     {"copy", RuleAction::copy, "copy_to"},
                                     {"sample", RuleAction::sample, "sample"},
                                     {"slice", RuleAction::slice, "slice"},
                                     {"limit", RuleAction::limit, "packets_per_second"},
                                     {"limit", RuleAction::limit, "bits_per_second"}};
  const std::string given = in.text("action");
  const Known* found = nullptr;
  for (const Known& each : kKnown) {
    if (given.empty() ? each.field && in.has(each.field)
                      : given == each.name && (!each.field || in.has(each.field) || !found)) {
      found = &each;
    }
  }
  if (!found) found = &kKnown[0];
  const std::string name = found->name;
  (*fields)["action"] = name;
  rule->action = found->action;
  if (found->field && !in.has(found->field)) {
    in.refuse("action " + name + " needs " +
              (rule->action == RuleAction::limit ? "packets_per_second or bits_per_second"
                                                 : found->field));
    return;
  }
  in.allow_only(kActionFields, {"action", found->field ? found->field : "action"},
                "action " + name);
  if (!in.status().ok()) return;
  if (rule->action == RuleAction::copy) rule->copy_to = in.text("copy_to");
  if (rule->action == RuleAction::sample || rule->action == RuleAction::slice) {
    rule->amount = static_cast<uint64_t>(option_integer(*fields, found->field));
  }
  if (rule->action == RuleAction::limit) {
    rule->in_bits = std::strcmp(found->field, "bits_per_second") == 0;
    // In thousandths, so that less than one packet a second can be said.
    rule->amount = static_cast<uint64_t>(option_number(*fields, found->field) * 1000);
  }
}

bool is_one_of(std::span<const char* const> names, const std::string& name) {
  for (const char* each : names) {
    if (name == each) return true;
  }
  return false;
}

}  // namespace

std::span<const OptionDescriptor> rule_fields() noexcept { return kFields; }

Status parse_rule(const std::string& where, Options fields, Rule* rule) {
  Rule made;
  made.fields = fields;
  if (Status status = check_options(where, kFields, &fields); !status.ok()) return status;
  for (auto& [name, value] : made.fields) value = fields[name];
  Reader in(where, fields);
  parse_match(in, &fields, &made);
  if (in.status().ok()) parse_action(in, &fields, &made);
  if (!in.status().ok()) return in.status();
  if (in.has("id")) made.id = static_cast<uint32_t>(option_integer(fields, "id"));
  made.priority = static_cast<int32_t>(option_integer(fields, "priority"));
  if (in.has("timeout")) made.timeout = option_number(fields, "timeout");
  for (const char* name : {"kind", "action", "priority"}) made.fields[name] = fields[name];
  *rule = std::move(made);
  return {};
}

Options changed_fields(const Options& fields, const Options& changes) {
  const auto changes_any = [&changes](std::span<const char* const> names) {
    for (const char* name : names) {
      if (changes.contains(name)) return true;
    }
    return false;
  };
  const bool match = changes_any(kMatchFields), action = changes_any(kActionFields);
  Options made = changes;
  for (const auto& [name, value] : fields) {
    if (match && is_one_of(kMatchFields, name)) continue;
    if (action && is_one_of(kActionFields, name)) continue;
    made.emplace(name, value);
  }
  return made;
}

}  // namespace bricks
