// What a script that nobody waits for asks of sessions: kept until the session's next packet comes
// by. One thread puts in, the engine's takes out.
#pragma once

#include <array>
#include <atomic>
#include <memory>

#include "mem/limits.hh"
#include "plugins/script_request.hh"

namespace bricks {

class ScriptLater {
 public:
  struct Entry {
    uint64_t session = 0;
    ScriptCall call = ScriptCall::kill;
    int64_t a = 0, b = 0;
  };

  // The script's thread. False: there are too many.
  bool put(const Entry& entry) noexcept;

  // The engine's thread. How many had to give way to others: their sessions had no packet for long.
  uint32_t collect() noexcept;
  bool empty() const noexcept { return count_ == 0; }
  // The oldest of that session's; false: there is none.
  bool take(uint64_t session, Entry* entry) noexcept;
  void clear() noexcept;

 private:
  static constexpr uint32_t kBuckets = kScriptLaterMax;
  static constexpr uint16_t kNone = UINT16_MAX;
  struct Kept {
    Entry entry;
    uint16_t next = kNone;
    bool used = false;
  };
  static uint32_t bucket(uint64_t session) noexcept {
    return static_cast<uint32_t>((session * 0x9e3779b97f4a7c15u) >> 40) % kBuckets;
  }
  void unlink(uint16_t slot) noexcept;

  std::array<Entry, kScriptLaterMax> queue_;
  alignas(64) std::atomic<uint64_t> put_{0};
  alignas(64) std::atomic<uint64_t> taken_{0};
  std::array<Kept, kScriptLaterMax> kept_;
  std::array<uint16_t, kBuckets> head_ = [] {
    std::array<uint16_t, kBuckets> none;
    none.fill(kNone);
    return none;
  }();
  uint32_t count_ = 0, hand_ = 0;
};

}  // namespace bricks
