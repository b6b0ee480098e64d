// Fragments of a datagram count with its flow, whose ports only the first one has. Those that come
// before it are kept as counts until it comes; nothing of a packet is kept.
#pragma once

#include <cstring>
#include <deque>
#include <unordered_map>

#include "flows/flow.hh"

namespace bricks::flows {

inline constexpr uint32_t kDatagramsMax = 65536;        // known at a time; the oldest gives way
inline constexpr Nanos kDatagramTime = 30'000'000'000;  // its id may then mean another one

struct DatagramKey {
  uint8_t source[16] = {}, target[16] = {};
  uint64_t tunnel = 0;  // digest of the outer flow; 0: none
  uint32_t id = 0;
  uint8_t protocol = 0, ip_version = 0;
  uint8_t zero[2] = {};
  bool operator==(const DatagramKey& other) const noexcept {
    return std::memcmp(this, &other, sizeof *this) == 0;
  }
};

// One packet as it counts in one row.
struct Sighting {
  FlowKey key;
  uint64_t digest;
  Level level;
  uint8_t from;  // which end of the key sent it
  uint8_t tcp_flags;
  bool has_icmp;
  uint8_t icmp_type, icmp_code;
  Side count;
  Nanos first, last;
};

struct DatagramHash {
  size_t operator()(const DatagramKey& key) const noexcept;
};

class Datagrams {
 public:
  // Where the datagram's fragments count: with its flow and, where it carries a tunnel, with the
  // inner one, too, both of which only its first fragment shows.
  struct Known {
    uint32_t count = 0;
    uint32_t row[2] = {}, side[2] = {};
    void add(uint32_t to, uint32_t from) noexcept {
      row[count] = to;
      side[count++] = from;
    }
  };
  // Fragments to be counted without knowing their ports.
  using Orphans = void (*)(void* context, const Sighting& counted);
  Datagrams(Orphans orphans, void* context) : orphans_(orphans), context_(context) {}

  // The first fragment was counted there. True: *before holds those that came earlier.
  bool learn(const DatagramKey& key, const Known& known, Nanos now, Sighting* before);
  // A later fragment: true and *known, or it is kept.
  bool resolve(const DatagramKey& key, const Sighting& fragment, Known* known);
  // The input is over.
  void settle_all();

 private:
  struct Datagram {
    bool is_known = false, is_pending = false;
    Known known{};
    Sighting pending;
    Nanos seen = 0;
  };
  Datagram& find(const DatagramKey& key, Nanos now);
  void settle(Datagram& datagram);

  Orphans orphans_;
  void* context_;
  std::unordered_map<DatagramKey, Datagram, DatagramHash> datagrams_;
  std::deque<DatagramKey> order_;  // of arrival
};

}  // namespace bricks::flows
