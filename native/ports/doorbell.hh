// How other threads make an engine look at its outputs: one word that it reads every breath, and
// its wake-up in case it sleeps. Shared by the engine and everything that may outlive it.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>

namespace bricks {

class Doorbell {
 public:
  explicit Doorbell(int event) : event_(dup(event)) {}
  ~Doorbell() {
    if (event_ >= 0) close(event_);
  }
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  void ring() noexcept {
    rung_.store(true, std::memory_order_release);
    if (event_ >= 0) eventfd_write(event_, 1);
  }
  // Engine's thread: whether somebody has rung since it last asked.
  bool answer() noexcept {
    return rung_.load(std::memory_order_relaxed) &&
           rung_.exchange(false, std::memory_order_acquire);
  }

 private:
  std::atomic<bool> rung_{false};
  int event_;
};

}  // namespace bricks
