#include "plugins/session_payload.hh"

#include <algorithm>

#include "sessions/packet_views.hh"
#include "wire/bytes.hh"

namespace bricks {

namespace {

constexpr uint8_t kTcp = 6, kUdp = 17;

uint16_t host_order(uint16_t port) noexcept { return __builtin_bswap16(port); }

bricks_gap_reason gap_reason(streams::GapReason reason) noexcept {
  switch (reason) {
    case streams::GapReason::ack_passed:
      return BRICKS_GAP_ACK_PASSED;
    case streams::GapReason::cap:
      return BRICKS_GAP_CAP;
    case streams::GapReason::flush:
      return BRICKS_GAP_FLUSH;
    case streams::GapReason::timeout:
      return BRICKS_GAP_TIMEOUT;
    case streams::GapReason::urgent:
      return BRICKS_GAP_URGENT;
    default:
      return BRICKS_GAP_MIDSTREAM;
  }
}

// False: there is no whole header.
bool read_segment(const bricks_packet_view& view, streams::TcpSegment* to) noexcept {
  TcpSegment header;
  if (view.fragment || !view_tcp(view, &header)) return false;
  const uint8_t* tcp = view.data + view.transport;
  to->seq = header.seq;
  to->ack = header.ack;
  to->flags = header.flags;
  to->window = header.window;
  to->urgent = load_be16(tcp + 18);
  to->payload = view.data + view.payload;
  to->length = view.payload_length;
  to->wire_length = std::max<uint32_t>(header.payload, view.payload_length);
  to->time = view.timestamp;
  return true;
}

}  // namespace

Status SessionPayload::create(const PayloadOptions& options, uint32_t entries,
                              std::unique_ptr<SessionPayload>* payload) {
  std::unique_ptr<SessionPayload> made(new SessionPayload);
  made->options_ = options;
  Status status = streams::TcpStreams::create(options.streams, &made->streams_);
  if (status.ok()) {
    status = Inspectors::create(std::min(options.inspectors, entries), options.inspector_buffers,
                                &made->inspectors_);
  }
  if (status.ok()) status = made->parts_.reserve("memory for sessions' payload", entries);
  if (status.ok()) *payload = std::move(made);
  return status;
}

void SessionPayload::begin(bricks_session& session) noexcept { parts_[entry_of(session)] = {}; }

// A session that somebody may want payload or records of.
void SessionPayload::open(bricks_session& session, Parts& parts) noexcept {
  parts.asked = true;
  if (session.protocol == kTcp) parts.stream = streams_->open();
  if (identifies(*plugins_) && (session.protocol == kTcp || session.protocol == kUdp)) {
    parts.inspector = inspectors_->open(session.protocol, host_order(session.flow->port[0]),
                                        host_order(session.flow->port[1]));
  }
}

void SessionPayload::packet(bricks_event& event, PluginManager& plugins, Nanos now) noexcept {
  bricks_session& session = *event.session;
  const bricks_packet_view& view = *event.packet;
  if (view.protocol != session.protocol) return;  // an ICMP error about it
  entry_ = event.entry_;
  Parts& parts = parts_[entry_];
  plugins_ = &plugins;
  // Who only asks what a session speaks is done with it once that is known.
  const bool read = plugins.events() & BRICKS_ON(BRICKS_EVENT_PROTOCOL);
  inspectors_->read_only(read ? plugins.protocols() : 0);
  session_ = &session;
  packet_ = &view;
  now_ = now;
  if (!parts.asked) open(session, parts);
  if (session.protocol == kTcp) {
    tcp(event);
  } else if (parts.inspector && !parts.inspected && view.payload_length && !view.fragment) {
    const Bytes datagram = {view.data + view.payload, view.payload_length};
    parts.inspected = !inspectors_->datagram(parts.inspector, event.direction, datagram, *this);
  }
}

void SessionPayload::tcp(bricks_event& event) noexcept {
  Parts& parts = parts_[entry_];
  streams::TcpSegment segment;
  if (!parts.stream || event.packet->stale || !read_segment(*event.packet, &segment)) return;
  if (options_.streams.hole_timeout) streams_->expire(parts.stream, segment.time, *this);
  streams_->segment(parts.stream, event.direction, segment, *this);
  // What a plugin has dropped after it saw the payload comes again, and is judged again.
  if (event.packet->dropped) streams_->undo(parts.stream, event.direction);
  // Nobody reads on.
  constexpr uint32_t kStream = kEvents & ~BRICKS_ON(BRICKS_EVENT_PROTOCOL);
  if ((parts.inspected || !parts.inspector) && !(plugins_->events() & kStream)) {
    streams_->close(parts.stream, *this);
    parts.stream = 0;
  }
}

void SessionPayload::finish(bricks_session& session, PluginManager& plugins, Nanos now) noexcept {
  entry_ = entry_of(session);
  Parts& parts = parts_[entry_];
  plugins_ = &plugins;
  session_ = &session;
  packet_ = nullptr;
  now_ = now;
  if (parts.stream) streams_->close(parts.stream, *this);
  if (parts.inspector) inspectors_->close(parts.inspector);
  parts = {};
}

void SessionPayload::give(bricks_event_type type, uint8_t direction, uint64_t offset,
                          const void* data, uint32_t length, uint16_t reason) noexcept {
  if (!(plugins_->events() & BRICKS_ON(type))) return;
  bricks_event event = {};
  event.session = session_;
  event.entry_ = entry_;
  event.packet = packet_;
  event.data = data;
  event.offset = offset;
  event.length = length;
  event.type = static_cast<uint8_t>(type);
  event.direction = direction;
  event.reason = reason;
  plugins_->dispatch({&event, 1}, now_);
}

void SessionPayload::payload(uint32_t direction, uint64_t offset, std::span<const uint8_t> bytes) {
  const auto side = static_cast<uint8_t>(direction);
  give(BRICKS_EVENT_PAYLOAD, side, offset, bytes.data(), static_cast<uint32_t>(bytes.size()), 0);
  Parts& parts = parts_[entry_];
  if (!parts.inspector || parts.inspected) return;
  parts.inspected = !inspectors_->stream(parts.inspector, side, offset, bytes, *this);
}

void SessionPayload::gap(uint32_t direction, uint64_t offset, uint64_t length,
                         streams::GapReason reason) {
  const auto side = static_cast<uint8_t>(direction);
  const auto bytes = static_cast<uint32_t>(std::min<uint64_t>(length, UINT32_MAX));
  give(BRICKS_EVENT_GAP, side, offset, nullptr, bytes, static_cast<uint16_t>(gap_reason(reason)));
  Parts& parts = parts_[entry_];
  if (!parts.inspector || parts.inspected) return;
  parts.inspected = !inspectors_->gap(parts.inspector, side, offset, length, *this);
}

void SessionPayload::conflict(uint32_t direction, const streams::Conflict& conflict) {
  const bricks_conflict versions = {conflict.had_bytes, conflict.came_bytes, conflict.had,
                                    conflict.came};
  give(BRICKS_EVENT_CONFLICT, static_cast<uint8_t>(direction), conflict.offset, &versions,
       conflict.length, conflict.delivered ? BRICKS_CONFLICT_DELIVERED : BRICKS_CONFLICT_WAITING);
}

void SessionPayload::end(uint32_t direction, uint64_t offset, streams::EndReason reason) {
  const auto side = static_cast<uint8_t>(direction);
  if (reason == streams::EndReason::depth) {
    give(BRICKS_EVENT_GAP, side, offset, nullptr, 0, BRICKS_GAP_DEPTH);
  } else if (reason == streams::EndReason::cap) {
    give(BRICKS_EVENT_GAP, side, offset, nullptr, 0, BRICKS_GAP_CAP);
  }
  Parts& parts = parts_[entry_];
  if (parts.inspector && !parts.inspected) inspectors_->finish(parts.inspector, side, *this);
}

void SessionPayload::identified(uint8_t protocol) noexcept {
  flow_of(*session_).flow.application = protocol;
  session_->owner_ |= kSessionApplication;
}

void SessionPayload::record(uint8_t protocol, uint8_t kind, const void* record,
                            uint8_t direction) noexcept {
  bricks_event event = {};
  event.session = session_;
  event.entry_ = entry_;
  event.packet = packet_;
  event.data = record;
  event.type = BRICKS_EVENT_PROTOCOL;
  event.direction = direction;
  event.protocol = protocol;
  event.kind = kind;
  plugins_->dispatch({&event, 1}, now_);
}

}  // namespace bricks
