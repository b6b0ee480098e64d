// What the manager knows of a session beside what plugins see.
#pragma once

#include "sessions/tcp_tracker.hh"

namespace bricks {

struct alignas(64) SessionTrack {
  TcpTrack tcp;
  uint32_t previous, next;  // of those being opened, oldest first; 0: none
  bool is_opening;          // it is on that list
  bool blocked;             // it was killed: until it is forgotten, its packets are dropped
};
static_assert(sizeof(SessionTrack) == 128);

}  // namespace bricks
