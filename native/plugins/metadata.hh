// A session's metadata: values by key that its plugins share. Order of insertion is kept; bounded
// in entries and bytes. Who may is not decided here.
#pragma once

#include "abi/bricks_plugin.h"
#include "plugins/block_memory.hh"
#include "plugins/session_extra.hh"

namespace bricks {

class Metadata {
 public:
  struct Entry;
  // What is to be done with a value whose time is over; for the caller to run.
  struct Garbage {
    bricks_free* free = nullptr;
    void* value = nullptr;
    size_t size = 0;
    uint8_t plugin = 0;  // who had set it
  };

  bool reserve() noexcept { return memory_.reserve(); }

  // 0, BRICKS_EINVAL, BRICKS_ENOMEM (nothing has changed). `old`: to be freed before the value is
  // seen; then finish with put(). Between both nothing may be changed in the session.
  struct Change {
    uint32_t entry = 0, block = 0;
    bool fresh = false;
    uint64_t scalar = 0;
    Garbage old;
  };
  int prepare(SessionExtra& session, const char* key, bricks_value_type type, const void* value,
              size_t size, Change* change) noexcept;
  void put(SessionExtra& session, const Change& change, const char* key, bricks_value_type type,
           void* value, size_t size, bricks_free* free, uint8_t plugin) noexcept;

  // BRICKS_ENOENT, BRICKS_EINVAL; outputs may be null.
  int get(const SessionExtra& session, const char* key, bricks_value_type* type, void** value,
          size_t* size) const noexcept;
  int remove(SessionExtra& session, const char* key, Garbage* old) noexcept;
  // Takes the newest out. False: there is none.
  bool remove_newest(SessionExtra& session, Garbage* old) noexcept;

 private:
  Entry& at(uint32_t block) const noexcept { return *static_cast<Entry*>(memory_.at(block)); }
  uint32_t find(const SessionExtra& session, const char* key, size_t length,
                uint32_t* newer = nullptr) const noexcept;
  void release(SessionExtra& session, Entry& entry, Garbage* old) noexcept;

  BlockMemory memory_;
};

}  // namespace bricks
