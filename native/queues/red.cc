#include "queues/red.hh"

namespace bricks {
namespace {

// x^n by squaring: the same on every machine, which pow() is not.
double power(double x, uint64_t n) noexcept {
  double result = 1;
  for (; n; n >>= 1, x *= x) {
    if (n & 1) result *= x;
  }
  return result;
}

}  // namespace

double Red::probability() const noexcept {
  const RedParameters& p = parameters_;
  if (average_ < p.minimum) return 0;
  if (average_ < p.maximum) {
    return p.probability * (average_ - p.minimum) / (p.maximum - p.minimum);
  }
  if (!p.gentle || average_ >= 2 * p.maximum) return 1;
  return p.probability + (1 - p.probability) * (average_ - p.maximum) / p.maximum;
}

Red::Judgement Red::arrive(uint32_t queued, Nanos now, CounterRandom& random) noexcept {
  const RedParameters& p = parameters_;
  if (idle_) {
    const Nanos slots =
        now > idle_since_ && p.packet_time ? (now - idle_since_) / p.packet_time : 0;
    average_ *= power(1 - p.weight, slots);
    idle_ = false;
  }
  average_ += p.weight * (queued - average_);
  const double chance = probability();
  if (chance <= 0) {
    since_ = -1;
    return Judgement::accept;
  }
  const bool forced = average_ >= p.maximum;
  if (chance < 1) {
    ++since_;
    const double rest = 1 - static_cast<double>(since_) * chance;
    if (rest > 0 && random.unit() >= chance / rest) return Judgement::accept;
  }
  since_ = -1;
  return forced ? Judgement::forced : Judgement::early;
}

void Red::emptied(Nanos now) noexcept {
  idle_ = true;
  idle_since_ = now;
}

}  // namespace bricks
