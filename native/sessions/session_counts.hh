// What a session manager counts. The names are those of the Session brick's figures.
#pragma once

#include <cstdint>

namespace bricks {

#define BRICKS_SESSION_COUNTS(X)                                                              \
  X(live, "sessions that are opening or active, now")                                         \
  X(opening, "of those, seen in one direction; TCP: without a complete handshake")            \
  X(lingering, "sessions that have ended and whose last packets may still come, now")         \
  X(created, "sessions opened so far: as many OPENING events as plugins could get")           \
  X(closed, "and closed: created = live + closed")                                            \
  X(activated, "of those created, that became active")                                        \
  X(lookups, "packets that were looked up")                                                   \
  X(without, "packets of no session: not IP, TCP without a beginning, lost fragments")        \
  X(late, "packets of sessions that had ended a moment before")                               \
  X(create_failed, "packets whose session would have been a new one, but there was no room")  \
  X(closed_fin, "closed after both sides had said FIN")                                       \
  X(closed_rst, "closed by a reset")                                                          \
  X(timeouts_opening, "closed by silence while they were opened")                             \
  X(timeouts_active, "closed by silence")                                                     \
  X(timeouts_closing, "closed by silence after a FIN")                                        \
  X(evicted, "gave way to others while they were opened")                                     \
  X(reused_tuple, "gave way to a new connection between the same ports")                      \
  X(killed, "closed because a plugin said so, or failed")                                     \
  X(closed_other, "closed by the end of input, of the engine or of the brick, or by hand")    \
  X(emergencies, "how often the table was so full that time-outs became a sixth")             \
  X(emergency_ms, "how long that was the case, in milliseconds of packets' time")             \
  X(duplicates, "packets that were copies of one that came a moment before")                  \
  X(tcp_refused, "TCP resets and SYNs that their receiver would not believe (RFC 5961)")      \
  X(tcp_odd, "TCP segments out of window, with impossible flags or acknowledgements, or old") \
  X(clock_back, "packets with an earlier time than one before")                               \
  X(icmp_related, "ICMP errors about a session")

struct SessionManagerCounts {
#define X(name, text) uint64_t name = 0;
  BRICKS_SESSION_COUNTS(X)
#undef X
};

}  // namespace bricks
