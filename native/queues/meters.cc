#include "queues/meters.hh"

#include <algorithm>

namespace bricks {
namespace {

using Wide = unsigned __int128;

}  // namespace

TokenBucket::TokenBucket(uint64_t rate, uint64_t size) noexcept
    : rate_(rate), size_(size * kUnit), tokens_(size * kUnit) {}

uint64_t TokenBucket::refill(Nanos now) noexcept {
  if (!started_) {
    started_ = true;
    at_ = now;
  }
  if (now <= at_) return 0;
  const Wide come = Wide{now - at_} * rate_;
  at_ = now;
  const uint64_t room = size_ - tokens_;
  if (come <= room) {
    tokens_ += static_cast<uint64_t>(come);
    return 0;
  }
  tokens_ = size_;
  return static_cast<uint64_t>(std::min<Wide>(come - room, UINT64_MAX));
}

void TokenBucket::pour(uint64_t amount) noexcept { tokens_ += std::min(amount, size_ - tokens_); }

Nanos TokenBucket::ready_at(uint64_t bytes) const noexcept {
  const Wide wanted = Wide{bytes} * kUnit;
  if (wanted <= tokens_) return at_;
  if (wanted > size_ || rate_ == 0) return UINT64_MAX;
  const auto missing = static_cast<uint64_t>(wanted) - tokens_;
  return at_ + (missing + rate_ - 1) / rate_;
}

Nanos Shaper::departure(uint64_t bytes, Nanos now) noexcept {
  now = std::max(now, last_);
  bucket_.refill(now);
  const Nanos at = bucket_.ready_at(bytes);
  if (at == UINT64_MAX) return at;
  last_ = std::max(at, now);
  bucket_.refill(last_);
  bucket_.take(bytes);
  return last_;
}

Colour SingleRateMeter::meter(uint64_t bytes, Nanos now, Colour before) noexcept {
  excess_.pour(committed_.refill(now));
  if (before == Colour::green && committed_.holds(bytes)) {
    committed_.take(bytes);
    return Colour::green;
  }
  if (before == Colour::red || !excess_.holds(bytes)) return Colour::red;
  excess_.take(bytes);
  return Colour::yellow;
}

Colour TwoRateMeter::meter(uint64_t bytes, Nanos now, Colour before) noexcept {
  committed_.refill(now);
  peak_.refill(now);
  if (before == Colour::red || !peak_.holds(bytes)) return Colour::red;
  peak_.take(bytes);
  if (before == Colour::yellow || !committed_.holds(bytes)) return Colour::yellow;
  committed_.take(bytes);
  return Colour::green;
}

Colour ExcessRateMeter::meter(uint64_t bytes, Nanos now, Colour before) noexcept {
  committed_.refill(now);
  excess_.refill(now);
  if (before == Colour::green && committed_.holds(bytes)) {
    committed_.take(bytes);
    return Colour::green;
  }
  if (before == Colour::red || !excess_.holds(bytes)) return Colour::red;
  excess_.take(bytes);
  return Colour::yellow;
}

}  // namespace bricks
