// One AF_XDP socket on one hardware queue, with its memory (UMEM) and its four rings. The kernel
// has room for one socket a queue, so an input and an output of this process on the same queue
// share it: the input has the receive and fill rings, the output transmit and completion.
//
// The memory is a region: the engine's shared one, so that frames can be exchanged with pipes, or
// one of the queue's own. Chunks are unaligned and begin a headroom before their buffer, so that
// frames begin where the buffers of pipes do; nobody writes into that headroom.
#pragma once

#include <linux/if_xdp.h>
#include <xdp/xsk.h>

#include <memory>
#include <string>
#include <vector>

#include "mem/region.hh"
#include "mem/status.hh"
#include "ports/xdp_program.hh"

namespace bricks {

enum class XdpMode { any, zero_copy, copy };

struct XdpSettings {
  XdpMode mode = XdpMode::any;
  XdpAttach attach = XdpAttach::any;
  int32_t queue = -1;    // input: that one, -1: all; output: that one, -1: the first
  uint32_t ring = 4096;  // packets of the receive and of the transmit ring; a power of two
  bool promiscuous = true;
  uint32_t busy_poll = 0;  // packets the kernel may handle each time we ask; 0: interrupts do it
};

inline constexpr uint32_t kXdpFrameMax = kBufferPayload;

class XdpQueue {
 public:
  static constexpr uint16_t kLeft = 0xffff;  // in `sending`: sent by an output that is gone

  // Control thread. The one of this process on that queue, made where there is none. `region`: the
  // engine's, or null. `generic`: its program is not in the driver, which rules out zero-copy.
  // busy: another process has the queue; invalid_argument: no such queue, or it is there with other
  // settings; permission_denied, unsupported, failed.
  static Status get(const Interface& interface, uint32_t number, const XdpSettings& settings,
                    bool generic, const std::shared_ptr<Region>& region,
                    std::shared_ptr<XdpQueue>* queue);
  ~XdpQueue();
  XdpQueue(const XdpQueue&) = delete;
  XdpQueue& operator=(const XdpQueue&) = delete;

  // Control thread. One input and one output at a time: busy. What the last one left in the rings
  // is cleared up.
  Status claim_receive(const Interface& interface);
  Status claim_transmit(const Interface& interface);
  void leave_receive() noexcept;
  void leave_transmit() noexcept;

  uint32_t number() const noexcept { return number_; }
  int fd() const noexcept { return fd_; }
  bool zero_copy() const noexcept { return zero_copy_; }
  bool own_memory() const noexcept { return own_memory_; }
  uint32_t ring_size() const noexcept { return ring_; }
  const std::shared_ptr<Region>& region() const noexcept { return region_; }
  xdp_statistics statistics() const noexcept;  // the kernel's counts since the queue was made

  // The kernel's address of a buffer's frame: the headroom is before it.
  static uint64_t chunk_of(uint32_t buffer) noexcept {
    return uint64_t{buffer} * kBufferStride - kHeadroom;
  }

  static uint32_t buffer_of(uint64_t address) noexcept {
    return static_cast<uint32_t>(address / kBufferStride);
  }

  // The input's engine thread: `received` gives frames, `fill` takes buffers for more. There is
  // always room in it: it has twice as many entries as there are buffers.
  xsk_ring_cons received{};
  xsk_ring_prod fill{};
  std::vector<uint8_t> filling;  // of every buffer: whether the kernel has it to receive into
  // The output's: `transmit` takes frames, `completed` gives their buffers back, into `free`.
  xsk_ring_prod transmit{};
  xsk_ring_cons completed{};
  std::vector<uint32_t> free;
  // Nobody counts what is still being sent any more: only its buffers come back.
  void forget_sent() noexcept;
  std::vector<uint16_t> sending;  // of every buffer: length of the frame the kernel has, or 0

 private:
  static constexpr uint32_t kHeadroom = 256;  // the kernel's, for programs that push headers
  static constexpr uint32_t kChunk = kHeadroom + kXdpFrameMax;

  XdpQueue() = default;
  Status open(const Interface& interface, const XdpSettings& settings, bool generic,
              const std::shared_ptr<Region>& region);
  Status take_memory(const Interface& interface, const std::shared_ptr<Region>& region);
  int bind(const Interface& interface, const XdpSettings& settings, bool generic);
  Status check_same(const Interface& interface, const XdpSettings& settings) const;
  Status refusal(const Interface& interface, const XdpSettings& settings, int error) const;
  void fill_with(const std::vector<uint32_t>& buffers) noexcept;

  uint32_t number_ = 0, ring_ = 0;
  bool own_memory_ = false, zero_copy_ = false;
  bool receiving_ = false, transmitting_ = false;
  std::shared_ptr<Region> region_;
  xsk_umem* umem_ = nullptr;
  xsk_socket* socket_ = nullptr;
  int fd_ = -1;
};

}  // namespace bricks
