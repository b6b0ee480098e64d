// netmap: as output. A packet of an input in the same memory goes out in its own buffer, which the
// input gets another for; all others are copied. A flow keeps to one ring, so that its packets stay
// in order. With extra buffers a full ring has a queue behind it.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "ports/netmap_device.hh"
#include "ports/port.hh"

namespace bricks {

struct NetmapOutputSettings {
  uint32_t frame_max = kFrameMax;  // bytes of an untagged frame; longer ones are oversize
  bool tagged = false;             // a VLAN tag may come on top
  bool pipe = false;               // the other end reads: what is left at the end was not read
};

class NetmapOutput final : public Output {
 public:
  NetmapOutput(std::unique_ptr<NetmapDevice> device, const NetmapOutputSettings& settings,
               const std::string& note);
  ~NetmapOutput() override;

  uint32_t room(const Batch& batch, const Index* picks, uint32_t count) noexcept override;
  void transmit(Batch& batch, const Index* picks, uint32_t count, bool exclusive,
                LedgerCell& cell) noexcept override;
  void flush(Nanos now, LedgerCell& cell) noexcept override;
  void close(LedgerCell& cell) override;
  void look(Nanos now, LedgerCell& cell) noexcept override;
  int wait_fd() const noexcept override { return wait_; }
  bool awaits_room() const noexcept override { return queued_ > 0; }
  std::string take_warning() override;
  std::string describe() const override;

  void warn(std::string text) { warning_ = std::move(text); }  // before it is used

 private:
  struct Sent {  // what a slot has, as we know it
    uint16_t length = 0;
    bool last = false;  // a packet of ours ends here
  };
  struct Ring {
    NetmapRing is;
    std::vector<Sent> sent;
    uint32_t next = 0;  // the next slot to fill
    uint32_t tail = 0;  // slots from next up to it are free; as last believed
    bool fresh = false;

    uint32_t room() const noexcept { return is.distance(next, tail); }
    uint32_t in_flight() const noexcept { return is.slots - 1 - room(); }
  };
  struct Waiting {  // in an extra buffer
    uint32_t buffer, ring;
    uint16_t length;
  };

  uint32_t ring_for(const Batch& batch, const Packet& packet) const noexcept;
  uint32_t slots_for(const Ring& ring, uint32_t length) const noexcept;
  bool fits(const Ring& ring, const Packet& packet) const noexcept;
  bool put(Ring& ring, Batch& batch, Packet& packet, bool exchange) noexcept;
  bool put_parts(Ring& ring, const Packet& packet, uint32_t parts) noexcept;
  bool queue(uint32_t ring, Packet& packet, bool exchange) noexcept;
  void unqueue() noexcept;
  uint32_t slot_buffer(Ring& ring) noexcept;
  void fill(Ring& ring, uint32_t buffer, uint32_t length, uint32_t flags) noexcept;
  uint32_t fitting(const Batch& batch, const Index* picks, uint32_t count) const noexcept;
  void send() noexcept;
  void settle(Ring& ring) noexcept;
  void tell(LedgerCell& cell) noexcept;
  bool idle() const noexcept;

  const std::unique_ptr<NetmapDevice> device_;
  const NetmapOutputSettings settings_;
  const std::string note_;
  std::vector<Ring> rings_;
  int wait_ = -1;  // epoll: readable when a ring has room; -1: this machine cannot say
  uint64_t held_ = 0;
  uint64_t sent_packets_ = 0, sent_bytes_ = 0;  // since the ledger was told
  std::vector<Waiting> waiting_;                // a ring as long as there are extra buffers
  uint32_t first_waiting_ = 0, queued_ = 0;
  std::atomic<int> gone_{0};         // errno after which nothing is sent any more
  std::atomic<uint64_t> faults_{0};  // words of the rings that cannot be
  bool gone_told_ = false, faults_told_ = false;
  std::string warning_;
};

}  // namespace bricks
