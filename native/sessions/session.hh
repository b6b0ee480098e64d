// A session: what is known of a live flow. Its word lies in the index of the table, where a packet
// finds it with one look; its record beside it, read only when a session begins, ends or changes.
#pragma once

#include <cstdint>

#include "mem/limits.hh"
#include "wire/flow_key.hh"

namespace bricks {

// What has been seen of a flow; a packet adds what it shows, nothing takes away.
enum SessionBit : uint8_t {
  kSessionForward = 1,      // a packet from the key's first endpoint to its second
  kSessionBackward = 2,     // and from the second to the first
  kSessionFinForward = 4,   // TCP: the first endpoint has said its last
  kSessionFinBackward = 8,  // and so has the second
  kSessionReset = 16,       // TCP: one of them has reset the connection
  kSessionRead = 32,        // its packets are all for the slow path: somebody reads them
  kSessionBothWays = kSessionForward | kSessionBackward,
  kSessionBothFins = kSessionFinForward | kSessionFinBackward,
};

// Not kept, a packet's own: it begins a TCP connection (SYN without ACK).
inline constexpr uint8_t kPacketOpens = 128;

enum class SessionState : uint8_t {
  closed,   // no session
  opening,  // seen in one direction only
  active,   // seen in both
  closing,  // both sides have said FIN, or one RST
};

constexpr SessionState session_state(uint8_t bits) noexcept {
  if (bits & kSessionReset) return SessionState::closing;
  if ((bits & kSessionBothFins) == kSessionBothFins) return SessionState::closing;
  return (bits & kSessionBothWays) == kSessionBothWays ? SessionState::active
                                                       : SessionState::opening;
}

// Which seconds of silence end a session: from the values that Suricata, Snort and VPP use.
constexpr uint32_t session_idle_seconds(uint8_t bits, uint8_t protocol) noexcept {
  if ((bits & kSessionBothWays) != kSessionBothWays) return 30;
  if (session_state(bits) == SessionState::closing) return 60;
  return protocol == 6 ? 3600 : 300;
}

// One direction is all that somebody who makes up addresses can show: such sessions give way to
// others when the table is full.
constexpr bool session_gives_way(uint8_t bits) noexcept {
  return (bits & kSessionBothWays) != kSessionBothWays;
}

// In which order: those of one moment first (a flood's are), and only when there are none of them
// those that came again later, as a one-way stream does.
enum class GivesWay : uint8_t { never, first, last };
inline constexpr uint32_t kSessionAgainTicks = 2;  // a quarter of a second after its begin

constexpr GivesWay session_rank(bool gives_way, uint32_t ticks) noexcept {
  if (!gives_way) return GivesWay::never;
  return ticks < kSessionAgainTicks ? GivesWay::first : GivesWay::last;
}

// The word: entry number, pin, when it was last seen, SessionBits.
inline constexpr uint32_t kSessionEntryBits = 24, kSessionPinShift = 24, kSessionSeenShift = 40,
                          kSessionBitsShift = 56;
inline constexpr uint64_t kSessionSeenMask = uint64_t{0xffff} << kSessionSeenShift;
inline constexpr uint64_t kSessionPinMask = uint64_t{0xffff} << kSessionPinShift;

inline uint32_t word_entry(uint64_t word) noexcept { return word & 0xffffff; }
inline uint16_t word_pin(uint64_t word) noexcept {
  return static_cast<uint16_t>(word >> kSessionPinShift);
}
inline uint16_t word_seen(uint64_t word) noexcept {
  return static_cast<uint16_t>(word >> kSessionSeenShift);
}
inline uint8_t word_bits(uint64_t word) noexcept {
  return static_cast<uint8_t>(word >> kSessionBitsShift);
}

// The unit of the table's clock: 2^27 ns, 134 ms. 16 bits of it reach over two of the longest
// time-outs.
inline constexpr uint32_t kSessionTickShift = 27;

struct Session {
  FlowKey key;
  uint32_t first_seen;  // tick
  uint32_t next;        // of its list in the timer wheel, or of the free ones; 0: none
  uint32_t previous;    // 0: it is the list's first
  uint32_t way;         // where its word is: line * 4 + way
  uint32_t scope : 14;  // whose session it is
  uint32_t list : 17;   // of the timer wheel
};
static_assert(kSessionScopesMax <= 1u << 14);
static_assert(sizeof(Session) == 64);

struct SessionCounts {
  uint64_t live = 0;      // now
  uint64_t begun = 0;     // since the table was made
  uint64_t ended = 0;     // by silence
  uint64_t gave_way = 0;  // to others, while they had been seen in one direction only
  uint64_t refused = 0;   // new flows for which there was no room
};

// How many lines of the index are asked for ahead of their use: into the second-level cache, which
// can wait for many at once, then nearer.
inline constexpr uint32_t kSessionAhead = 64, kSessionNear = 12;

// A batch's packets before the table. digest and bits go in (a digest is never 0), pin (or word)
// and rest come out.
struct SessionBatch {
  alignas(64) uint64_t digest[kBatchMax + 3];  // aim() takes four at a time
  uint8_t bits[kBatchMax];                     // SessionBits that the packet shows, kPacketOpens
  uint16_t pin[kBatchMax];
  Index rest[kBatchMax];
  alignas(64) uint32_t line[kBatchMax + kSessionAhead];  // where it begins: the table's
  uint64_t word[kBatchMax];                              // look_for_words() only
};

}  // namespace bricks
