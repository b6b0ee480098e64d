// What explain says of a flow is where its packets go: random flows of IPv4 and IPv6, tagged, in
// VXLAN, in fragments, both directions, through random nested balancers; asked before any packet
// came, and again when the flow is pinned.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "check.hh"
#include "engine/engine.hh"
#include "frames.hh"
#include "pcap_bytes.hh"
#include "pipe_fixture.hh"

namespace bricks {
namespace {

using namespace frames;

constexpr uint32_t kFlows = 120, kRounds = 8;

struct Flow {
  FlowQuestion question;
  Ends ends;
  bool v6;
  uint8_t protocol;
};

struct Named {
  const char* name;
  uint8_t number, number6;
};
constexpr Named kProtocols[] = {
    {"tcp", 6, 6}, {"udp", 17, 17}, {"icmp", 1, 58}, {"sctp", 132, 132}};

Flow random_flow(Random& random) {
  Flow flow;
  const Named& named = kProtocols[random.below(std::size(kProtocols))];
  flow.v6 = random.below(2);
  flow.protocol = flow.v6 ? named.number6 : named.number;
  flow.ends.source = static_cast<uint8_t>(1 + random.below(120));
  flow.ends.target = static_cast<uint8_t>(121 + random.below(120));
  flow.ends.source_port = static_cast<uint16_t>(20000 + random.below(40000));
  flow.ends.target_port = static_cast<uint16_t>(1 + random.below(1000));
  FlowQuestion& q = flow.question;
  q.protocol = named.name;
  const auto address = [&](uint8_t last) {
    char text[64];
    std::snprintf(text, sizeof text, flow.v6 ? "2001:db8:a00::%x" : "10.0.0.%d", last);
    return std::string(text);
  };
  q.source = address(flow.ends.source);
  q.target = address(flow.ends.target);
  q.source_port = flow.ends.source_port;
  q.target_port = flow.ends.target_port;
  if (random.below(3) == 0) q.vlan = static_cast<int32_t>(1 + random.below(4000));
  if (random.below(3) == 0) q.vni = 1 + random.below(1 << 20);
  return flow;
}

Bytes transport(const Flow& flow, const Ends& ends, const Bytes& data) {
  if (flow.protocol == 6) return tcp(ends, data);
  if (flow.protocol == 17) return udp(ends.source_port, ends.target_port, data);
  if (flow.protocol == 132) {
    return be16(ends.source_port) + be16(ends.target_port) + be32(1) + be32(0) + data;
  }
  return icmp(flow.v6 ? 128 : 8, 0, data);
}

Bytes framed(const Flow& flow, const Ends& ends, const Bytes& ip) {
  const uint16_t type = flow.v6 ? 0x86dd : 0x0800;
  const int32_t vlan = flow.question.vlan;
  const Bytes frame = vlan < 0 ? ethernet(ends, type, ip)
                               : ethernet(ends, 0x8100, tag(static_cast<uint16_t>(vlan), type, ip));
  if (flow.question.vni < 0) return frame;
  const auto vni = static_cast<uint32_t>(flow.question.vni);
  return ethernet({}, 0x0800,
                  ip4({}, {.protocol = 17, .net = 172}, udp(50000, 4789, vxlan(vni, frame))));
}

// One packet, or a datagram in two pieces; each ends in the flow's number.
std::vector<Bytes> packets(const Flow& flow, uint32_t number, uint16_t id, Random& random) {
  const Ends ends = random.below(2) ? flow.ends : flow.ends.reversed();
  const Bytes mark = be32(number);
  const Bytes whole = transport(flow, ends, Bytes(40 - mark.size(), 'd') + mark);
  const auto pack = [&](const Bytes& data, uint16_t at, bool more, bool pieces) {
    if (!flow.v6) {
      return framed(flow, ends,
                    ip4(ends, {.protocol = flow.protocol, .id = id, .at = at, .more = more}, data));
    }
    if (!pieces) return framed(flow, ends, ip6(ends, {.protocol = flow.protocol}, data));
    return framed(flow, ends,
                  ip6(ends, {.protocol = 44}, fragment6(flow.protocol, at, more, id, data)));
  };
  if (random.below(3)) return {pack(whole, 0, false, false)};
  const Bytes head(whole.begin(), whole.begin() + 20), rest(whole.begin() + 24, whole.end());
  std::vector<Bytes> made = {pack(head + mark, 0, true, true), pack(rest, 24, false, true)};
  if (random.below(2)) std::swap(made[0], made[1]);
  return made;
}

Graph::Node balancer(const std::string& id, uint32_t level, Random& random, bool least_loaded) {
  Graph::Node node;
  node.id = id;
  node.kind = "LoadBalancer";
  node.level = level;
  node.options["tuple"] = int64_t{random.below(2) ? 2 : 4};
  node.options["tenant"] = random.below(2) == 0;
  if (least_loaded) {
    node.options["placement"] = std::string("least_loaded");
  } else {
    node.options["pin"] = random.below(3) != 0;
  }
  return node;
}

// One balancer over two others; beside them a copy of everything.
Graph random_graph(const std::string& input, const captures::Folder& folder, Random& random,
                   bool least_loaded) {
  Graph graph;
  graph.inlets = {{input, 0}};
  Graph::Node& copies = graph.bricks.emplace_back();
  copies.id = copies.kind = "Duplicator";
  copies.outlets = {{"pcap:" + folder.path("copy.pcap"), -1}, {"x{0", 1}};
  Graph::Node top = balancer("top", 2, random, least_loaded);
  top.outlets = {{"x{1", 2}, {"x{2", 3}};
  graph.bricks.push_back(top);
  for (const std::string name : {"a", "b"}) {
    Graph::Node child = balancer(name, 3, random, least_loaded);
    const uint32_t outlets = 1 + random.below(4);
    for (uint32_t i = 0; i < outlets; ++i) {
      child.outlets.push_back({"pcap:" + folder.path(name + std::to_string(i) + ".pcap"), -1});
    }
    graph.bricks.push_back(child);
  }
  return graph;
}

std::set<std::string> explained(Engine& engine, const Flow& flow, std::string* why) {
  std::vector<Explanation> answers;
  const Status status = engine.explain(flow.question, &answers);
  if (!status.ok()) std::printf("  %s\n", status.message.c_str());
  CHECK(status.ok());
  CHECK_EQ(answers.size(), 1u);
  why->clear();
  for (const ExplainStep& step : answers[0].steps) *why += step.brick + ": " + step.why + "; ";
  return {answers[0].outputs.begin(), answers[0].outputs.end()};
}

uint32_t number_of(const std::vector<uint8_t>& frame) {
  const uint8_t* end = frame.data() + frame.size();
  return static_cast<uint32_t>(end[-4]) << 24 | end[-3] << 16 | end[-2] << 8 | end[-1];
}

void one_round(Random& random, bool least_loaded) {
  captures::Folder folder;
  std::vector<Flow> flows;
  for (uint32_t i = 0; i < kFlows; ++i) flows.push_back(random_flow(random));
  std::vector<conformance::Frame> frames;
  for (uint32_t i = 0; i < 10 * kFlows; ++i) {
    const uint32_t number = i < kFlows ? i : random.below(kFlows);
    for (Bytes& bytes : packets(flows[number], number, static_cast<uint16_t>(i), random)) {
      const Nanos time = 1700000000000000000 + (frames.size() + 1) * 1000;
      frames.push_back(conformance::whole(std::move(bytes), time));
    }
  }
  const std::string input = "pcap:" + folder.write("in.pcap", captures::pcap_file({}, frames));
  PipeDirectory directory;
  std::shared_ptr<Engine> engine;
  CHECK(Engine::create("e", {}, &directory, &engine).ok());
  const Graph graph = random_graph(input, folder, random, least_loaded);
  CHECK(engine->apply(graph).ok());
  std::string why;
  std::vector<std::set<std::string>> before, after, seen(kFlows);
  for (const Flow& flow : flows) before.push_back(explained(*engine, flow, &why));
  CHECK(engine->start().ok());
  CHECK(eventually([&] { return engine->wait_drained(100); }, 60));
  std::vector<std::string> reasons(kFlows);
  for (uint32_t i = 0; i < kFlows; ++i) {
    after.push_back(explained(*engine, flows[i], &reasons[i]));
  }
  CHECK(engine->apply({}).ok());
  uint64_t delivered = 0;
  for (const Graph::Node& node : graph.bricks) {
    for (const Graph::Outlet& outlet : node.outlets) {
      if (outlet.brick >= 0) continue;
      for (const auto& frame : captures::read_port(outlet.name).frames) {
        seen.at(number_of(frame.bytes)).insert(outlet.name);
        ++delivered;
      }
    }
  }
  CHECK_EQ(delivered, 2 * frames.size());
  for (uint32_t i = 0; i < kFlows; ++i) {
    const FlowQuestion& q = flows[i].question;
    if (seen[i] != after[i] || (!least_loaded && seen[i] != before[i])) {
      std::printf("  %s %s %u %s %u vlan %d vni %lld: %s\n", q.protocol.c_str(), q.source.c_str(),
                  q.source_port, q.target.c_str(), q.target_port, q.vlan,
                  static_cast<long long>(q.vni), reasons[i].c_str());
    }
    CHECK(seen[i] == after[i]);
    CHECK(least_loaded || seen[i] == before[i]);
  }
}

}  // namespace

TEST(explain_says_where_packets_go) {
  const char* given = std::getenv("BRICKS_TEST_SEED");
  Random random{given ? std::strtoull(given, nullptr, 0) : 20261121};
  std::printf("  seed %llu (BRICKS_TEST_SEED)\n", static_cast<unsigned long long>(random.state));
  for (uint32_t round = 0; round < kRounds; ++round) one_round(random, round % 4 == 3);
}

}  // namespace bricks
