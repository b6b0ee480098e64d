// `pcap:` as input: the packets of capture files, one file after the other, as often as asked.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "ports/capture_parser.hh"
#include "ports/port.hh"

namespace bricks {

struct PcapReplay {
  double speed = 0;      // 0: as fast as packets are taken, else a factor of the capture's own pace
  uint64_t loops = 1;    // 0: for ever
  bool lossless = true;  // outputs are waited for
};

class PcapInput final : public Input {
 public:
  // Opens (and closes again) every file, so that a bad name or a file that is no capture is known
  // before the first packet: no_such_file, permission_denied, not_a_capture, invalid_argument.
  static Status open(std::vector<std::string> files, const PcapReplay& replay,
                     std::unique_ptr<Input>* input);

  uint32_t receive(Batch& batch, uint32_t max, Nanos now, LedgerCell& cell) noexcept override;
  void release(Batch&) noexcept override {}
  bool finished() const noexcept override { return finished_; }
  bool lossless() const noexcept override { return replay_.lossless; }
  int wait_fd() const noexcept override { return wait_fd_; }
  Nanos wake_at() const noexcept override { return wake_at_; }
  std::string take_warning() override;
  std::string describe() const override;

 private:
  enum class Fault : uint8_t { none, cut, damaged, unreadable, vanished };
  // What went wrong with a file: written once by the engine's thread, read once by the control's.
  struct Report {
    std::atomic<bool> ready{false};
    bool written = false, taken = false;
    Fault fault = Fault::none;
    uint64_t offset = 0, needed = 0, found = 0;
    const char* damage = "";
    int error = 0;
  };

  PcapInput(std::vector<std::string> files, const PcapReplay& replay);
  Status attach_first();
  uint32_t receive_due(Batch& batch, uint32_t max, Nanos now, CaptureTally& tally) noexcept;
  bool go_on() noexcept;  // false: nothing more in this call
  bool end_file() noexcept;
  bool next_file() noexcept;
  void report(Fault fault, int error) noexcept;
  std::string warning(size_t file) const;

  const std::vector<std::string> files_;
  const PcapReplay replay_;
  CaptureWindow window_;
  CaptureParser parser_;
  size_t file_ = 0;
  uint64_t loop_ = 0;
  uint64_t found_in_loop_ = 0;  // records; an endless loop over empty files must end
  bool finished_ = false;
  int wait_fd_ = -1;
  Nanos wake_at_ = 0;
  bool paced_ = false;  // the first packet of this loop has been seen
  Nanos pace_start_ = 0, pace_first_ = 0;
  std::unique_ptr<Report[]> reports_;  // one a file
  std::atomic<uint32_t> reports_ready_{0};
  uint32_t reports_taken_ = 0;
};

}  // namespace bricks
