// netmap: as input. Packets are handed out where they lie in the module's memory; the slots of a
// batch go back with the next one's system call. An output in the same memory takes buffers and
// leaves its own (wire/packet.hh); all others copy.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "ports/netmap_device.hh"
#include "ports/port.hh"

namespace bricks {

class NetmapInput final : public Input {
 public:
  // `note` goes into describe(): what of the interface is worth saying.
  explicit NetmapInput(std::unique_ptr<NetmapDevice> device, const std::string& note);
  ~NetmapInput() override;

  uint32_t receive(Batch& batch, uint32_t max, Nanos now, LedgerCell& cell) noexcept override;
  void release(Batch& batch) noexcept override;
  bool finished() const noexcept override { return gone_.load(std::memory_order_relaxed) != 0; }
  int wait_fd() const noexcept override { return device_->fd(); }
  std::string take_warning() override;
  std::string describe() const override;

  void warn(std::string text) { warning_ = std::move(text); }  // before it is used
  // What lives as long as this: the socket that holds promiscuous mode.
  void keep(std::shared_ptr<void> what) noexcept { kept_ = std::move(what); }

 private:
  struct Ring {
    NetmapRing is;
    uint32_t cursor = 0;  // the next slot to look at; those before it are a batch's, or given back
    uint32_t given = 0;   // slots before it are the kernel's
  };
  struct Taken {
    uint32_t ring, slot, buffer;
  };

  bool take(Ring& ring, Batch& batch, uint32_t max, Nanos now, LedgerCell& cell) noexcept;
  bool gather(Ring& ring, uint32_t tail, Packet& packet) noexcept;
  void fault() noexcept { faults_.fetch_add(1, std::memory_order_relaxed); }

  std::shared_ptr<void> kept_;
  const std::unique_ptr<NetmapDevice> device_;
  const std::string note_;
  std::vector<Ring> rings_;
  uint32_t next_ = 0;      // ring to begin with
  uint32_t released_ = 0;  // slots given back since the last system call
  bool padded_ = true, plain_ = true;
  Taken taken_[kBatchMax];           // where the packets of the batch lie
  std::atomic<int> gone_{0};         // errno after which there is nothing any more
  std::atomic<uint64_t> faults_{0};  // slots that cannot be
  uint64_t faults_told_ = 0;
  bool gone_told_ = false;
  std::string warning_;
  alignas(64) uint8_t frame_[kFrameMax + 65];  // a packet of several buffers, and a line beyond it
};

}  // namespace bricks
