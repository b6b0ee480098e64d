// Meters: what of a stream of packets is within a rate. A packet's size is that of its IP packet
// in bytes, rates are bytes a second, times nanoseconds. All arithmetic is in whole thousand
// millionths of a byte and therefore exact: any number of refills between two packets gives what
// one would. A time before the last one counts as the last one.
#pragma once

#include <cstdint>

#include "wire/packet.hh"

namespace bricks {

enum class Colour : uint8_t { green, yellow, red };

class TokenBucket {
 public:
  // Full at first. `rate`: 0 to kQueueRateMax; `size`: 0 to kQueueBurstMax bytes.
  TokenBucket(uint64_t rate, uint64_t size) noexcept;

  // Puts in what has come since; what there is no room for is returned, in 1e-9 bytes.
  uint64_t refill(Nanos now) noexcept;
  // From somewhere else, in 1e-9 bytes: as much of it as there is room for.
  void pour(uint64_t amount) noexcept;
  bool holds(uint64_t bytes) const noexcept { return tokens_ >= bytes * kUnit; }
  void take(uint64_t bytes) noexcept { tokens_ -= bytes * kUnit; }  // holds(bytes)
  bool conform(uint64_t bytes, Nanos now) noexcept {
    refill(now);
    if (!holds(bytes)) return false;
    take(bytes);
    return true;
  }
  // After refill(): the first time at which it holds so many; UINT64_MAX: never.
  Nanos ready_at(uint64_t bytes) const noexcept;
  uint64_t tokens() const noexcept { return tokens_ / kUnit; }  // whole bytes

 private:
  static constexpr uint64_t kUnit = 1000000000;
  uint64_t rate_, size_, tokens_;
  Nanos at_ = 0;
  bool started_ = false;
};

// A shaper: when packets of a queue may leave, each asked for once and in order.
class Shaper {
 public:
  Shaper(uint64_t rate, uint64_t burst) noexcept : bucket_(rate, burst) {}
  // Not before `now` and not before the packet asked for last; UINT64_MAX: longer than the burst.
  Nanos departure(uint64_t bytes, Nanos now) noexcept;

 private:
  TokenBucket bucket_;
  Nanos last_ = 0;
};

// RFC 2697. Colour-aware where `before` is not green; a colour never gets better.
class SingleRateMeter {
 public:
  SingleRateMeter(uint64_t cir, uint64_t cbs, uint64_t ebs) noexcept
      : committed_(cir, cbs), excess_(0, ebs) {}
  Colour meter(uint64_t bytes, Nanos now, Colour before = Colour::green) noexcept;
  uint64_t committed() const noexcept { return committed_.tokens(); }
  uint64_t excess() const noexcept { return excess_.tokens(); }

 private:
  TokenBucket committed_, excess_;
};

// RFC 2698. pir >= cir.
class TwoRateMeter {
 public:
  TwoRateMeter(uint64_t cir, uint64_t cbs, uint64_t pir, uint64_t pbs) noexcept
      : committed_(cir, cbs), peak_(pir, pbs) {}
  Colour meter(uint64_t bytes, Nanos now, Colour before = Colour::green) noexcept;

 private:
  TokenBucket committed_, peak_;
};

// RFC 4115: the excess is a rate of its own, and what is green does not use it.
class ExcessRateMeter {
 public:
  ExcessRateMeter(uint64_t cir, uint64_t cbs, uint64_t eir, uint64_t ebs) noexcept
      : committed_(cir, cbs), excess_(eir, ebs) {}
  Colour meter(uint64_t bytes, Nanos now, Colour before = Colour::green) noexcept;

 private:
  TokenBucket committed_, excess_;
};

}  // namespace bricks
