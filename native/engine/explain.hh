// Where a flow goes and why: a packet made for the question, walked through the plan that runs,
// between two breaths. Nothing is sent, counted or remembered.
#pragma once

#include <string>
#include <vector>

#include "mem/status.hh"
#include "wire/packet.hh"

namespace bricks {

struct FlowQuestion {
  std::string protocol;        // tcp, udp, icmp, sctp
  std::string source, target;  // addresses, both IPv4 or both IPv6
  uint16_t source_port = 0, target_port = 0;
  int32_t vlan = -1;  // -1: untagged
  int64_t vni = -1;   // -1: as it is; else inside a VXLAN tunnel of that number
};

// One brick that the packet comes to.
struct ExplainStep {
  struct Way {
    std::string link;   // the outlet's name
    std::string brick;  // it leads to; empty: it is an output
  };
  std::string brick, kind, why;
  std::vector<Way> ways;  // none: it is dropped there
  std::string if_gone;  // one line: what becomes of the flow when that outlet leaves; may be empty
};

struct Explanation {
  std::string engine;
  std::vector<std::string> inputs;  // that lead to the first brick
  std::vector<ExplainStep> steps;   // in the order of the graph
  std::vector<std::string> outputs;
};

// The frame of the question's packet, Ethernet. invalid_argument.
Status make_probe(const FlowQuestion& question, std::vector<uint8_t>* frame);

}  // namespace bricks
