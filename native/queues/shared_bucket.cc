#include "queues/shared_bucket.hh"

#include <algorithm>

namespace bricks {
namespace {

using Wide = unsigned __int128;
constexpr uint64_t kSecond = 1000000000;

}  // namespace

TokenStream TokenStream::make(uint64_t rate, uint64_t size_bytes, Nanos from,
                              uint64_t start) noexcept {
  TokenStream made;
  made.rate = rate;
  made.size = size_bytes * kTokensPerByte;
  made.from = from;
  made.start = start;
  // As many bits of the quotient as 64 hold: over any time it is right to 2^-63 of the amount.
  while (rate && made.shift < 80) {
    const Wide next = (Wide{rate} * kTokensPerByte << (made.shift + 1)) / kSecond;
    if ((next + 1) >> 64) break;
    made.factor = static_cast<uint64_t>(next) + 1;  // up: at() rounds down
    ++made.shift;
  }
  return made;
}

Nanos TokenStream::when(uint64_t position, Nanos now) const noexcept {
  const auto missing = static_cast<int64_t>(position - at(now));
  if (missing <= 0) return now;
  if (rate == 0) return UINT64_MAX;
  if (missing >> 46) return UINT64_MAX;  // no bucket is so large
  // Of the token that is under way, the part that has come is counted, too.
  const Nanos base = std::max(now, from);
  const Wide part = (Wide{base - from} * factor) & ((Wide{1} << shift) - 1);
  const Wide wanted = (Wide{static_cast<uint64_t>(missing)} << shift) - part;
  return base + static_cast<Nanos>((wanted + factor - 1) / factor);
}

// Where the stream is spent up to, once what the bucket has no room for has run over.
uint64_t SharedBucket::settled(uint64_t spent, const TokenStream& stream, uint64_t at) noexcept {
  const auto there = static_cast<int64_t>(at - spent);
  const bool over = spent == kNew || there > static_cast<int64_t>(stream.size);
  return over ? at - stream.size : spent;
}

int64_t SharedBucket::tokens(const TokenStream& stream, Nanos now) const noexcept {
  const uint64_t at = stream.at(now);
  return static_cast<int64_t>(at - settled(spent_.load(std::memory_order_relaxed), stream, at));
}

bool SharedBucket::take(const TokenStream& stream, uint64_t needed, uint64_t taken, Nanos now,
                        uint64_t* spilled) noexcept {
  const uint64_t at = stream.at(now);
  uint64_t spent = spent_.load(std::memory_order_relaxed);
  while (true) {
    const uint64_t from = settled(spent, stream, at);
    const bool enough = static_cast<int64_t>(at - from) >= static_cast<int64_t>(needed);
    if (!enough && (!spilled || from == spent)) return false;
    const uint64_t next = enough ? from + taken : from;
    if (!spent_.compare_exchange_weak(spent, next, std::memory_order_relaxed)) continue;
    // Who moved the word has the spill, and nobody else.
    if (spilled && spent != kNew) *spilled += from - spent;
    return enough;
  }
}

uint64_t SharedBucket::reserve(const TokenStream& stream, uint64_t needed, uint64_t taken,
                               Nanos now) noexcept {
  const uint64_t at = stream.at(now);
  uint64_t spent = spent_.load(std::memory_order_relaxed);
  uint64_t from = 0;
  do {
    from = settled(spent, stream, at);
  } while (!spent_.compare_exchange_weak(spent, from + taken, std::memory_order_relaxed));
  return from + needed;
}

void SharedBucket::use(const TokenStream& stream, uint64_t taken, Nanos now) noexcept {
  const uint64_t least = stream.at(now) - stream.size + taken;
  uint64_t spent = spent_.load(std::memory_order_relaxed);
  while (static_cast<int64_t>(least - spent) > 0) {
    if (spent_.compare_exchange_weak(spent, least, std::memory_order_relaxed)) return;
  }
}

void SharedBucket::keep(const TokenStream& stream, Nanos now) noexcept {
  const uint64_t at = stream.at(now);
  uint64_t spent = spent_.load(std::memory_order_relaxed);
  const uint64_t from = settled(spent, stream, at);
  if (spent != kNew && from != spent) {
    spent_.compare_exchange_strong(spent, from, std::memory_order_relaxed);
  }
}

void SpillBucket::pour(uint64_t tokens, uint64_t size) noexcept {
  if (tokens == 0) return;
  uint64_t there = tokens_.load(std::memory_order_relaxed);
  uint64_t next = 0;
  do {
    next = there >= size || tokens >= size - there ? std::max(there, size) : there + tokens;
  } while (!tokens_.compare_exchange_weak(there, next, std::memory_order_relaxed));
}

bool SpillBucket::take(uint64_t needed) noexcept {
  uint64_t there = tokens_.load(std::memory_order_relaxed);
  do {
    if (there < needed) return false;
  } while (!tokens_.compare_exchange_weak(there, there - needed, std::memory_order_relaxed));
  return true;
}

}  // namespace bricks
