// IP datagrams put together from their fragments, so that TCP in fragments is seen. What overlaps:
// the first one stays. A listing's: it allocates.
#pragma once

#include <deque>
#include <unordered_map>
#include <vector>

#include "flows/datagrams.hh"

namespace bricks::flows {

inline constexpr uint64_t kPartialBytesMax = 64u << 20;  // of datagrams that are not whole yet

class WholeDatagrams {
 public:
  struct Datagram {
    std::vector<uint8_t> bytes;  // above the IP header
    FlowKey key;                 // of the first fragment
    uint8_t from = 0;
  };
  // A fragment's bytes at offset `at`; `more`: others follow. Returns the datagram when it is whole
  // now; it is good until the next call.
  const Datagram* add(const DatagramKey& key, Nanos now, uint32_t at, bool more,
                      const uint8_t* bytes, uint32_t length, const FlowKey* first, uint8_t from);

 private:
  struct Partial : Datagram {
    std::vector<bool> has;
    uint32_t missing = 0, end = 0;  // 0: the last fragment was not seen
    bool knows_flow = false;
    Nanos seen = 0;
  };
  void make_room();

  std::unordered_map<DatagramKey, Partial, DatagramHash> partial_;
  std::deque<DatagramKey> order_;
  uint64_t bytes_ = 0;
  Datagram whole_;
};

}  // namespace bricks::flows
