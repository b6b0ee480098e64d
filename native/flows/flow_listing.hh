// From decoded packets to rows.
#pragma once

#include "flows/datagrams.hh"
#include "flows/flow_table.hh"
#include "flows/transport.hh"

namespace bricks::flows {

class FlowListing {
 public:
  // At most so many rows.
  explicit FlowListing(uint32_t rows);

  void add(const Batch& batch);  // decoded
  void finish();                 // the input is over

  FlowTable& table() noexcept { return table_; }
  uint64_t packets() const noexcept { return packets_; }
  uint64_t not_ip() const noexcept { return not_ip_; }  // packets in no row: without an IP header
  uint64_t unlisted() const noexcept { return unlisted_; }  // and those of flows beyond the limit

 private:
  enum class Part : uint8_t { whole, first_fragment, later_fragment };
  struct Noted {
    Sighting sighting;
    DatagramKey datagram;  // where part is not `whole`
    DatagramKey carrier;   // where `carries`: its first fragment, with the tunnel in it
    Part part;
    bool carries, carrier_is_outermost;
    bool last_of_packet;
  };

  void note(const Batch& batch, Index packet);
  void note_inner(const Batch& batch, Index packet, Level level, uint64_t tunnel);
  uint64_t note_outer(const Batch& batch, Index packet);
  Noted& begin(const Batch& batch, Index packet, Level level, const Transport& transport);
  uint32_t count(const Sighting& sighting, uint32_t* side);
  void count_in(uint32_t row, uint32_t side, const Sighting& sighting);
  bool count_later(const Noted& noted, Datagrams::Known* known);
  void learn(const DatagramKey& key, const Datagrams::Known& known, Nanos now);
  void count_packet(const Noted* noted, uint32_t levels);
  static void count_orphans(void* context, const Sighting& counted);

  FlowTable table_;
  Datagrams datagrams_;
  uint32_t noted_count_ = 0;
  Noted noted_[2 * kBatchMax];
  uint64_t packets_ = 0, not_ip_ = 0, unlisted_ = 0;
  Nanos now_ = 0;
};

}  // namespace bricks::flows
