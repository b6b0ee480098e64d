// What a session manager counts: name, kind (mem/ledger.hh) and summary of Session's figures.
#pragma once

#include <cstdint>

namespace bricks {

#define BRICKS_SESSION_COUNTS(X)                                                                  \
  X(live, gauge, "sessions that are opening or active, now")                                      \
  X(opening, gauge, "of those, seen in one direction; TCP: without a complete handshake")         \
  X(lingering, gauge, "sessions that have ended and whose last packets may still come, now")      \
  X(created, counter, "sessions opened so far: as many OPENING events as plugins could get")      \
  X(closed, counter, "and closed: created = live + closed")                                       \
  X(activated, counter, "of those created, that became active")                                   \
  X(lookups, counter, "packets that were looked up")                                              \
  X(without, counter, "packets of no session: not IP, TCP without a beginning, lost fragments")   \
  X(late, counter, "packets of sessions that had ended a moment before")                          \
  X(create_failed, counter,                                                                       \
    "packets whose session would have been a new one, but there was no room")                     \
  X(closed_fin, counter, "closed after both sides had said FIN")                                  \
  X(closed_rst, counter, "closed by a reset")                                                     \
  X(timeouts_opening, counter, "closed by silence while they were opened")                        \
  X(timeouts_active, counter, "closed by silence")                                                \
  X(timeouts_closing, counter, "closed by silence after a FIN")                                   \
  X(evicted, counter, "gave way to others while they were opened")                                \
  X(reused_tuple, counter, "gave way to a new connection between the same ports")                 \
  X(killed, counter, "closed because a plugin said so, or failed")                                \
  X(closed_other, counter,                                                                        \
    "closed by the end of input, of the engine or of the brick, or by hand")                      \
  X(emergencies, counter, "how often the table was so full that time-outs became a sixth")        \
  X(emergency_ms, counter, "how long that was the case, in milliseconds of packets' time")        \
  X(duplicates, counter, "packets that were copies of one that came a moment before")             \
  X(tcp_refused, counter, "TCP resets and SYNs that their receiver would not believe (RFC 5961)") \
  X(tcp_odd, counter,                                                                             \
    "TCP segments out of window, with impossible flags or acknowledgements, or old")              \
  X(clock_back, counter, "packets with an earlier time than one before")                          \
  X(icmp_related, counter, "ICMP errors about a session")

struct SessionManagerCounts {
#define X(name, kind, text) uint64_t name = 0;
  BRICKS_SESSION_COUNTS(X)
#undef X
};

}  // namespace bricks
