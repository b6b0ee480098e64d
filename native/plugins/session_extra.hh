// What the plugin manager knows of a session beside its public record: one cache line by entry.
#pragma once

#include <cstdint>

#include "abi/bricks_plugin.h"
#include "mem/limits.hh"

namespace bricks {

// Low byte of bricks_session.owner_.
inline constexpr uint32_t kSlotMask = 0x7f;  // slot of the session's generation
inline constexpr uint32_t kSettled = 0x80;   // every plugin gets its packets: nothing to look up
inline constexpr uint32_t kSettledMask = 0xff;
static_assert(kPluginGenerationsMax <= kSlotMask + 1);

// Of bricks_session.owner_, for the worker to see at a glance. The low byte is the manager's.
enum SessionFate : uint32_t {
  kFateGroups = 1u << 8,     // groups() has some
  kFateKill = 1u << 9,       // to be closed once this packet's events are through: kill_reason()
  kFatePoisoned = 1u << 10,  // with kFateKill: not asked for, but a plugin has failed
  kFateDoomed = 1u << 11,    // a plugin has failed: this and all later packets are to be dropped
};

// Plugins are bits by their place in the generation; numbers of one are place + 1, 0: nobody.
struct SessionExtra {
  uint64_t alive;   // those that are not detached
  uint64_t called;  // those that have been
  uint32_t group[kSessionGroupsMax];
  uint8_t group_directions[kSessionGroupsMax];  // bit 0, bit 1
  uint8_t group_count;
  uint8_t owner;   // who has taken over
  uint8_t holder;  // of the lock
  uint8_t flags;
  uint32_t locked_at;  // milliseconds
  uint32_t metadata;   // the newest; 0: none
  uint16_t metadata_bytes;
  uint16_t metadata_count;
  uint32_t child;    // a parent's first; entries. 0: none (no child has entry 0)
  uint32_t sibling;  // a child's next
  uint32_t parent;   // a child's
};
static_assert(sizeof(SessionExtra) == 64);
static_assert(kPluginsMax <= 64 && kMetadataBytesMax < 65536);

enum SessionExtraFlag : uint8_t {
  kExtraClosing = 1,
  kExtraErrors = 2,   // some plugin has had some, and is there
  kExtraPending = 4,  // a child with an event that waits
  kExtraLive = 8,
};

}  // namespace bricks
