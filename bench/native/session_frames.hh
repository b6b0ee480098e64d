// Frames of 64 bytes, one a flow, that come around in random order: for benchmarks of sessions.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <vector>

#include "wire/packet.hh"

namespace bench {

class SessionFrames {
 public:
  static constexpr uint32_t kFrame = 64;
  // IPv4; `protocol` 6 or 17. `both`: the second half of the frames are the first one's answers.
  explicit SessionFrames(uint32_t flows, uint8_t protocol = 6, bool both = false)
      : bytes_(size_t{flows} * kFrame), order_(flows) {
    memory_ =
        mmap(nullptr, bytes_ + kFrame, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) {
      std::fprintf(stderr, "bench: no memory for frames\n");
      std::exit(1);
    }
    madvise(memory_, bytes_, MADV_HUGEPAGE);
    static constexpr uint8_t kHead[] = {2,    0, 0, 0,  0, 2, 2,    0, 0,  0, 0, 1, 8, 0,
                                        0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 6, 0, 0, 10};
    for (uint32_t k = 0; k < flows; ++k) {
      const bool answer = both && k >= flows / 2;
      const uint32_t i = answer ? k - flows / 2 : k;
      uint8_t* frame = at(k);
      std::memcpy(frame, kHead, sizeof kHead);
      frame[23] = protocol;
      frame[27] = static_cast<uint8_t>(i >> 16);
      frame[28] = static_cast<uint8_t>(i >> 8);
      frame[29] = static_cast<uint8_t>(i);
      frame[30] = 192, frame[31] = 168, frame[33] = 1, frame[34] = 80, frame[37] = 80;
      if (protocol == 6) {
        frame[46] = 0x50;
        frame[47] = 0x10;
      } else {
        frame[39] = 26;  // UDP's length
      }
      if (!answer) continue;
      std::swap_ranges(frame + 26, frame + 30, frame + 30);
      std::swap_ranges(frame + 34, frame + 36, frame + 36);
    }
    std::iota(order_.begin(), order_.end(), 0u);
    uint64_t state = 1;
    for (size_t i = flows - 1; i > 0; --i) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      std::swap(order_[i], order_[(state >> 33) % (i + 1)]);
    }
  }
  ~SessionFrames() { munmap(memory_, bytes_ + kFrame); }
  SessionFrames(const SessionFrames&) = delete;
  SessionFrames& operator=(const SessionFrames&) = delete;

  uint8_t* at(uint32_t flow) const {
    return static_cast<uint8_t*>(memory_) + size_t{flow} * kFrame;
  }
  // The next kBatchDefault flows.
  const uint32_t* next(size_t* place) const {
    if (*place + bricks::kBatchDefault > order_.size()) *place = 0;
    *place += bricks::kBatchDefault;
    return order_.data() + *place - bricks::kBatchDefault;
  }

 private:
  size_t bytes_;
  void* memory_;
  std::vector<uint32_t> order_;
};

}  // namespace bench
