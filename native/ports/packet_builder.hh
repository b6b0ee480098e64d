// Makes valid packets out of numbers: the same seed, flow and number always give the same bytes.
// Ethernet, IPv4 (in a mix also IPv6 and VLAN tags), UDP and TCP, every checksum right.
#pragma once

#include <cstdint>

namespace bricks {

struct TrafficPlan {
  uint32_t length = 60;  // of a frame without its check sequence; 0: IMIX, 7:4:1 of 60, 590, 1514
  uint32_t flows = 1000;
  uint64_t seed = 1;
  bool mix = false;  // half of the flows plain IPv4, the others IPv6, tagged, or both
};

inline constexpr uint32_t kTrafficFlowsMax = 1u << 24;  // each has a client of its own
inline constexpr uint32_t kTrafficLengthMin = 60, kTrafficLengthMax = 9000;

// Writes packet `number` to `frame` (room for traffic_length_max bytes) and returns its length. It
// is of flow number % flows; a flow's packets alternate between its two directions. Never less than
// its headers, so a tagged IPv6 packet of a plan for 60 bytes has 78.
uint32_t build_packet(const TrafficPlan& plan, uint64_t number, uint8_t* frame) noexcept;
uint32_t traffic_length_max(const TrafficPlan& plan) noexcept;

}  // namespace bricks
