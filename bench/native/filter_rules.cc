// filter-rules: what rules cost a packet, few and very many, by the same packets. Ten rules are
// about flows of the input; the others about flows that do not come, but for a set that most hit.
#include <arpa/inet.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "engine/plan.hh"
#include "figure.hh"
#include "filter/rule_list.hh"
#include "must.hh"
#include "wire/bytes.hh"

namespace bench {

using namespace bricks;

namespace {

class FilterLane {
 public:
  FilterLane(const std::string& input, const std::string& kind, Options options) {
    Graph graph;
    graph.inlets = {{input, 0}};
    graph.bricks.push_back({"b", kind, std::move(options), 1, {{"null:", -1}}});
    must(Plan::build(graph, nullptr, context_, &plan_));
  }
  uint64_t breathe() {
    InputSlot& input = *plan_->inputs[0];
    input.batch.count = 0;
    const uint64_t packets = input.port->receive(input.batch, kBatchDefault, 1, input.cell);
    plan_->route(0, process_hash_seed());
    plan_->transmit(input.batch, false);
    input.port->release(input.batch);
    return packets;
  }
  const Batch& batch() const { return plan_->inputs[0]->batch; }
  const LedgerCell& cell() const { return plan_->bricks[0]->cell; }

 private:
  PortContext context_;
  std::unique_ptr<Plan> plan_;
};

std::string address_text(uint32_t network_order) {
  char text[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &network_order, text, sizeof text);
  return text;
}

// Half of them addresses, half exact flows; one in ten of the first `known` is about a packet of
// the input.
std::vector<Options> make_rules(uint32_t count, uint32_t known, const std::string& input) {
  FilterLane sample(input, "Dummy", {});
  std::vector<Options> rules;
  uint64_t state = 88172645463325252ull;
  uint32_t at = kBatchDefault;
  while (rules.size() < count) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    auto source = static_cast<uint32_t>(state), target = static_cast<uint32_t>(state >> 32);
    uint16_t source_port = static_cast<uint16_t>(state >> 8 | 1), target_port = 443;
    if (rules.size() % 10 == 0 && rules.size() < known) {
      if (at >= kBatchDefault) sample.breathe(), at = 0;
      const uint8_t* frame = sample.batch().packets[at++].data;
      source = load<uint32_t>(frame + 26);
      target = load<uint32_t>(frame + 30);
      source_port = load_be16(frame + 34);
      target_port = load_be16(frame + 36);
    }
    Options rule;
    rule["action"] = std::string("drop");
    if (rules.size() % 20 < 10) {
      rule["address"] = address_text(source);
    } else {
      rule["kind"] = std::string("connection");
      rule["src"] = address_text(source);
      rule["dst"] = address_text(target);
      rule["src_port"] = int64_t{source_port};
      rule["dst_port"] = int64_t{target_port};
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

// ns of this thread's own time a packet: other work on the machine takes no part.
Spread thread_cost(const std::function<uint64_t()>& some) {
  const auto own_time = [] {
    timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
  };
  std::vector<double> runs;
  for (int run = -1; run < kRuns; ++run) {
    uint64_t packets = 0;
    const double begin = own_time();
    double end = begin;
    while (end - begin < kRunSeconds / 2) {
      for (int i = 0; i < 64; ++i) packets += some();
      end = own_time();
    }
    if (run >= 0) runs.push_back((end - begin) * 1e9 / static_cast<double>(packets));
  }
  return spread(runs);
}

void measure(const char* set, const std::string& input, Figures& figures) {
  FilterLane plain(input, "Dummy", {});
  struct Size {
    uint32_t count, known;
    const char* name;
  };
  for (const auto& [count, known, name] :
       {Size{100, 100, "100"}, Size{100000, 100, "100,000"}, Size{100000, 100000, "100,000 hit"}}) {
    uint64_t number = 0;
    std::vector<uint32_t> ids;
    must(open_rule_list(&number));
    must(find_rule_list(number)->add(make_rules(count, known, input), &ids));
    {
      FilterLane filtered(input, "Filter", {{"rules", static_cast<int64_t>(number)}});
      const Spread with = thread_cost([&] { return filtered.breathe(); });
      const Spread without = thread_cost([&] { return plain.breathe(); });
      const Spread cost = {with.minimum - without.median, with.median - without.median,
                           with.maximum - without.median};
      const LedgerCell& cell = filtered.cell();
      if (cell.dropped_total() == 0) {
        std::fprintf(stderr, "bench: filter-rules: the rules have no say\n");
        std::exit(1);
      }
      const std::string title = std::string(name) + ", " + set;
      figures.push_back({"filter-rules", title, "ns more than without", cost, 0});
    }
    close_rule_list(number);
  }
}

}  // namespace

void measure_filter_rules(const Wanted& wanted, Figures& figures) {
  if (!wanted("filter-rules")) return;
  measure("hot", "gen:60?flows=5000&buffers=5120", figures);
  measure("shuffled", "gen:60?flows=100000&buffers=131072&shuffle=1", figures);
}

}  // namespace bench
