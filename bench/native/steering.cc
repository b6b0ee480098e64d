// steering: flows split, and how evenly they spread, case by case; flows moved when an output comes
// or goes. An engine with a LoadBalancer, from one capture file into others, and the kernel's
// fanout on the same frames.
#include "steering.hh"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "figure.hh"
#include "steering_engine.hh"
#include "wire/bytes.hh"

namespace bench {

using namespace bricks;
using namespace bricks::frames;

namespace {

constexpr uint32_t kSplitFlows = 64, kSpreadFlows = 10000, kOutputs = 4, kMagic = 0x57ee2175;
// Of 10,000 flows a share of an eighth strays by 0.3 % by which flows they are; of so many by 0.03.
constexpr uint32_t kMovedFlows = 1000000;

Ends ends_of(uint32_t flow, bool back) {
  const Ends ends = {static_cast<uint8_t>(1 + flow % 120), static_cast<uint8_t>(130 + flow % 7),
                     static_cast<uint16_t>(10000 + flow % 50000), 443};
  return back ? ends.reversed() : ends;
}
Ends gateways(bool back) { return back ? Ends{2, 1} : Ends{1, 2}; }

Bytes packet4(uint32_t flow, bool back) {
  const Ends ends = ends_of(flow, back);
  return ip4(ends, {}, tcp(ends, marker(flow)));
}
Bytes frame4(uint32_t flow, bool back) {
  return ethernet(ends_of(flow, back), 0x0800, packet4(flow, back));
}
// Between two gateways, so that all flows look the same from outside.
Bytes tunnelled(bool back, uint8_t protocol, const Bytes& data) {
  const Ends ends = gateways(back);
  return ethernet(ends, 0x0800, ip4(ends, {.protocol = protocol, .net = 172}, data));
}

using Make = std::vector<Bytes> (*)(uint32_t flow, bool back);
struct Case {
  const char* name;
  Make make;
  bool spread;  // also measured: how evenly many flows lie on the outputs
};

std::vector<Bytes> fragments(uint32_t flow, bool back) {
  const Ends ends = ends_of(flow, back);
  const Ip whole = {.protocol = 17, .id = static_cast<uint16_t>(flow * 2 + back)};
  Ip first = whole, middle = whole, last = whole;
  first.more = middle.more = true;
  middle.at = 40;
  last.at = 80;
  const Bytes part = Bytes(24) + marker(flow) + marker(flow);  // 40 bytes
  Bytes head = udp(ends.source_port, ends.target_port, Bytes(16) + marker(flow) + marker(flow));
  put16(head, 4, 120);
  return {ethernet(ends, 0x0800,
                   ip4(ends, whole, udp(ends.source_port, ends.target_port, marker(flow)))),
          ethernet(ends, 0x0800, ip4(ends, first, head)),
          ethernet(ends, 0x0800, ip4(ends, middle, part)),
          ethernet(ends, 0x0800, ip4(ends, last, part))};
}

std::vector<Bytes> icmp_error(uint32_t flow, bool back) {
  const Ends ends = ends_of(flow, back);
  const Ends router = {static_cast<uint8_t>(flow), ends.source};
  return {frame4(flow, back),
          ethernet(router, 0x0800,
                   ip4(router, {.protocol = 1, .net = 10}, icmp(3, 1, packet4(flow, back))))};
}

// The outer source port is made of the inner flow, as RFC 7348 has it: another each way.
std::vector<Bytes> vxlan_inner(uint32_t flow, bool back) {
  const auto entropy = static_cast<uint16_t>(49152 + (flow * 2654435761u + back * 40503u) % 16384);
  return {tunnelled(back, 17, udp(entropy, 4789, vxlan(7, frame4(flow, back))))};
}

const Case kCases[] = {
    {"fragments", fragments, false},
    {"ICMP errors", icmp_error, false},
    {"VXLAN", vxlan_inner, false},
    {"GTP-U",
     [](uint32_t flow, bool back) -> std::vector<Bytes> {
       return {tunnelled(back, 17, udp(2152, 2152, gtp_user(0, {}, packet4(flow, back))))};
     },
     true},
    {"ERSPAN II",
     [](uint32_t flow, bool back) -> std::vector<Bytes> {
       const Bytes head = be32(flow) + be16(0x1005) + Bytes{0, 9, 0, 0, 0, 1};
       return {tunnelled(false, 47, gre(0x1000, 0x88be, head, frame4(flow, back)))};
     },
     true},
    {"GRE with key",
     [](uint32_t flow, bool back) -> std::vector<Bytes> {
       return {tunnelled(back, 47, gre(0x2000, 0x0800, be32(back ? 8 : 9), packet4(flow, back)))};
     },
     true},
    {"MPLS",
     [](uint32_t flow, bool back) -> std::vector<Bytes> {
       const Bytes labels = label(back ? 100 : 200, false, label(17, true, packet4(flow, back)));
       return {ethernet(gateways(back), 0x8847, labels)};
     },
     true},
    {"QinQ",
     [](uint32_t flow, bool back) -> std::vector<Bytes> {
       const Bytes inner = tag(9, 0x8100, tag(8, 0x0800, packet4(flow, back)));
       return {ethernet(gateways(back), 0x88a8, inner)};
     },
     true},
    {"IPv6 of one /32",
     [](uint32_t flow, bool back) -> std::vector<Bytes> {
       const Ends ends = ends_of(flow, back);
       return {ethernet(ends, 0x86dd, ip6(ends, {}, tcp(ends, marker(flow))))};
     },
     true},
};

std::vector<Bytes> plain(uint32_t flow, bool back) { return {frame4(flow, back)}; }

Traffic make_traffic(Make make, uint32_t flows, bool both_ways = true) {
  Traffic traffic;
  traffic.flows = flows;
  for (uint32_t flow = 0; flow < flows; ++flow) {
    for (const bool back : {false, true}) {
      if (back && !both_ways) continue;
      for (Bytes& frame : make(flow, back)) traffic.frames.push_back(std::move(frame));
    }
  }
  return traffic;
}

uint32_t split(const Steered& steered) {
  return static_cast<uint32_t>(
      std::count_if(steered.begin(), steered.end(), [](const auto& o) { return o.size() > 1; }));
}

// The busiest output's flows by the mean, each flow counted where it was seen first.
double spread_of(const Steered& steered) {
  std::map<uint32_t, uint32_t> flows;
  for (const auto& outputs : steered) {
    if (!outputs.empty()) ++flows[outputs.begin()->first];
  }
  uint32_t most = 0;
  for (const auto& [output, count] : flows) most = std::max(most, count);
  return most * double{kOutputs} / static_cast<double>(steered.size());
}

// Of the flows whose output is still there: how many are elsewhere now, in per cent.
double moved(const Steered& before, const Steered& after, uint32_t gone) {
  uint32_t stayed = 0, left = 0;
  for (size_t flow = 0; flow < before.size(); ++flow) {
    if (before[flow].empty() || after[flow].empty()) continue;
    const uint32_t was = before[flow].begin()->first;
    if (was == gone) continue;
    (after[flow].begin()->first == was ? stayed : left) += 1;
  }
  return 100.0 * left / std::max(1u, stayed + left);
}

void add(Figures& figures, const std::string& input, const char* unit, double value) {
  figures.push_back({"steering", input, unit, {value, value, value}});
}

// A folder of this run's own, gone with it.
struct Folder {
  std::string path;
  uint32_t used = 0;
  Folder() {
    path = (std::filesystem::temp_directory_path() / "bricks-steering-XXXXXX").string();
    if (!mkdtemp(path.data())) {
      std::fprintf(stderr, "bench: steering: %s: %s\n", path.c_str(), std::strerror(errno));
      std::exit(1);
    }
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string next() {
    std::string one = path + "/" + std::to_string(used++);
    std::filesystem::create_directory(one);
    return one;
  }
};

struct Row {
  const Case* one;
  Traffic few, many;
};

void measure_cases(Folder& folder, const std::vector<Row>& rows, Figures& figures) {
  for (const Row& row : rows) {
    const std::string name = row.one->name;
    const Steered steered = SteeringEngine(folder.next(), {}).run(row.few, kOutputs);
    add(figures, name + ", here", "of 64 flows split", split(steered));
    if (!row.one->spread) continue;
    const Steered spread = SteeringEngine(folder.next(), {}).run(row.many, kOutputs);
    add(figures, name + ", here", "busiest / mean, 10 k", spread_of(spread));
    add(figures, name + ", here", "of 10 k flows split", split(spread));
  }
}

void measure_moves(Folder& folder, const Traffic& traffic, Figures& figures) {
  constexpr uint32_t kGone = 6;
  const Traffic many = make_traffic(plain, kMovedFlows, false);
  const auto both = [&](const char* change, uint32_t outputs, uint32_t without) {
    SteeringEngine pinned(folder.next(), {});
    const Steered first = pinned.run(traffic, 8);
    const Steered then = pinned.run(traffic, outputs, without);
    add(figures, std::string(change) + ", pinned", "% of flows moved", moved(first, then, without));
    // Nothing is remembered; of all flows: those of the lost output have to move.
    SteeringEngine stateless(folder.next(), {{"pin", false}});
    const Steered before = stateless.run(many, 8);
    const Steered after = stateless.run(many, outputs, without);
    add(figures, std::string(change) + ", consistent", "% of flows moved",
        moved(before, after, UINT32_MAX));
  };
  both("8 outputs become 7", 8, kGone);
  both("8 outputs become 9", 9, UINT32_MAX);
}

void measure_kernel(const std::vector<Row>& rows, const Traffic& traffic, Figures& figures) {
  std::vector<KernelRun> runs;
  for (const Row& row : rows) {
    runs.push_back({row.few, kOutputs});
    if (row.one->spread) runs.push_back({row.many, kOutputs});
  }
  runs.push_back({traffic, 8, -1});
  runs.push_back({traffic, 8, 1});
  std::string why;
  if (!steer_by_kernel(runs, &why)) {
    std::fprintf(stderr, "bench: steering: not against the kernel's fanout: %s\n", why.c_str());
    return;
  }
  size_t at = 0;
  for (const Row& row : rows) {
    const std::string name = row.one->name;
    add(figures, name + ", AF_PACKET", "of 64 flows split", split(runs[at++].before));
    if (!row.one->spread) continue;
    add(figures, name + ", AF_PACKET", "busiest / mean, 10 k", spread_of(runs[at].before));
    add(figures, name + ", AF_PACKET", "of 10 k flows split", split(runs[at++].before));
  }
  for (const char* change : {"8 outputs become 7", "8 outputs become 9"}) {
    add(figures, std::string(change) + ", AF_PACKET", "% of flows moved",
        moved(runs[at].before, runs[at].after, UINT32_MAX));
    ++at;
  }
}

}  // namespace

Bytes marker(uint32_t flow) { return be32(kMagic) + be32(flow); }

uint32_t flow_of(const uint8_t* frame, size_t length) {
  if (length < 8 || load_be32(frame + length - 8) != kMagic) return UINT32_MAX;
  return load_be32(frame + length - 4);
}

void measure_steering(const Wanted& wanted, Figures& figures) {
  if (!wanted("steering")) return;
  Folder folder;
  std::vector<Row> rows;
  for (const Case& one : kCases) {
    rows.push_back({&one, make_traffic(one.make, kSplitFlows),
                    one.spread ? make_traffic(one.make, kSpreadFlows) : Traffic{}});
  }
  const Traffic traffic = make_traffic(plain, kSpreadFlows);
  measure_kernel(rows, traffic, figures);
  measure_cases(folder, rows, figures);
  measure_moves(folder, traffic, figures);
}

}  // namespace bench
