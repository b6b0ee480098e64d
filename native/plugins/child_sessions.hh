// Sessions that plugins have opened within others: no packets, an end no later than their parent's.
// Their entries follow those of the others. What they are told waits until the call is over in
// which they were opened or closed.
#pragma once

#include "mem/sparse_array.hh"
#include "plugins/session_extra.hh"
#include "sessions/session_flow.hh"

namespace bricks {

class ChildSessions {
 public:
  struct Waiting {
    uint64_t id;
    uint16_t slot;
    uint16_t type;  // bricks_event_type: OPENING or CLOSING
  };

  bool reserve(SessionExtra* extras, uint32_t first_entry) noexcept;

  // null: there is no room. An OPENING waits.
  bricks_session* open(const bricks_session& parent, uint16_t type) noexcept;
  // A CLOSING waits. False: it does already.
  bool close(const bricks_session& child) noexcept;
  // After its CLOSING. What else waits of it waits no more.
  void remove(const bricks_session& child) noexcept;

  // A live child, or something else.
  bool has(const bricks_session* session) const noexcept;
  bool is_child_entry(uint32_t entry) const noexcept { return entry >= first_entry_; }
  uint32_t parent_of(const bricks_session& child) const noexcept;
  bricks_session& at(uint32_t entry) const noexcept { return sessions_[entry - first_entry_]; }

  // Takes out what waits longest. null: nothing does.
  bricks_session* take(bricks_event_type* type) noexcept;
  uint32_t count() const noexcept { return count_; }

 private:
  SessionExtra* extras_ = nullptr;
  uint32_t first_entry_ = 0, free_ = 0, fresh_ = 0, count_ = 0;  // free_: slot + 1
  SparseArray<bricks_session> sessions_;
  SparseArray<SessionFlow> flows_;
  SparseArray<Waiting> waiting_;
  void wait(const bricks_session& child, bricks_event_type type) noexcept;
  uint32_t first_ = 0, waits_ = 0;
  uint64_t next_id_ = 0;
};

}  // namespace bricks
