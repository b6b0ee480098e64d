// Whoever knows more of a scope's sessions than the table does: how long they may be silent, and
// that it is told of each one's end. Engine's thread.
#pragma once

#include <cstdint>

namespace bricks {

enum class SessionEnd : uint8_t {
  silent,    // its time has come
  gave_way,  // to another session, the table being full
};

class SessionOwner {
 public:
  // No packet finds it any more; its entry stays the owner's until SessionTable::give_back.
  virtual void ended(uint32_t entry, SessionEnd end) noexcept = 0;
  // Ticks of silence that end it; UINT32_MAX: not now, ask again.
  virtual uint32_t idle_ticks(uint32_t entry) const noexcept = 0;
  // To others, when the table is full.
  virtual bool gives_way(uint32_t entry) const noexcept = 0;

 protected:
  ~SessionOwner() = default;
};

}  // namespace bricks
