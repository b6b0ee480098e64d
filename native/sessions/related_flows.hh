// Flows that others announce: FTP's data connections, the media of SIP and RTSP, TFTP's transfers.
// A small table of endpoints that are expected, each with the flow that announced it. Bounded: what
// finds no place takes that of the one that would have ended first. Engine's thread.
#pragma once

#include <vector>

#include "sessions/announcements.hh"

namespace bricks {

class RelatedFlows {
 public:
  RelatedFlows();

  // Is it of a kind whose payload announces others?
  static bool announces(const FlowKey& key) noexcept;
  // Looks into a packet of such a flow; `parent` stands for it (its digest).
  void read(const Batch& batch, Index packet, const FlowKey& key, uint64_t parent) noexcept;
  bool empty() const noexcept { return latest_ == 0; }
  // Who announced a new flow; 0: nobody.
  uint64_t parent_of(const FlowKey& key, Nanos now) noexcept;

 private:
  struct Expected {
    uint8_t address[16];
    uint8_t peer[16];
    uint16_t port;
    uint8_t protocol;
    uint8_t ip_version;  // 0: nothing
    bool any_peer;       // else only flows with `peer`
    Nanos until;
    uint64_t parent;
  };
  static constexpr uint32_t kSets = 128, kWays = 4;
  Expected* set_of(const uint8_t* address, uint16_t port, uint8_t protocol) noexcept;
  void expect(const Expected& expected) noexcept;

  std::vector<Expected> all_;
  Nanos latest_ = 0;  // when the last of them ends
};

}  // namespace bricks
