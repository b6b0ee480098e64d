// packet: as input. Batches point into the kernel's ring; nothing is copied. A block goes back to
// the kernel when every batch that holds packets of it has been released, in any order.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "ports/packet_ring.hh"
#include "ports/port.hh"

namespace bricks {

class PacketInput final : public Input {
 public:
  // Control thread. no_such_interface, permission_denied, invalid_argument, unsupported, failed.
  static Status open(const std::string& interface, const PacketSettings& settings,
                     std::unique_ptr<Input>* input);

  uint32_t receive(Batch& batch, uint32_t max, Nanos now, LedgerCell& cell) noexcept override;
  void release(Batch& batch) noexcept override;
  void settle(LedgerCell& cell) noexcept override { read_statistics(cell); }
  int wait_fd() const noexcept override { return ring_.fd(); }
  std::string take_warning() override;
  std::string describe() const override;

  // What lives as long as this: the interface itself, where it was made for it.
  void keep(std::shared_ptr<void> what) noexcept { kept_ = std::move(what); }

 private:
  struct Block {
    uint32_t batches = 0;  // that hold packets of it
    bool walked = false;   // all its packets were handed out
  };

  PacketInput(Interface interface, const PacketSettings& settings)
      : interface_(std::move(interface)), settings_(settings) {}

  bool open_block() noexcept;
  uint32_t read_block(Batch& batch, uint32_t count, uint32_t max) noexcept;
  void give_back(uint32_t block) noexcept;
  void read_statistics(LedgerCell& cell) noexcept;
  void look_for_error() noexcept;

  std::shared_ptr<void> kept_;  // before all that may use it
  const Interface interface_;
  const PacketSettings settings_;
  PacketRing ring_;
  std::vector<Block> blocks_;
  uint32_t current_ = 0;     // the block being walked, or to be walked next
  uint32_t left_ = 0;        // its packets not yet handed out
  uint8_t* next_ = nullptr;  // header of the next of them
  uint64_t bytes_ = 0;       // of the batch being filled
  Nanos statistics_at_ = 0;
  Nanos error_at_ = 0;
  std::atomic<uint32_t> news_ = 0;  // what take_warning has to say, set by the engine's thread
};

}  // namespace bricks
