// From decoded packets to the bytes of TCP streams. A connection that uses the same ports again is
// another stream.
#pragma once

#include <memory>
#include <unordered_map>

#include "flows/sha256.hh"
#include "flows/transport.hh"
#include "flows/whole_datagrams.hh"
#include "streams/tcp_streams.hh"

namespace bricks::flows {

// One direction of a stream.
struct StreamSide {
  Sha256 sha256;
  uint64_t bytes = 0, gaps = 0, missing = 0;
  bool is_stopped = false;  // not all of it was put together
  uint32_t first_seq = 0;   // of the SYN, or one less than the first byte's
  bool has_seq = false;
};

struct Stream {
  FlowKey key;
  uint8_t a = 0;  // which end of the key sent the first packet
  uint32_t connection = 0;
  StreamSide side[2];  // a to b, b to a
};

class StreamListing final : private streams::Sink {
 public:
  static Status create(uint32_t streams, streams::OverlapPolicy policy,
                       std::unique_ptr<StreamListing>* listing);

  void add(const Batch& batch);  // decoded
  void finish();                 // the input is over

  const std::vector<Stream>& streams() const noexcept { return streams_; }
  uint64_t unlisted() const noexcept { return unlisted_; }  // segments of streams over the limit

 private:
  struct KeyHash {
    size_t operator()(const FlowKey& key) const noexcept;
  };
  explicit StreamListing(uint32_t limit) : limit_(limit) {}
  void add_packet(const Batch& batch, Index packet);
  void add_fragment(const Batch& batch, Index packet, const Body& body);
  void add_tcp(const FlowKey& key, uint8_t from, const uint8_t* tcp, uint32_t captured,
               uint32_t bytes, Nanos time);
  Stream* stream_of(const FlowKey& key, uint8_t from, const streams::TcpSegment& segment);
  Stream* begin(const FlowKey& key, uint8_t from);

  void payload(uint32_t direction, uint64_t offset, std::span<const uint8_t> bytes) override;
  void gap(uint32_t direction, uint64_t offset, uint64_t length,
           streams::GapReason reason) override;
  void end(uint32_t direction, uint64_t offset, streams::EndReason reason) override;

  uint32_t limit_;
  std::unique_ptr<streams::TcpStreams> pool_;
  std::unordered_map<FlowKey, uint32_t, KeyHash> latest_;  // place in streams_
  std::vector<Stream> streams_;
  Stream* current_ = nullptr;  // whose events come
  WholeDatagrams datagrams_;
  uint64_t unlisted_ = 0;
};

}  // namespace bricks::flows
