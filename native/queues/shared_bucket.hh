// A token bucket that any number of threads take from without a lock: one 64-bit word, which says
// up to where the stream of tokens has been spent. How far the stream has come is a function of
// time alone, so refills cost nothing and do not depend on how often anybody asks. Exact to 1/256
// byte; that error does not add up.
#pragma once

#include <atomic>
#include <cstdint>

#include "wire/packet.hh"

namespace bricks {

inline constexpr uint64_t kTokensPerByte = 256;

// What a bucket is filled with: tokens a second from a moment on. Plain data: every worker keeps a
// copy. Positions in the stream are counted modulo 2^64.
struct TokenStream {
  uint64_t rate = 0;    // bytes a second
  uint64_t size = 0;    // of the bucket, tokens
  uint64_t factor = 0;  // tokens a nanosecond, times 2^shift
  uint32_t shift = 0;
  Nanos from = 0;  // here the stream is at `start`
  uint64_t start = 0;

  static TokenStream make(uint64_t rate, uint64_t size_bytes, Nanos from, uint64_t start) noexcept;
  uint64_t at(Nanos now) const noexcept {
    const uint64_t passed = now > from ? now - from : 0;
    return start +
           static_cast<uint64_t>((static_cast<unsigned __int128>(passed) * factor) >> shift);
  }
  // The first time at which it has come to `position`, as seen from `now`; `now` when it is there.
  Nanos when(uint64_t position, Nanos now) const noexcept;
};

class SharedBucket {
 public:
  // `needed` tokens have to be there, `taken` go: more than that leaves a debt. False: they are not
  // there, nothing has changed. `spilled`: tokens for which there was no room before, if anybody is
  // to have them.
  bool take(const TokenStream& stream, uint64_t needed, uint64_t taken, Nanos now,
            uint64_t* spilled = nullptr) noexcept;
  bool holds(const TokenStream& stream, uint64_t needed, Nanos now) const noexcept {
    return tokens(stream, now) >= static_cast<int64_t>(needed);
  }
  // Takes `taken` in any case and says up to which position the stream has to come before they may
  // be used: whoever asks first is served first.
  uint64_t reserve(const TokenStream& stream, uint64_t needed, uint64_t taken, Nanos now) noexcept;
  // What was reserved is used only now, later than it might have been: the bucket has not been
  // fuller meanwhile than it can be.
  void use(const TokenStream& stream, uint64_t taken, Nanos now) noexcept;
  void give_back(uint64_t taken) noexcept { spent_.fetch_sub(taken, std::memory_order_relaxed); }

  // Those there now; below 0: owed.
  int64_t tokens(const TokenStream& stream, Nanos now) const noexcept;
  // Control thread: full again, as a bucket is at first.
  void fill() noexcept { spent_.store(kNew, std::memory_order_relaxed); }
  // So that an idle bucket is not taken for one that owes, once the stream has come half around.
  void keep(const TokenStream& stream, Nanos now) noexcept;

 private:
  static constexpr uint64_t kNew = 0;  // nobody has ever taken anything
  static uint64_t settled(uint64_t spent, const TokenStream& stream, uint64_t at) noexcept;

  std::atomic<uint64_t> spent_{kNew};
};

// A bucket without a stream: it gets what another one spills.
class SpillBucket {
 public:
  void pour(uint64_t tokens, uint64_t size) noexcept;
  bool take(uint64_t needed) noexcept;
  bool holds(uint64_t needed) const noexcept {
    return tokens_.load(std::memory_order_relaxed) >= needed;
  }
  void set(uint64_t tokens) noexcept { tokens_.store(tokens, std::memory_order_relaxed); }
  uint64_t tokens() const noexcept { return tokens_.load(std::memory_order_relaxed); }
  void give_back(uint64_t tokens, uint64_t size) noexcept { pour(tokens, size); }

 private:
  std::atomic<uint64_t> tokens_{0};
};

}  // namespace bricks
