// Community ID, version 1 (github.com/corelight/community-id-spec): one short name for a flow in
// every tool's log.
#pragma once

#include <string>

#include "flows/flow.hh"

namespace bricks::flows {

// "1:" and 28 characters, made with seed 0. ICMP: of the type and code of the row's first packet.
std::string community_id(const Flow& flow);

}  // namespace bricks::flows
