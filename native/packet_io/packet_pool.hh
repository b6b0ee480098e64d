// The packets of a packet_io: copies in memory of their own, so that each can be kept for as long
// as its owner likes.
#pragma once

#include <vector>

#include "abi/bricks_packet_io.h"
#include "wire/held_packets.hh"

namespace bricks::packet_io_library {

class PacketPool {
 public:
  static Status create(uint32_t packets, std::unique_ptr<PacketPool>* pool);

  // A copy of a batch's packet; null: there is no room.
  struct packet* take(const Batch& batch, Index index) noexcept;
  struct packet* make(uint32_t length) noexcept;  // null: no room
  // The first of them that is not the pool's and with the caller, or is there twice; -1: none. Any
  // pointer may be asked about.
  int first_wrong(struct packet** packets, int n) noexcept;
  void give_back(struct packet* packet) noexcept;
  uint32_t free() const noexcept { return most_ - held_->count(); }

 private:
  bool owns(const struct packet* packet) const noexcept;
  explicit PacketPool(uint32_t most) : most_(most), one_(std::make_unique<Batch>()) {}

  const uint32_t most_;
  std::unique_ptr<HeldPackets> held_;
  std::vector<struct packet> packets_;  // by place
  std::vector<bool> out_;               // with the caller
  std::unique_ptr<Batch> one_;          // for packets made here
  std::vector<uint8_t> zeros_;
};

}  // namespace bricks::packet_io_library
