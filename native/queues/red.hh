// Random early detection (Floyd and Jacobson 1993), with the gentle ramp from max to twice max.
#pragma once

#include <cstdint>

#include "queues/counter_random.hh"
#include "wire/packet.hh"

namespace bricks {

struct RedParameters {
  double weight = 0.002;  // of the newest length in the average
  double minimum = 5;     // packets: no drop while the average is below
  double maximum = 15;    // packets: the probability is `probability` here
  double probability = 0.1;
  bool gentle = true;           // from there it rises to 1 at twice the maximum; else at once
  Nanos packet_time = 1000000;  // of a typical packet: how fast the average falls while idle

  bool operator==(const RedParameters&) const = default;
};

class Red {
 public:
  // `early`: the packet may be marked instead of dropped; `forced`: it may not (RFC 3168, 7).
  enum class Judgement : uint8_t { accept, early, forced };

  void set(const RedParameters& parameters) noexcept { parameters_ = parameters; }
  // A packet comes while `queued` are there.
  Judgement arrive(uint32_t queued, Nanos now, CounterRandom& random) noexcept;
  // The last one has left.
  void emptied(Nanos now) noexcept;

  double average() const noexcept { return average_; }
  void set_average(double packets) noexcept { average_ = packets; }  // tests begin anywhere
  // Of one packet at this average, before it is spread evenly; 1 where all are dropped.
  double probability() const noexcept;

 private:
  RedParameters parameters_;
  double average_ = 0;
  int64_t since_ = -1;  // packets accepted since the last drop, less one, while above the minimum
  bool idle_ = false;
  Nanos idle_since_ = 0;
};

}  // namespace bricks
