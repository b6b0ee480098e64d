// What is refused, and how it is said; limits; how rules are kept.
#include "filter_fixture.hh"
#include "mem/limits.hh"

namespace bricks {

namespace {

using Text = std::string;

void check_refused(RuleList& list, const Options& rule, const char* part,
                   Code code = Code::invalid_argument) {
  std::vector<uint32_t> ids;
  const uint32_t before = list.size();
  const Status status = list.add({rule}, &ids);
  CHECK(status.code == code);
  if (status.message.find(part) == Text::npos) {
    std::printf("  \"%s\" lacks \"%s\"\n", status.message.c_str(), part);
    CHECK(!"the message says so");
  }
  CHECK(ids.empty());
  CHECK_EQ(list.size(), before);
}

}  // namespace

TEST(filter_rules_are_refused_by_name) {
  LoneFilter filter({}, {"a{0", "a{1"});
  RuleList& list = *filter.list;
  check_refused(list, {}, "what to match");
  check_refused(list, {{"kind", Text("foo")}}, "connection|flow|address|mac|expression");
  check_refused(list, {{"colour", Text("red")}}, "no option \"colour\"");
  check_refused(list, {{"address", Text("10.0.0.0/33")}}, "0 to 32");
  check_refused(list, {{"address", Text("::/129")}}, "0 to 128");
  check_refused(list, {{"address", Text("10.0.0.0/")}}, "0 to 32");
  check_refused(list, {{"address", Text("10.0.0.0/8/9")}}, "0 to 32");
  check_refused(list, {{"address", Text("10.0.0")}}, "IPv4 or IPv6 address");
  check_refused(list, {{"address", Text("10.0.0.1\0x", 10)}}, "no address");
  check_refused(list, {{"kind", Text("address")}}, "needs address");
  check_refused(list, {{"kind", Text("flow")}, {"src_port", int64_t{65536}}}, "0 to 65535");
  check_refused(list, {{"kind", Text("flow")}, {"dst_port", int64_t{-1}}}, "0 to 65535");
  check_refused(list, {{"kind", Text("flow")}, {"src", Text("10.1.1.1")}, {"dst", Text("::1")}},
                "src is IPv4 and dst IPv6");
  check_refused(list, {{"address", Text("::1")}, {"src_port", int64_t{3}}}, "takes no src_port");
  check_refused(list, {{"kind", Text("flow")}, {"protocol", Text("256")}}, "0 to 255");
  check_refused(list, {{"kind", Text("flow")}, {"protocol", Text("quic")}}, "tcp, udp");
  check_refused(list, {{"mac", Text("02:00:00:00:00")}}, "six bytes");
  check_refused(list, {{"mac", Text("02:00:00:00:00:0g")}}, "six bytes");
  check_refused(list, {{"expression", Text("tcp prot 80")}}, "tcp prot 80");
  check_refused(list, {{"expression", Text("tcp")}, {"src", Text("::1")}}, "takes no src");
  check_refused(list, {{"address", Text("::1")}, {"action", Text("eat")}}, "drop|pass|copy");
  check_refused(list, {{"address", Text("::1")}, {"action", Text("slice")}}, "needs slice");
  check_refused(list, {{"address", Text("::1")}, {"action", Text("limit")}},
                "needs packets_per_second or bits_per_second");
  check_refused(list, {{"address", Text("::1")}, {"sample", int64_t{0}}}, "sample is 0");
  check_refused(list, {{"address", Text("::1")}, {"slice", int64_t{70000}}}, "1 to 65535");
  check_refused(list, {{"address", Text("::1")}, {"action", Text("drop")}, {"sample", int64_t{2}}},
                "action drop takes no sample");
  check_refused(list, {{"address", Text("::1")}, {"copy_to", Text("a{2")}}, "a{0, a{1");
  check_refused(list, {{"address", Text("::1")}, {"timeout", -1.0}}, "timeout is -1");
  check_refused(list, {{"address", Text("::1")}, {"id", int64_t{0}}}, "id is 0");
  CHECK_EQ(filter.add({{"address", Text("::1")}, {"id", int64_t{7}}}), 7u);
  check_refused(list, {{"address", Text("::2")}, {"id", int64_t{7}}}, "id 7 is another rule's",
                Code::already_exists);
  CHECK_EQ(filter.add({{"address", Text("::2")}}), 8u);
  CHECK(list.remove(9).message.find("no rule 9") != Text::npos);
  CHECK(list.change(9, {}).message.find("no rule 9") != Text::npos);
  CHECK(list.change(7, {{"id", int64_t{9}}}).message.find("cannot change") != Text::npos);
  const Status wrong = list.change(7, {{"address", Text("x")}});
  CHECK(wrong.message.starts_with("rule 7: address is \"x\""));
  CHECK_EQ(list.size(), 2u);
}

TEST(filter_rules_are_added_all_or_none) {
  LoneFilter filter;
  std::vector<uint32_t> ids;
  const Status status =
      filter.list->add({{{"address", Text("::1")}}, {{"address", Text("::g")}}}, &ids);
  CHECK(status.message.starts_with("rule #2: address"));
  CHECK_EQ(filter.list->size(), 0u);
  filter.add({{"address", Text("10.0.0.1")}, {"action", Text("drop")}});
  CHECK(!filter.list->replace({{{"address", Text("::1")}}, {}}, &ids).ok());
  CHECK_EQ(filter.list->size(), 1u);
  std::vector<Bytes> some = {frame_of({})};
  filter.push(some);
  CHECK_EQ(filter.count_of(0), 0u);  // the old list still works
}

TEST(filter_rule_limits_hold) {
  LoneFilter filter;
  RuleList& list = *filter.list;
  std::vector<Options> rules(kRuleExpressionsMax, {{"expression", Text("udp")}});
  std::vector<uint32_t> ids;
  CHECK(list.add(rules, &ids).ok());
  check_refused(list, {{"expression", Text("udp")}}, "kRuleExpressionsMax", Code::limit_reached);
  CHECK(list.change(ids[0], {{"expression", Text("tcp")}}).ok());
  rules.assign(kRuleSameMatchMax, {{"address", Text("::1")}});
  CHECK(list.add(rules, &ids).ok());
  check_refused(list, {{"address", Text("::1")}}, "kRuleSameMatchMax", Code::limit_reached);
  CHECK(list.replace({}, &ids).ok());
  CHECK_EQ(list.size(), 0u);
  ids.clear();
  rules.clear();
  for (uint32_t i = 0; i < kRuleMasksMax; ++i) {  // each prefix pair is a mask of its own
    rules.push_back({{"kind", Text("flow")},
                     {"src", "::/" + std::to_string(i % 100 + 1)},
                     {"dst", "::/" + std::to_string(i / 100 + 1)}});
  }
  CHECK(list.add(rules, &ids).ok());
  check_refused(list, {{"kind", Text("flow")}, {"dst", Text("10.0.0.0/7")}}, "kRuleMasksMax",
                Code::limit_reached);
  rules.assign(size_t{kRulesMax} + 1, {});
  const Status status = list.add(rules, &ids);
  CHECK(status.code == Code::limit_reached);
  CHECK(status.message.find("kRulesMax") != Text::npos);
}

TEST(filter_finds_each_of_many_rules) {
  LoneFilter filter({{"default", Text("drop")}});
  std::vector<Options> rules;
  const auto address = [](uint32_t i) {
    return "10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." +
           std::to_string(i & 255);
  };
  constexpr uint32_t kMany = 100000;
  for (uint32_t i = 0; i < kMany; ++i) {
    rules.push_back({{"address", address(i)}, {"action", Text("pass")}});
  }
  std::vector<uint32_t> ids;
  CHECK(filter.list->add(rules, &ids).ok());
  CHECK_EQ(ids.size(), size_t{kMany});
  uint32_t passed = 0, of = 0;
  for (uint32_t from = 0; from < kMany + 512; from += kBatchMax) {
    std::vector<Bytes> some;
    for (uint32_t i = from; i < from + kBatchMax; ++i) {
      Header h;
      h.source[0] = 192;
      h.target[1] = static_cast<uint8_t>(i >> 16);
      h.target[2] = static_cast<uint8_t>(i >> 8);
      h.target[3] = static_cast<uint8_t>(i);
      some.push_back(frame_of(h));
      of += i < kMany;
    }
    filter.push(some);
    passed += filter.count_of(0);
  }
  CHECK_EQ(of, kMany);
  CHECK_EQ(passed, kMany);
  for (uint32_t i = 0; i < kMany; i += 2) CHECK(filter.list->remove(ids[i]).ok());
  CHECK_EQ(filter.list->size(), kMany / 2);
}

// Cut anywhere, with bytes overwritten: the sanitizers watch that nothing beyond a frame is read.
TEST(filter_rules_survive_damaged_frames) {
  constexpr uint64_t kSeed = 4711;
  std::printf("  seed %llu\n", static_cast<unsigned long long>(kSeed));
  Random random{kSeed};
  LoneFilter filter;
  filter.add({{"kind", Text("connection")}, {"src_port", int64_t{1000}}});
  filter.add({{"address", Text("2001:db8::/32")}});
  filter.add({{"mac", Text("02:00:00:00:00:09")}});
  uint64_t pushed = 0, passed = 0;
  for (uint32_t round = 0; round < 400; ++round) {
    std::vector<Bytes> some;
    for (uint32_t i = 0; i < kBatchMax; ++i) {
      Header h;
      h.v6 = random.below(2);
      h.vlan = random.below(4) == 0;
      h.fragment = random.below(4) == 0;
      const Bytes whole = frame_of(h);
      // Memory of exactly that size.
      Bytes cut(whole.begin(), whole.begin() + random.below(static_cast<uint32_t>(whole.size())));
      for (uint32_t k = random.below(4); k > 0 && cut.size() > 14; --k) {
        const uint32_t at = 14 + random.below(static_cast<uint32_t>(cut.size()) - 14);
        cut[at] = static_cast<uint8_t>(random.next() >> 32);
      }
      cut.shrink_to_fit();
      some.push_back(std::move(cut));
    }
    filter.push(some);
    pushed += kBatchMax;
    passed += filter.count_of(0);
  }
  CHECK_EQ(filter.dropped(Drop::filtered), pushed - passed);
  CHECK(passed > 1000 && pushed - passed > 1000);
}

}  // namespace bricks
