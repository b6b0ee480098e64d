// What comes of packets: events for whoever wants them, and a place for each packet.
#pragma once

#include <cstdint>
#include <span>

#include "abi/bricks_event.h"
#include "mem/limits.hh"

namespace bricks {

// PACKET events, and what their sessions have in common: nobody need look at them again. `context`
// of each is bricks_session.context_'s address.
struct PlainWave {
  std::span<bricks_event> events;
  std::span<const uint16_t> places;
  uint32_t all;  // bits that the lower half of owner_ of all sessions has
  uint32_t any;  // and those that some have
};

// Who gets the events of a batch. A session comes up once in an array.
class SessionSink {
 public:
  virtual void began(bricks_session& session) noexcept = 0;  // before its OPENING
  // All of one type: OPENING, ACTIVE or CLOSING.
  virtual void lifecycle(std::span<bricks_event> events) noexcept = 0;
  // PACKET of a wave; whatever else comes of a packet (payload, records) is for the sink to make of
  // it now. It may close() sessions.
  virtual void packets(std::span<bricks_event> events) noexcept = 0;
  // Most are the next ones of active sessions: packets() and settled() in one.
  virtual uint32_t packets_together() noexcept { return kBatchMax; }  // at most
  virtual void plain(const PlainWave& wave) noexcept {
    packets(wave.events);
    settled(wave.places);
  }
  // These packets of a run, by place, are through, before others of their sessions are.
  virtual void settled(std::span<const uint16_t> places) noexcept = 0;
  virtual void over(bricks_session& session) noexcept = 0;  // after its CLOSING

 protected:
  ~SessionSink() = default;
};

// What became of a packet.
enum class PacketPlace : uint8_t {
  session,
  none,       // not IP, a fragment whose datagram nobody knows, TCP without a beginning, ...
  full,       // its session would have been a new one, and there was no room
  late,       // of a session that has ended a moment ago
  blocked,    // likewise, of one that was killed
  duplicate,  // with Duplicates::drop
};

}  // namespace bricks
