// What a script's thread asks of the engine's: bricks_host's calls, for a session of the events it
// has.
#pragma once

#include <cstdint>

namespace bricks {

#define BRICKS_SCRIPT_CALLS(X)       \
  X(detach)                          \
  X(take_over)                       \
  X(drop)                            \
  X(add_group)                       \
  X(remove_group)                    \
  X(set_metadata)                    \
  X(get_metadata)                    \
  X(delete_metadata)                 \
  X(lock)                            \
  X(unlock)                          \
  X(set_output)                      \
  X(kill)                            \
  X(open_child)                      \
  X(close_child)                     \
  X(community_id) /* of the event */ \
  X(fail)         /* asynchronously: the event is over, its session is to count as failed */

enum class ScriptCall : uint32_t {
#define X(name) name,
  BRICKS_SCRIPT_CALLS(X)
#undef X
};
inline constexpr const char* kScriptCalls[] = {
#define X(name) #name,
    BRICKS_SCRIPT_CALLS(X)
#undef X
};

// Question and answer; key and value lie in ScriptRing::call_bytes(), the value after the longest
// key.
struct ScriptRequest {
  uint32_t call = 0;
  uint32_t event = 0;  // which of those posted and not answered
  uint32_t key_bytes = 0, value_bytes = 0;
  uint32_t type = 0;     // bricks_value_type
  int32_t code = 0;      // the answer: bricks_error
  uint64_t session = 0;  // whose: the event's, or a child's that the script has opened
  int64_t a = 0, b = 0;  // arguments; a: child's id in the answer of open_child
};

// How many bytes of what a plugin wants copies of.
struct ScriptWants {
  uint32_t frame = 0;    // of each packet's frame
  uint32_t payload = 0;  // of each packet's payload; part of the frame where that is copied
};

}  // namespace bricks
