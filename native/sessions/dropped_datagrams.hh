// Datagrams of which a fragment was dropped: the others are to go the same way, or the receiver
// would wait for what never comes. A small table; what finds no place takes that of another, whose
// fragments pass then. Engine's thread.
#pragma once

#include <array>

#include "wire/packet.hh"

namespace bricks {

class DroppedDatagrams {
 public:
  // Is the packet a fragment, first or later one? Most packets are not.
  static bool is_fragment(const Batch& batch, Index packet) noexcept {
    if (!(batch.packets[packet].flags & kPacketLayers)) return false;
    const Layers& layers = batch.layers[packet];
    return (layers.fragment_more || layers.fragment_at != 0) &&
           layers.key_network == batch.packets[packet].network;
  }
  // Of fragments.
  void add(const Batch& batch, Index fragment) noexcept;
  bool has(const Batch& batch, Index fragment) const noexcept;

 private:
  struct Datagram {
    uint64_t name;
    Nanos seen;
  };
  static constexpr uint32_t kPlaces = 4096;
  std::array<Datagram, kPlaces> all_{};
};

}  // namespace bricks
