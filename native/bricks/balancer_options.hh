// A LoadBalancer's options as they are used.
#pragma once

#include <string>
#include <vector>

#include "bricks/brick.hh"
#include "wire/flow_key.hh"

namespace bricks {

enum class Placement { consistent, least_loaded, modulo };

struct BalancerOptions {
  Placement placement;
  FlowRule rule;
  bool pin;       // flows keep their output
  bool related;   // and take along those they announce
  bool failover;  // a lost output's flows go to the others
  uint32_t level;
  std::vector<std::string> names;  // of the outlets
  std::vector<double> weights;     // one for each
  std::vector<bool> draining;      // no new flows
  // By enum bricks_protocol (256 of them), the outlet of what speaks that; UINT16_MAX: any. Empty:
  // none is named.
  std::vector<uint16_t> by_application;
};

std::span<const OptionDescriptor> balancer_option_table() noexcept;
// `options` are checked and complete. invalid_argument: what does not go together, by name.
Status read_balancer_options(const Options& options, const BrickPlace& place,
                             BalancerOptions* made);

}  // namespace bricks
