// What the manager knows of a session beside what plugins see.
#pragma once

#include "sessions/session_flow.hh"
#include "sessions/tcp_tracker.hh"

namespace bricks {

// Those that give way to others, first the ones that have ended anyway.
enum class SessionList : uint8_t { none, opening, lingering };

struct SessionTrack {
  SessionFlow known;
  uint32_t previous, next;  // of its list, oldest first; 0: none
  uint32_t queued;          // packets of its entry that wait in queues
  uint32_t queue_drops;     // and that queues have dropped
  SessionList list;
  bool blocked;    // it was killed: until it is forgotten, its packets are dropped
  bool ended;      // its entry is given back when nothing is queued
  bool forgotten;  // it has ended, and so long ago that its packets are of no session
};
static_assert(sizeof(bricks_session) == 64 && sizeof(TcpTrack) == 64);
static_assert(sizeof(bricks_flow) == 64 && sizeof(SessionTrack) == 96);

}  // namespace bricks
