// Filter rules against a naive reading of what they mean: random rules, random packets, a scan.
#include <arpa/inet.h>

#include <cstring>
#include <map>

#include "filter_fixture.hh"

namespace bricks {

namespace {

struct Side {
  bool any = true, v6 = false;
  uint8_t address[16] = {};
  uint32_t bits = 0;
  uint16_t port = 0;
};

struct Wanted {
  std::string kind;
  Side source, target;
  int protocol = -1;
  uint8_t mac = 0;
  bool udp = false;  // expression: "udp", else "tcp port 80"
  int32_t priority = 0;
  std::string action;
};

uint8_t likely_byte(Random& random) { return static_cast<uint8_t>(random.below(3)); }
constexpr uint8_t kProtocols[] = {6, 17, 1, 132, 47};
constexpr uint16_t kPorts[] = {80, 53, 1000};

void random_address(Random& random, bool v6, uint8_t* address) {
  std::memset(address, 0, 16);
  address[0] = v6 ? 0x20 : 10;
  for (uint32_t i = 1; i < (v6 ? 16 : 4); i += v6 ? 5 : 1) address[i] = likely_byte(random);
}

Side random_side(Random& random, bool v6, bool ports) {
  Side side;
  side.any = random.below(3) == 0;
  side.v6 = v6;
  random_address(random, v6, side.address);
  static constexpr uint32_t kBits4[] = {32, 32, 24, 16, 9, 0};
  static constexpr uint32_t kBits6[] = {128, 128, 64, 48, 13, 0};
  side.bits = (v6 ? kBits6 : kBits4)[random.below(6)];
  if (ports && random.below(2)) side.port = kPorts[random.below(3)];
  return side;
}

Wanted random_rule(Random& random) {
  static const char* const kKinds[] = {"connection", "flow", "address", "mac", "expression"};
  Wanted rule;
  rule.kind = kKinds[random.below(20) ? random.below(4) : 4];
  const bool v6 = random.below(2);
  const bool ports = rule.kind != "address";
  rule.source = random_side(random, v6, ports);
  rule.target = random_side(random, v6, ports);
  if (rule.kind == "address") rule.source.any = false;
  if (random.below(2)) rule.protocol = kProtocols[random.below(5)];
  rule.mac = likely_byte(random);
  rule.udp = random.below(2);
  rule.priority = static_cast<int32_t>(random.below(7)) - 3;
  rule.action = random.below(2) ? "drop" : "pass";
  return rule;
}

std::string text_of(const Side& side) {
  char text[64];
  inet_ntop(side.v6 ? AF_INET6 : AF_INET, side.address, text, sizeof text);
  return std::string(text) + "/" + std::to_string(side.bits);
}

Options options_of(const Wanted& rule) {
  Options options;
  options["kind"] = rule.kind;
  options["priority"] = int64_t{rule.priority};
  options["action"] = rule.action;
  if (rule.kind == "expression") {
    options["expression"] = std::string(rule.udp ? "udp" : "tcp port 80");
    return options;
  }
  if (rule.kind == "mac") {
    options["mac"] = "02:00:00:00:00:0" + std::to_string(rule.mac);
    return options;
  }
  if (rule.protocol >= 0) options["protocol"] = std::to_string(rule.protocol);
  if (rule.kind == "address") {
    options["address"] = text_of(rule.source);
    return options;
  }
  if (!rule.source.any) options["src"] = text_of(rule.source);
  if (!rule.target.any) options["dst"] = text_of(rule.target);
  options["src_port"] = int64_t{rule.source.port};
  options["dst_port"] = int64_t{rule.target.port};
  return options;
}

bool side_is(const Side& side, const Header& h, const uint8_t* address, uint16_t port) {
  if (side.port && (!header_has_ports(h) || side.port != port)) return false;
  if (side.any) return true;
  if (side.v6 != h.v6) return false;
  for (uint32_t bit = 0; bit < side.bits; ++bit) {
    if ((side.address[bit / 8] ^ address[bit / 8]) & (0x80 >> bit % 8)) return false;
  }
  return true;
}

bool matches(const Wanted& rule, const Header& h) {
  if (rule.kind == "mac") return h.source_mac == rule.mac || h.target_mac == rule.mac;
  if (rule.kind == "expression") {
    if (h.vlan) return false;  // as tcpdump has it: untagged unless it says vlan
    if (rule.udp) return h.protocol == 17;
    return h.protocol == 6 && header_has_ports(h) && (h.source_port == 80 || h.target_port == 80);
  }
  if (rule.protocol >= 0 && rule.protocol != h.protocol) return false;
  if (rule.kind == "address") {
    return side_is(rule.source, h, h.source, 0) || side_is(rule.source, h, h.target, 0);
  }
  const bool there = side_is(rule.source, h, h.source, h.source_port) &&
                     side_is(rule.target, h, h.target, h.target_port);
  if (rule.kind == "flow") return there;
  return there || (side_is(rule.source, h, h.target, h.target_port) &&
                   side_is(rule.target, h, h.source, h.source_port));
}

Header random_header(Random& random) {
  Header h;
  h.v6 = random.below(2);
  h.vlan = random.below(6) == 0;
  h.fragment = random.below(8) == 0;
  h.protocol = kProtocols[random.below(5)];
  random_address(random, h.v6, h.source);
  random_address(random, h.v6, h.target);
  h.source_port = kPorts[random.below(3)];
  h.target_port = kPorts[random.below(3)];
  h.source_mac = likely_byte(random);
  h.target_mac = likely_byte(random);
  return h;
}

}  // namespace

TEST(filter_rules_agree_with_a_naive_scan) {
  constexpr uint64_t kSeed = 20260;
  constexpr int kRounds = 60, kBatches = 8;
  std::printf("  seed %llu\n", static_cast<unsigned long long>(kSeed));
  Random random{kSeed};
  uint64_t decided = 0, passed = 0, wrong = 0, miscounted = 0;
  for (int round = 0; round < kRounds; ++round) {
    LoneFilter filter({{"default", std::string(round % 2 ? "pass" : "drop")}});
    std::map<uint32_t, Wanted> rules;
    std::map<uint32_t, uint64_t> hits;
    const uint32_t target = 1 + random.below(round % 3 ? 12 : 150);
    for (int batch = 0; batch < kBatches; ++batch) {
      while (rules.size() < target) {
        const Wanted rule = random_rule(random);
        rules[filter.add(options_of(rule))] = rule;
      }
      // Live change: some go, some become others.
      for (auto at = rules.begin(); batch && at != rules.end();) {
        const uint32_t die = random.below(10);
        if (die == 0) {
          CHECK(filter.list->remove(at->first).ok());
          hits.erase(at->first);
          at = rules.erase(at);
          continue;
        }
        if (die == 1) {
          at->second = random_rule(random);
          CHECK(filter.list->change(at->first, options_of(at->second)).ok());
        }
        ++at;
      }
      std::vector<Header> headers;
      std::vector<Bytes> frames;
      for (uint32_t i = 0; i < kBatchMax; ++i) {
        headers.push_back(random_header(random));
        frames.push_back(frame_of(headers.back()));
      }
      filter.push(frames);
      for (uint32_t i = 0; i < kBatchMax; ++i) {
        const std::pair<const uint32_t, Wanted>* best = nullptr;
        for (const auto& rule : rules) {
          if (!matches(rule.second, headers[i])) continue;
          if (!best || rule.second.priority > best->second.priority) best = &rule;
        }
        const bool pass = best ? best->second.action == "pass" : round % 2 == 1;
        if (best) ++hits[best->first];
        decided += best != nullptr;
        passed += pass;
        wrong += pass != filter.has(0, static_cast<Index>(i));
      }
    }
    CHECK_EQ(filter.list->size(), rules.size());
    for (const RuleInfo& info : filter.list->list()) {
      const auto id = static_cast<uint32_t>(std::get<int64_t>(info.fields.at("id")));
      miscounted += info.packets != hits[id];
    }
  }
  std::printf("  %d packets, %llu decided by a rule, %llu passed\n",
              kRounds * kBatches * static_cast<int>(kBatchMax),
              static_cast<unsigned long long>(decided), static_cast<unsigned long long>(passed));
  CHECK(decided > 50000 && passed > 20000);
  CHECK_EQ(wrong, 0u);
  CHECK_EQ(miscounted, 0u);
}

}  // namespace bricks
