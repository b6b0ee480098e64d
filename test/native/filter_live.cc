// Rules changed while an engine runs at full speed: every packet accounted for at every look,
// counts that survive changes of rule and graph, nothing freed under a reader (the sanitizers
// watch).
#include <thread>

#include "engine_house.hh"
#include "filter_fixture.hh"

namespace bricks {

namespace {

Graph filter_graph(uint64_t number, uint32_t outlets, const std::string& expression = "") {
  Graph graph;
  graph.inlets = {{"gen:80?flows=300&seed=5", 0}};
  Options options{{"rules", static_cast<int64_t>(number)}};
  if (!expression.empty()) options["expression"] = expression;
  graph.bricks.push_back({"f", "Filter", options, 1, {}});
  for (uint32_t i = 0; i < outlets; ++i) {
    graph.bricks[0].outlets.push_back({"null:" + std::to_string(i), -1});
  }
  return graph;
}

struct Running {
  PipeDirectory directory;
  std::shared_ptr<Engine> engine;
  uint64_t number = 0;
  std::shared_ptr<RuleList> list;

  Running() {
    CHECK(Engine::create("e", {}, &directory, &engine).ok());
    CHECK(open_rule_list(&number).ok());
    list = find_rule_list(number);
    CHECK(engine->apply(filter_graph(number, 3)).ok());
    CHECK(engine->start().ok());
  }
  ~Running() {
    engine.reset();
    close_rule_list(number);
  }
};

Options random_live_rule(Random& random) {
  Options rule{{"priority", int64_t{random.below(5)}}};
  switch (random.below(5)) {
    case 0:
      rule["expression"] = std::string("udp");
      break;
    case 1:
      rule["mac"] = std::string("02:00:00:00:00:01");
      break;
    case 2:
      rule["kind"] = std::string("connection");
      rule["dst_port"] = int64_t{random.below(65536)};
      break;
    default:
      rule["address"] = std::to_string(random.below(256)) + "." +
                        std::to_string(random.below(256)) + ".0.0/" +
                        std::to_string(random.below(33));
  }
  switch (random.below(7)) {
    case 0:
      rule["sample"] = int64_t{1 + random.below(9)};
      break;
    case 1:
      rule["slice"] = int64_t{1 + random.below(90)};
      break;
    case 2:
      rule["copy_to"] = "null:" + std::to_string(random.below(3));
      break;
    case 3:
      rule["packets_per_second"] = 1000.0;
      break;
    case 4:
      rule["action"] = std::string("pass");
      break;
    default:
      break;
  }
  if (random.below(4) == 0) rule["timeout"] = 0.001 * (1 + random.below(30));
  return rule;
}

}  // namespace

TEST(filter_rules_change_under_load_and_the_ledger_balances) {
  constexpr uint64_t kSeed = 77;
  std::printf("  seed %llu\n", static_cast<unsigned long long>(kSeed));
  Random random{kSeed};
  Running house;
  std::vector<uint32_t> ids;
  uint32_t changes = 0, unbalanced = 0, refused = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  while (changes <= 50 || std::chrono::steady_clock::now() < end) {
    Status status;
    const uint32_t die = random.below(100);
    if (die < 45) {
      std::vector<Options> some;
      for (uint32_t i = random.below(20) + 1; i > 0; --i) some.push_back(random_live_rule(random));
      status = house.list->add(some, &ids);
    } else if (die < 70 && !ids.empty()) {
      const size_t at = random.below(static_cast<uint32_t>(ids.size()));
      status = house.list->remove(ids[at]);  // unless its time is over
      if (status.code == Code::invalid_argument) status = {};
      ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(at));
    } else if (die < 90 && !ids.empty()) {
      const size_t at = random.below(static_cast<uint32_t>(ids.size()));
      status = house.list->change(ids[at], random_live_rule(random));
      if (status.code == Code::invalid_argument) status = {};
    } else if (die < 93) {
      ids.clear();
      status = house.list->replace({random_live_rule(random), random_live_rule(random)}, &ids);
    } else if (die < 95) {
      // The Filter itself is made anew: its rules go with it.
      status = house.engine->apply(
          filter_graph(house.number, 3 + random.below(2), random.below(2) ? "tcp" : ""));
    } else {
      unbalanced += difference(house.engine->snapshot()) != 0;
    }
    refused += !status.ok() && status.code != Code::limit_reached;
    ++changes;
  }
  const EngineSnapshot last = house.engine->snapshot();
  std::printf("  %u changes, %llu packets\n", changes,
              static_cast<unsigned long long>(last.inputs[0].cell.packets));
  CHECK_EQ(refused, 0u);
  CHECK_EQ(unbalanced, 0u);
  CHECK_EQ(difference(last), 0);
}

TEST(filter_counts_survive_changes_of_rule_and_graph) {
  Running house;
  std::vector<uint32_t> ids;
  CHECK(house.list
            ->add({{{"kind", std::string("flow")}, {"protocol", std::string("udp")}},
                   {{"kind", std::string("flow")}, {"priority", int64_t{-1}}}},
                  &ids)
            .ok());
  for (uint32_t i = 0; i < 40; ++i) {
    const char* const action = i % 2 ? "drop" : "pass";
    CHECK(house.list->change(ids[i % 2], {{"action", std::string(action)}}).ok());
    CHECK(house.engine->apply(filter_graph(house.number, 2 + i % 3)).ok());
  }
  uint64_t dropped = 0, hits = 0;
  const auto enough = [&] {
    dropped = hits = 0;
    for (const RuleInfo& info : house.list->list()) {
      dropped += info.dropped;
      hits += info.packets;
    }
    return hits > 10000 && dropped > 0;
  };
  CHECK(eventually(enough));
  CHECK(house.engine->stop().ok());
  // Before the first rule was there, packets passed by default; none was dropped but by a rule.
  CHECK(enough());
  const EngineSnapshot last = house.engine->snapshot();
  CHECK_EQ(last.bricks[0].cell.dropped_total() + last.retired_bricks.dropped_total(), dropped);
  CHECK(hits <= last.inputs[0].cell.packets);
  CHECK_EQ(difference(last), 0);
}

TEST(filter_refuses_a_graph_without_the_output_its_rule_names) {
  Running house;
  std::vector<uint32_t> ids;
  CHECK(house.list->add({{{"kind", std::string("flow")}, {"copy_to", std::string("null:2")}}}, &ids)
            .ok());
  const Status status = house.engine->apply(filter_graph(house.number, 2));
  CHECK(status.code == Code::invalid_graph);
  CHECK(status.message.find("rule 1 copies to null:2") != std::string::npos);
  CHECK_EQ(house.engine->snapshot().outputs.size(), 3u);
  CHECK(house.list->remove(1).ok());
  CHECK(house.engine->apply(filter_graph(house.number, 2)).ok());
}

}  // namespace bricks
