// PIE (RFC 8033): packets are dropped as they come, with a probability that follows the delay. The
// delay is measured by time stamps: that of the packet that left last (5.2 of the RFC).
#pragma once

#include <cstdint>

#include "queues/counter_random.hh"
#include "wire/packet.hh"

namespace bricks {

struct PieParameters {
  Nanos reference = 15000000;         // the delay it aims at
  Nanos update = 15000000;            // how often the probability is computed
  Nanos burst = 150000000;            // so long a burst gets through whatever its delay
  double alpha = 0.125, beta = 1.25;  // hertz: weight of the delay, and of its change
  double mark_below = 0.1;            // packets are marked rather than dropped below this

  bool operator==(const PieParameters&) const = default;
};

class Pie {
 public:
  enum class Judgement : uint8_t { accept, early, forced };

  void set(const PieParameters& parameters) noexcept;
  // A packet comes while `queued` are there.
  Judgement arrive(uint32_t queued, Nanos now, CounterRandom& random) noexcept;
  // A packet left after so long; `queued` are left. Call advance() before.
  void left(Nanos delay, uint32_t queued) noexcept { delay_ = queued ? delay : 0; }
  // The updates that were due by now. An empty queue's, too: or its probability would never fall.
  void advance(Nanos now) noexcept;

  void update() noexcept;  // one; advance() calls it
  double probability() const noexcept { return probability_; }
  // Tests begin anywhere.
  void begin(double probability, Nanos delay, Nanos allowance) noexcept {
    probability_ = probability, delay_ = delay, allowance_ = allowance;
  }

 private:
  PieParameters parameters_;
  double probability_ = 0, sum_ = 0;
  Nanos delay_ = 0, old_delay_ = 0;
  Nanos allowance_ = 150000000;
  Nanos next_update_ = 0;
};

}  // namespace bricks
