#include "queues/pie.hh"

#include <algorithm>

namespace bricks {
namespace {

constexpr double kSpreadLeast = 0.85, kSpreadMost = 8.5;  // RFC 8033, 5.4

double seconds(Nanos time) noexcept { return static_cast<double>(time) * 1e-9; }

// The smaller the probability, the smaller its steps (4.2 of the RFC).
double divisor(double probability) noexcept {
  if (probability < 0.000001) return 2048;
  if (probability < 0.00001) return 512;
  if (probability < 0.0001) return 128;
  if (probability < 0.001) return 32;
  if (probability < 0.01) return 8;
  return probability < 0.1 ? 2 : 1;
}

}  // namespace

void Pie::set(const PieParameters& parameters) noexcept {
  if (parameters.burst != parameters_.burst) allowance_ = parameters.burst;
  parameters_ = parameters;
}

void Pie::update() noexcept {
  const PieParameters& p = parameters_;
  double step = p.alpha * (seconds(delay_) - seconds(p.reference)) +
                p.beta * (seconds(delay_) - seconds(old_delay_));
  step /= divisor(probability_);
  if (probability_ >= 0.1 && step > 0.02) step = 0.02;
  probability_ += step;
  if (delay_ == 0 && old_delay_ == 0) probability_ *= 0.98;
  probability_ = std::clamp(probability_, 0.0, 1.0);
  allowance_ = allowance_ > p.update ? allowance_ - p.update : 0;
  if (probability_ == 0 && delay_ < p.reference / 2 && old_delay_ < p.reference / 2) {
    allowance_ = p.burst;
  }
  old_delay_ = delay_;
}

void Pie::advance(Nanos now) noexcept {
  if (next_update_ == 0) next_update_ = now + parameters_.update;
  while (next_update_ <= now) {
    update();
    next_update_ += parameters_.update;
    // Nothing changes any more: the rest of a long silence is one step.
    const bool at_rest = probability_ == 0 && delay_ == 0 && old_delay_ == 0;
    if (at_rest && next_update_ <= now) {
      next_update_ += (now - next_update_) / parameters_.update * parameters_.update;
    }
  }
}

Pie::Judgement Pie::arrive(uint32_t queued, Nanos now, CounterRandom& random) noexcept {
  advance(now);
  const PieParameters& p = parameters_;
  if (allowance_ > 0) return Judgement::accept;
  if ((old_delay_ < p.reference / 2 && probability_ < 0.2) || queued <= 2) {
    return Judgement::accept;
  }
  sum_ = probability_ == 0 ? 0 : sum_ + probability_;
  if (sum_ < kSpreadLeast) return Judgement::accept;
  if (sum_ < kSpreadMost && random.unit() >= probability_) return Judgement::accept;
  sum_ = 0;
  return probability_ < p.mark_below ? Judgement::early : Judgement::forced;
}

}  // namespace bricks
