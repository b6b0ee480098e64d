// What the tests of xdp: share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "check.hh"
#include "packet_network.hh"
#include "port_conformance.hh"
#include "ports/port_registry.hh"

namespace xdp_test {

using namespace bricks;
using namespace packet_test;

inline std::unique_ptr<Input> open_in(const std::string& port, const PortContext& context = {}) {
  std::unique_ptr<Input> input;
  CHECK_EQ(open_input(port, context, &input).message, "");
  return input;
}

inline std::unique_ptr<Output> open_out(const std::string& port, const PortContext& context = {}) {
  std::unique_ptr<Output> output;
  CHECK_EQ(open_output(port, context, &output).message, "");
  return output;
}

inline Status refusal(const std::string& port, const PortContext& context = {}) {
  std::unique_ptr<Input> input;
  Status status = open_input(port, context, &input);
  CHECK(!input);
  return status;
}

// As in_own_network, where this kernel has AF_XDP.
inline void in_xdp_network(void (*body)(), const std::string& veth_options = "") {
  static void (*inner)();
  inner = body;
  in_own_network(
      [] {
        std::unique_ptr<Input> input;
        const Status status = open_input("xdp:far", {}, &input);
        input.reset();
        if (status.code == Code::unsupported) SKIP(status.message);
        CHECK_EQ(status.message, "");
        if (status.ok()) inner();
      },
      veth_options);
}

inline std::vector<conformance::Frame> as_sent(const std::vector<Frame>& frames) {
  std::vector<conformance::Frame> all;
  for (const Frame& frame : frames)
    all.push_back({frame, 0, static_cast<uint32_t>(frame.size()), LinkType::ethernet});
  return all;
}

inline uint64_t dropped(const LedgerCell& cell, Drop reason) {
  return cell.dropped[static_cast<uint32_t>(reason)];
}

inline bool has_program(const char* interface) {
  return output_of(std::string("ip link show ") + interface).find("xdp") != std::string::npos;
}

inline bool is_promiscuous(const char* interface) {
  return output_of(std::string("ip -d link show ") + interface).find("promiscuity 0") ==
         std::string::npos;
}

}  // namespace xdp_test
