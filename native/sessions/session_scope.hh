// Whose sessions: those of one brick under one rule of what a flow is. It names what sessions can
// be pinned to, by identity: an output that goes and comes back, or moves to another place in the
// brick's list, is the same target.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "mem/status.hh"
#include "sessions/session_owner.hh"
#include "wire/flow_key.hh"

namespace bricks {

inline constexpr uint16_t kNoPin = 0;

class SessionScope {
 public:
  SessionScope(uint16_t number, std::string owner, const FlowRule& rule);

  // Control thread: a pin for each name, the one it had before if it had one. `in_use`: pins that a
  // running brick may still give to sessions. limit_reached: too many outputs that are gone have
  // live sessions.
  Status name_pins(const std::vector<std::string>& names, const std::vector<uint16_t>& in_use,
                   std::vector<uint16_t>* pins);
  // Any thread: live sessions pinned to it; those of the scope.
  uint32_t sessions(uint16_t pin) const noexcept {
    return live_[pin].load(std::memory_order_relaxed);
  }
  // None: the engine is done with all of them; who knows that none will begin may free the scope.
  uint32_t sessions() const noexcept { return all_.load(std::memory_order_acquire); }

  // What a packet's digest is combined with: sessions of several scopes share one table.
  uint64_t salt() const noexcept { return salt_; }
  uint16_t number() const noexcept { return number_; }
  const std::string& owner() const noexcept { return owner_; }
  const FlowRule& rule() const noexcept { return rule_; }

  // Null: the table decides by SessionBits (most scopes). Changes only while it has no sessions.
  void set_owner_of_sessions(SessionOwner* owner) noexcept {
    sessions_owner_.store(owner, std::memory_order_release);
  }
  SessionOwner* owner_of_sessions() const noexcept {
    return sessions_owner_.load(std::memory_order_relaxed);
  }

  // Engine's thread.
  void begin(uint16_t pin) noexcept { add(live_[pin], 1), add(all_, 1); }
  void end(uint16_t pin) noexcept { add(live_[pin], -1), add(all_, -1); }
  void move(uint16_t from, uint16_t to) noexcept { add(live_[from], -1), add(live_[to], 1); }

 private:
  using Count = std::atomic<uint32_t>;
  struct Free {
    void operator()(Count* counts) const noexcept;
  };
  // One thread writes: no locked instruction is needed.
  static void add(Count& count, int32_t change) noexcept {
    count.store(count.load(std::memory_order_relaxed) + static_cast<uint32_t>(change),
                std::memory_order_release);
  }

  uint64_t salt_;
  std::unique_ptr<Count[], Free> live_;  // by pin
  Count all_{0};
  std::atomic<SessionOwner*> sessions_owner_{nullptr};
  uint16_t number_;
  std::string owner_;
  FlowRule rule_;
  std::vector<std::string> names_;  // by pin; control thread
};

}  // namespace bricks
