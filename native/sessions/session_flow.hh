// The part of a session's record that lies apart (abi/bricks_session.h), and what the host writes
// in both.
#pragma once

#include <cstddef>

#include "abi/bricks_session.h"

namespace bricks {

// What its packets seldom touch.
struct SessionFlow {
  bricks_flow flow;  // bricks_session.flow
  uint32_t entry;    // in the table; beyond those of the table: a plugin's child
};
inline SessionFlow& flow_of(const bricks_session& session) noexcept {
  static_assert(offsetof(SessionFlow, flow) == 0);
  return *reinterpret_cast<SessionFlow*>(const_cast<bricks_flow*>(session.flow));
}
inline uint32_t entry_of(const bricks_session& session) noexcept { return flow_of(session).entry; }

// What the sessions' and the plugins' floor say to each other in the lower half of
// bricks_session.owner_: a record behind `flow` says more. All lower bits are the plugins'.
inline constexpr uint32_t kSessionOutput = 1u << 14, kSessionApplication = 1u << 15;

}  // namespace bricks
