// xdp: as output. Frames are copied into the queue's memory, or exchanged where the batch is of the
// same region; one system call tells the kernel of all, older kernels take 32 with each.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "ports/port.hh"
#include "ports/xdp_queue.hh"

namespace bricks {

class XdpOutput final : public Output {
 public:
  // Control thread. `region`: the engine's, or null. no_such_interface, permission_denied, busy,
  // invalid_argument, unsupported, failed.
  static Status open(const std::string& interface, const XdpSettings& settings,
                     const std::shared_ptr<Region>& region, std::unique_ptr<Output>* output);
  ~XdpOutput() override;

  uint32_t room(const Batch& batch, const Index* picks, uint32_t count) noexcept override;
  void transmit(Batch& batch, const Index* picks, uint32_t count, bool exclusive,
                LedgerCell& cell) noexcept override;
  void flush(Nanos now, LedgerCell& cell) noexcept override;
  void close(LedgerCell& cell) override;
  std::string take_warning() override;
  std::string describe() const override;

 private:
  // What was sent and not yet counted in the ledger.
  struct Sent {
    uint64_t packets = 0, bytes = 0, refused = 0, lost = 0;
  };

  explicit XdpOutput(Interface interface) : interface_(std::move(interface)) {}
  bool fits(const Packet& packet) const noexcept;
  void send() noexcept;
  void take_back() noexcept;
  void count(LedgerCell& cell) noexcept;
  void look_at_interface(Nanos now) noexcept;
  void tell(uint32_t news) noexcept { news_.fetch_or(news, std::memory_order_relaxed); }

  Interface interface_;
  std::shared_ptr<XdpProgram> program_;  // drivers send without copying only while there is one
  std::shared_ptr<XdpQueue> queue_;
  std::shared_ptr<Region> region_;  // the engine's, or null
  int control_ = -1;                // for questions about the interface
  uint64_t in_flight_ = 0;          // with the kernel
  bool unsent_ = false;             // there may be some that the kernel has not looked at
  uint32_t refused_ = 0;            // of those in flight, dropped by the device
  bool down_ = false, gone_ = false, stuck_ = false;
  Sent sent_;
  Nanos looked_at_ = 0, moved_at_ = 0;
  uint64_t moved_ = 0, moved_seen_ = 0;
  std::atomic<uint32_t> news_ = 0;
};

}  // namespace bricks
