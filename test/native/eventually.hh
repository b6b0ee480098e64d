// For what another thread or process has still to do: look again until it is so, or too late.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace bricks {

inline bool eventually(const std::function<bool()>& condition, int seconds = 20) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace bricks
