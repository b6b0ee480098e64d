// Somebody who sends on interface `near` as fast as one core can, on the machine's last core.
#pragma once

#include <atomic>
#include <thread>

namespace bench {

class Flood {
 public:
  // In the network namespace of the calling thread. Sends until destroyed.
  Flood() : thread_([this] { send(); }) {}
  ~Flood() {
    stop_ = true;
    thread_.join();
  }

 private:
  void send();
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace bench
