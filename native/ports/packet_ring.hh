// The kernel's receive ring of an AF_PACKET socket (TPACKET_V3), mapped: blocks that the kernel
// fills and hands over whole. Setting it up; reading it is packet_input.cc.
#pragma once

#include <cstdint>

#include "mem/limits.hh"
#include "mem/status.hh"
#include "ports/packet_interface.hh"

namespace bricks {

struct PacketSettings {
  bool promiscuous = true;
  uint32_t ring_mib = 16;
  uint32_t block_kib = 128;  // a power of two; at least 128, so that any frame fits into a block
  uint32_t timeout_ms = 2;   // a block that is not full is handed over after this long
  uint32_t snaplen = kFrameMax;
  int32_t queue = -1;  // that hardware queue only; -1: all
};

// Owns socket and mapping. Closing gives back promiscuous mode too: the kernel counts it per
// socket, so that a crash gives it back as well.
class PacketRing {
 public:
  PacketRing() = default;
  ~PacketRing();
  PacketRing(const PacketRing&) = delete;
  PacketRing& operator=(const PacketRing&) = delete;

  // From here on the interface's packets arrive. invalid_argument, permission_denied, failed.
  Status open(const Interface& interface, const PacketSettings& settings);

  int fd() const noexcept { return fd_; }
  uint32_t blocks() const noexcept { return blocks_; }
  uint8_t* block(uint32_t i) const noexcept { return base_ + (size_t{i} << block_shift_); }
  // Of a packet's data, the block it lies in.
  uint32_t block_of(const uint8_t* data) const noexcept {
    return static_cast<uint32_t>(static_cast<size_t>(data - base_) >> block_shift_);
  }

 private:
  Status map(const Interface& interface, const PacketSettings& settings);
  Status filter(const Interface& interface, const PacketSettings& settings);

  int fd_ = -1;
  uint8_t* base_ = nullptr;
  size_t mapped_ = 0;  // ring and one readable page behind it
  uint32_t blocks_ = 0;
  uint32_t block_shift_ = 0;
};

}  // namespace bricks
