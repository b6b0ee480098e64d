// A tap that begins in the past: what a recorder has kept of a link, and what comes from then on,
// into a pipe of its own. The engine only records; a thread of the tap's own reads along, waits for
// the consumer, and filters. Up to 10 ms behind.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "engine/tap.hh"
#include "ports/recording.hh"

namespace bricks {

class RecordedTap {
 public:
  // Begins with what passed in the last `last_ms`. `pipe` is the engine's end of the pipe to make.
  static Status open(const TapRequest& request, const std::string& pipe, uint32_t last_ms,
                     std::shared_ptr<Recording> recording, PipeDirectory* pipes,
                     std::unique_ptr<RecordedTap>* tap);
  ~RecordedTap();

  Status set_filter(const std::string& expression);
  TapRow row();

 private:
  RecordedTap() = default;
  void run() noexcept;
  enum class Next { more, wait_for_packets, wait_for_room };
  Next work() noexcept;

  std::mutex mutex_;  // held for a batch at a time: the filter, and what is counted
  Tap tap_;
  std::unique_ptr<Recording::Reader> reader_;
  std::shared_ptr<Recording> recording_;
  bool said_over_ = false;
  Batch batch_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace bricks
