// What an EgressQueues is made with, and who watches it.
#pragma once

#include <cstdint>

namespace bricks {

inline constexpr uint32_t kNoSession = 0;

// Who wants to know which sessions have packets here. Engine's thread.
class QueuedSessions {
 public:
  virtual ~QueuedSessions() = default;
  virtual void queued(uint32_t session) noexcept = 0;  // one packet more is here
  virtual void left(uint32_t session,
                    bool delivered) noexcept = 0;  // one less: gone on, or dropped
  virtual void refused(uint32_t session) noexcept { (void)session; }  // dropped as it came
};

struct EgressOptions {
  uint32_t packets = 65536;     // that may wait here, over all groups; memory is sparse
  uint64_t bytes = UINT64_MAX;  // of those
  uint32_t sessions = 0;        // entry numbers are below; 0: no order among sessions is kept
  // Times are the packets' own: what waits leaves at its very instant, which becomes its timestamp,
  // and what comes of it does not depend on batches. Else it leaves when release() is called.
  bool virtual_time = false;
};

}  // namespace bricks
