#include "flows/stream_listing.hh"

#include <algorithm>

#include "flows/key_digest.hh"
#include "wire/bytes.hh"

namespace bricks::flows {
namespace {

constexpr uint8_t kTcp = 6;

}  // namespace

using streams::TcpSegment;

size_t StreamListing::KeyHash::operator()(const FlowKey& key) const noexcept {
  return digest_bytes(&key, sizeof key);
}

Status StreamListing::create(uint32_t streams, streams::OverlapPolicy policy,
                             std::unique_ptr<StreamListing>* listing) {
  std::unique_ptr<StreamListing> made(new StreamListing(streams));
  streams::StreamOptions options;
  options.connections = streams;
  options.bytes = 1u << 30;  // sparse: what waits at a time
  options.session_bytes = 256u << 20;
  options.direction_bytes = 128u << 20;
  options.segments = kStreamSegmentsMax;
  options.evidence = 0;
  options.policy = policy;
  const Status status = streams::TcpStreams::create(options, &made->pool_);
  if (status.ok()) *listing = std::move(made);
  return status;
}

void StreamListing::add(const Batch& batch) {
  for (uint32_t i = 0; i < batch.count; ++i) add_packet(batch, static_cast<Index>(i));
}

void StreamListing::finish() {
  for (Stream& stream : streams_) {
    current_ = &stream;
    if (stream.connection) pool_->close(stream.connection, *this);
    stream.connection = 0;
    pool_->recycle();
  }
}

void StreamListing::add_packet(const Batch& batch, Index i) {
  const Packet& packet = batch.packets[i];
  Body body;
  if (packet.ip_version == 0 || !find_body(packet.data, packet.length, wire_length(batch, i),
                                           packet.network, packet.ip_version, &body)) {
    return;
  }
  if (packet.flags & kPacketLayers) {
    const Layers& layers = batch.layers[i];
    if (layers.key_network != packet.network)
      return;  // an ICMP error: what it quotes is no segment
    if (packet.flags & kPacketFragment || layers.fragment_more) {
      return add_fragment(batch, i, body);
    }
  }
  if (body.protocol != kTcp || !body.first || body.at >= packet.length) return;
  const uint32_t captured = std::min(packet.length - body.at, body.bytes);
  add_tcp(flow_key(batch, i, {}), packet.flags & kPacketReverse ? 1 : 0, packet.data + body.at,
          captured, body.bytes, packet.timestamp);
}

void StreamListing::add_fragment(const Batch& batch, Index i, const Body& body) {
  const Packet& packet = batch.packets[i];
  const Layers& layers = batch.layers[i];
  // One that was not captured whole cannot be put together.
  if (body.at >= packet.length || packet.length - body.at < body.bytes) return;
  if (packet.ip_version == 4 && packet.data[packet.network + 9] != kTcp) return;
  DatagramKey key;
  const uint8_t* ip = packet.data + packet.network;
  const size_t size = packet.ip_version == 4 ? 4 : 16;
  std::memcpy(key.source, ip + (size == 4 ? 12 : 8), size);
  std::memcpy(key.target, ip + (size == 4 ? 16 : 24), size);
  key.id = layers.fragment_id;
  key.protocol = packet.ip_version == 4 ? kTcp : 0;
  key.ip_version = packet.ip_version;
  const bool is_first = !(packet.flags & kPacketFragment);
  if (is_first && body.protocol != kTcp) return;
  FlowKey flow;
  if (is_first) flow = flow_key(batch, i, {});
  const WholeDatagrams::Datagram* whole = datagrams_.add(
      key, packet.timestamp, layers.fragment_at, layers.fragment_more, packet.data + body.at,
      body.bytes, is_first ? &flow : nullptr, packet.flags & kPacketReverse ? 1 : 0);
  if (!whole) return;
  const auto bytes = static_cast<uint32_t>(whole->bytes.size());
  add_tcp(whole->key, whole->from, whole->bytes.data(), bytes, bytes, packet.timestamp);
}

// `bytes` on the wire, of which `captured` are at `tcp`.
void StreamListing::add_tcp(const FlowKey& key, uint8_t from, const uint8_t* tcp, uint32_t captured,
                            uint32_t bytes, Nanos time) {
  if (captured < 20) return;
  const uint32_t header = (tcp[12] >> 4) * 4u;
  if (header < 20 || header > bytes) return;
  TcpSegment segment;
  segment.seq = load_be32(tcp + 4);
  segment.ack = load_be32(tcp + 8);
  segment.flags = tcp[13];
  segment.window = load_be16(tcp + 14);
  segment.urgent = load_be16(tcp + 18);
  segment.wire_length = bytes - header;
  if (captured > header) {
    segment.payload = tcp + header;
    segment.length = captured - header;
  }
  segment.time = time;
  Stream* stream = stream_of(key, from, segment);
  if (!stream) {
    ++unlisted_;
    return;
  }
  current_ = stream;
  pool_->segment(stream->connection, from ^ stream->a, segment, *this);
  pool_->recycle();
}

Stream* StreamListing::begin(const FlowKey& key, uint8_t from) {
  if (streams_.size() == limit_) return nullptr;
  Stream stream;
  stream.key = key;
  stream.a = from;
  stream.connection = pool_->open();
  if (!stream.connection) return nullptr;
  latest_[key] = static_cast<uint32_t>(streams_.size());
  streams_.push_back(stream);
  return &streams_.back();
}

Stream* StreamListing::stream_of(const FlowKey& key, uint8_t from, const TcpSegment& segment) {
  const auto found = latest_.find(key);
  Stream* stream = found == latest_.end() ? nullptr : &streams_[found->second];
  const bool is_syn = (segment.flags & (streams::kSyn | streams::kAck)) == streams::kSyn;
  const uint32_t first_seq = segment.flags & streams::kSyn ? segment.seq : segment.seq - 1;
  if (stream && is_syn) {
    const StreamSide& side = stream->side[from ^ stream->a];
    if (side.has_seq && side.first_seq != first_seq) {
      current_ = stream;
      pool_->close(stream->connection, *this);
      pool_->recycle();
      stream->connection = 0;
      stream = nullptr;
    }
  }
  if (!stream) stream = begin(key, from);
  if (!stream) return nullptr;
  StreamSide& side = stream->side[from ^ stream->a];
  if (!side.has_seq && !(segment.flags & streams::kRst)) {
    side.has_seq = true;
    side.first_seq = first_seq;
  }
  return stream->connection ? stream : nullptr;
}

void StreamListing::payload(uint32_t direction, uint64_t, std::span<const uint8_t> bytes) {
  StreamSide& side = current_->side[direction];
  side.sha256.add(bytes);
  side.bytes += bytes.size();
}

void StreamListing::gap(uint32_t direction, uint64_t, uint64_t length, streams::GapReason reason) {
  if (reason == streams::GapReason::midstream) return;
  ++current_->side[direction].gaps;
  current_->side[direction].missing += length;
}

void StreamListing::end(uint32_t direction, uint64_t, streams::EndReason reason) {
  if (reason != streams::EndReason::fin) current_->side[direction].is_stopped = true;
}

}  // namespace bricks::flows
