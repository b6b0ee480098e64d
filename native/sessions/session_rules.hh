// How a Session brick takes packets for sessions: its options, checked and in the manager's units.
#pragma once

#include <array>
#include <cstdint>

#include "wire/packet.hh"

namespace bricks {

// What decides how long a session may be silent.
#define BRICKS_SESSION_CLASSES(X)                                               \
  X(tcp_opening, 60, "TCP whose handshake is not complete")                     \
  X(tcp_active, 600, "TCP")                                                     \
  X(tcp_closing, 60, "TCP of which one side or both have said FIN")             \
  X(udp_opening, 30, "UDP seen in one direction")                               \
  X(udp_active, 300, "UDP seen in both")                                        \
  X(icmp_opening, 30, "ICMP seen in one direction")                             \
  X(icmp_active, 300, "ICMP seen in both")                                      \
  X(other_opening, 30, "any other protocol, seen in one direction")             \
  X(other_active, 300, "any other protocol, seen in both")                      \
  X(lingering, 10,                                                              \
    "what has ended already: its last packets, which are no new session, come " \
    "within that time")

enum class SessionClass : uint8_t {
#define X(name, seconds, text) name,
  BRICKS_SESSION_CLASSES(X)
#undef X
};
inline constexpr uint32_t kSessionClasses = 10;

// By protocol: the class of its sessions that are opened; the one behind is that of active ones.
inline constexpr auto kOpeningClass = [] {
  std::array<SessionClass, 256> of{};
  of.fill(SessionClass::other_opening);
  of[6] = SessionClass::tcp_opening;
  of[17] = SessionClass::udp_opening;
  of[1] = of[58] = SessionClass::icmp_opening;
  return of;
}();

enum class Duplicates : uint8_t { off, count, mark, drop };

struct SessionRules {
  std::array<Nanos, kSessionClasses> idle = {
#define X(name, seconds, text) Nanos{seconds} * 1000000000,
      BRICKS_SESSION_CLASSES(X)
#undef X
  };
  bool midstream = false;            // TCP sessions may begin with any segment
  bool udp_active_on_first = false;  // UDP, ICMP and others are active with their first packet
  bool tenant = false;               // VLAN id and VNI are part of what makes a session
  bool drop_when_full = false;       // packets for whose session there is no room
  uint32_t opening_percent = 25;     // of the table that sessions being opened may take up
  uint32_t emergency_enter = 95;     // percent of the table in use: time-outs are a sixth ...
  uint32_t emergency_leave = 70;     // ... until no more than this is
  Duplicates duplicates = Duplicates::off;
  Nanos duplicate_window = 2000000000;
  uint32_t duplicate_packets = 3;  // of each session, the first ones, that are compared
};

}  // namespace bricks
