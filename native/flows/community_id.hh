// A row's Community ID.
#pragma once

#include <string>

#include "flows/flow.hh"

namespace bricks::flows {

// "1:" and 28 characters. ICMP: of the type and code of the row's first packet.
std::string community_id(const Flow& flow);

}  // namespace bricks::flows
