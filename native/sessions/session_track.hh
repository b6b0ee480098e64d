// What the manager knows of a session beside what plugins see.
#pragma once

#include <cstddef>

#include "abi/bricks_session.h"
#include "sessions/tcp_tracker.hh"

namespace bricks {

// Those that give way to others, first the ones that have ended anyway.
enum class SessionList : uint8_t { none, opening, lingering };

struct alignas(32) SessionTrack {
  uint32_t previous, next;  // of its list, oldest first; 0: none
  uint32_t queued;          // packets of its entry that wait in queues
  uint32_t queue_drops;     // and that queues have dropped
  SessionList list;
  bool blocked;    // it was killed: until it is forgotten, its packets are dropped
  bool ended;      // its entry is given back when nothing is queued
  bool forgotten;  // it has ended, and so long ago that its packets are of no session
};
static_assert(sizeof(SessionTrack) == 32);

// What its packets read and write: the public record's first line, and for TCP the last. Three
// lines are an odd number: the first ones of many sessions spread over all sets of a cache.
struct alignas(64) SessionLines {
  bricks_session session;
  TcpTrack tcp;
};
static_assert(sizeof(SessionLines) == 192 && offsetof(SessionLines, tcp) == 128);

}  // namespace bricks
