// xdp: as input. Batches point into the queues' memory; nothing is copied. A batch is of one queue,
// the queues take turns; its buffers, or what outputs left in their place, go back to be filled.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "ports/port.hh"
#include "ports/xdp_queue.hh"

namespace bricks {

class XdpInput final : public Input {
 public:
  // Control thread. `region`: the engine's, or null. no_such_interface, permission_denied, busy,
  // invalid_argument, unsupported, failed.
  static Status open(const std::string& interface, const XdpSettings& settings,
                     const std::shared_ptr<Region>& region, std::unique_ptr<Input>* input);
  ~XdpInput() override;

  uint32_t receive(Batch& batch, uint32_t max, Nanos now, LedgerCell& cell) noexcept override;
  void release(Batch& batch) noexcept override;
  void settle(LedgerCell& cell) noexcept override;
  int wait_fd() const noexcept override { return wait_; }
  std::string take_warning() override;
  std::string describe() const override;

 private:
  struct Source {
    std::shared_ptr<XdpQueue> queue;
    uint32_t lent = 0;                   // buffers in batches that are not released
    uint64_t dropped = 0, oversize = 0;  // of the kernel's counts, those in the ledger
  };

  XdpInput(Interface interface, const XdpSettings& settings, std::shared_ptr<Region> region)
      : interface_(std::move(interface)), settings_(settings), region_(std::move(region)) {}
  Status open_queues();
  Status start();
  uint32_t read(Source& source, Batch& batch, uint32_t max, Nanos now, LedgerCell& cell) noexcept;
  void look_around(Nanos now, LedgerCell& cell) noexcept;
  void look_at_interface() noexcept;
  void wake_driver() noexcept;
  void tell(uint32_t news) noexcept { news_.fetch_or(news, std::memory_order_relaxed); }

  const Interface interface_;
  const XdpSettings settings_;
  const std::shared_ptr<Region> region_;  // the engine's, or null
  std::shared_ptr<XdpProgram> program_;
  std::vector<Source> sources_;
  int control_ = -1;  // for questions about the interface; promiscuous mode goes with it
  int wait_ = -1;     // the only socket, or an epoll of all
  uint32_t first_ = 0;
  Nanos looked_at_ = 0;
  bool down_ = false, gone_ = false;
  std::atomic<uint32_t> news_ = 0;  // what take_warning has to say, set by the engine's thread
};

}  // namespace bricks
