// A /dev/netmap of our own, in this process: cards with several rings and host rings, in one memory
// or in two, that send, receive, and lie when told to. Behind NetmapWishes.system; one at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "abi/netmap.h"
#include "ports/netmap_device.hh"

namespace fake {

using Bytes = std::vector<uint8_t>;

struct Shape {
  uint32_t rings = 1, host = 1;  // each way
  uint32_t slots = 64;
  uint32_t buffer_bytes = 2048;
  uint32_t buffers = 4096;  // of the whole memory
};

// One ring as the kernel has it.
struct KernelRing {
  uint64_t offset = 0;
  uint32_t done = 0;          // tx: sent up to here; rx: filled up to here
  std::deque<Bytes> pending;  // rx: what the wire has for it
  std::vector<Bytes> sent;    // tx
  std::vector<uint32_t> buffers_sent;
  std::vector<uint16_t> flags_sent;
};

struct Card {
  uint16_t memory = 1;
  uint64_t offset = 0;             // of its netmap_if
  std::vector<KernelRing> tx, rx;  // hardware, then host
};

class Netmap {
 public:
  // Cards "a0", "a1" in memory 1, "b0" in memory 2.
  explicit Netmap(const Shape& shape);
  ~Netmap();
  Netmap(const Netmap&) = delete;
  Netmap& operator=(const Netmap&) = delete;

  Card& card(const std::string& name) { return cards_.at(name); }
  uint8_t* base(uint16_t memory) { return memories_.at(memory).base; }
  uint64_t bytes(uint16_t memory) const { return memories_.at(memory).bytes; }
  netmap_ring* ring(const Card& card, const KernelRing& ring) {
    return reinterpret_cast<netmap_ring*>(base(card.memory) + ring.offset);
  }
  // No buffer is in two slots, or in a slot and on the list of extra ones.
  bool buffers_are_whole();
  // Length of the list that a closed port left behind.
  uint32_t extra_left(const Card& card);

  bool old_module = false;  // does not know NIOCCTRL
  bool sends = true;        // false: what is to be sent stays in the ring
  int sync_error = 0;
  uint32_t syncs = 0, extra_most = UINT32_MAX;
  std::function<void(uint64_t& offset, uint64_t& bytes)> lie_at_registration;
  std::function<void(netmap_ring*)> lie_at_sync;

  static const bricks::NetmapSystem kSystem;

 private:
  struct Memory {
    int fd = -1;
    uint8_t* base = nullptr;
    uint64_t bytes = 0, next = 0, first_buffer = 0;
    uint32_t next_buffer = BRICKS_NETMAP_FIRST_BUFFER;
  };
  struct Opened {
    Card* card;
    uint32_t mode;
    uint16_t ring;
    uint64_t flags;
  };

  static int open_device(const char* path, int flags);
  static int control(int fd, unsigned long request, void* argument);
  int register_port(int fd, const std::string& name, uint32_t mode, uint16_t ring, uint64_t flags,
                    uint32_t* extra, uint64_t* offset, uint64_t* bytes, uint16_t* memory);
  void make_memory(uint16_t number);
  void make_card(const std::string& name, uint16_t memory);
  uint64_t make_ring(Memory& memory, bool tx);
  int sync(int fd, bool tx);
  void transmit(Card& card, KernelRing& ring);
  void receive(Card& card, KernelRing& ring);

  const Shape shape_;
  std::map<uint16_t, Memory> memories_;
  std::map<std::string, Card> cards_;
  std::map<int, Opened> opened_;
};

}  // namespace fake
