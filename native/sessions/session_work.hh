// What a session manager knows of the batch that is under way.
#pragma once

#include <array>
#include <span>

#include "sessions/session.hh"
#include "sessions/session_counts.hh"
#include "sessions/session_sink.hh"

namespace bricks {

using Picks = std::span<const Index>;

// Pins of its scope: which end of the key opened the session, and whether it is TCP.
inline constexpr uint16_t kPinFirst = 1, kPinSecond = 2, kPinTcp = 4;

class SessionWork {
 protected:
  struct Events {
    uint32_t count = 0;
    bricks_event all[kBatchMax];
    std::span<bricks_event> span() noexcept { return {all, count}; }
  };
  SessionBatch look_;
  const Batch* batch_ = nullptr;
  Picks in_;
  alignas(64) bricks_packet_view views_[kBatchMax];
  Nanos times_[kBatchMax];
  uint32_t entries_[kBatchMax];
  PacketPlace places_[kBatchMax];
  struct Slot {  // one of its sessions
    uint32_t entry;
    uint16_t batch, wave;
  };
  static constexpr uint32_t kSlots = 512;
  Slot slots_[kSlots] = {};
  uint16_t batch_number_ = 0;
  Index aside_[kBatchMax];    // packets that go the long way
  bool repeated_[kBatchMax];  // and whether an earlier one of its session was not among them
  uint32_t aside_count_ = 0;
  uint32_t looked_ = 0;     // packets before it have been looked up
  Index order_[kBatchMax];  // of those
  std::array<uint32_t, kBatchMax + 1> wave_end_;
  bool layered_ = false;
  bool turned_ = false;             // a session has begun anew from its other side
  uint32_t waves_ = 0, alone_ = 0;  // alone: packets of no session
  Events before_, opening_, active_, packets_, closing_;
  Index again_[kBatchMax];
  uint16_t mark_ = 0;    // of the run, on the sessions it has met
  bool tcp_met_ = true;  // the last wave had some of TCP
  // What the lower half of most sessions' owner_ is, as far as is known, but for what they may
  // differ in (kSessionOutput, kSessionApplication).
  uint16_t usual_owner_ = 0;

  SessionManagerCounts counts_;
  Nanos newest_ = 0;
  // No time before one that has been. Far back, time begins anew: what is there stays.
  Nanos time_of(Nanos timestamp) noexcept {
    return __builtin_expect(timestamp >= newest_, 1) ? newest_ = timestamp : time_back(timestamp);
  }
  Nanos time_back(Nanos timestamp) noexcept;

  uint32_t cursor_ = 0;  // of end_some()
  uint32_t swept_ = 0, sweep_left_ = 0;
  static constexpr uint32_t kEndedMost = kSessionsKept - 2 * kBatchMax;
  std::array<uint32_t, kSessionsKept> ended_;  // a ring, with its first and its end
  uint32_t first_ended_ = 0, end_ended_ = 0;
  bool crowded() const noexcept { return end_ended_ - first_ended_ > kEndedMost; }
};

}  // namespace bricks
