// From packets to states and events.
#include <algorithm>

#include "sessions/packet_views.hh"
#include "sessions/session_manager.hh"

namespace bricks {

namespace {

constexpr uint8_t kTcp = kTcpProtocol;

}  // namespace

SessionClass SessionManager::class_of(uint32_t entry) const noexcept {
  const bricks_session& session = sessions_[entry];
  if (session.state == BRICKS_SESSION_CLOSED) return SessionClass::lingering;
  const SessionClass opening = kOpeningClass[session.protocol];
  if (session.protocol == kTcp && tcp_closing(tcp_[entry])) return SessionClass::tcp_closing;
  if (session.state != BRICKS_SESSION_ACTIVE) return opening;
  return static_cast<SessionClass>(static_cast<uint8_t>(opening) + 1);
}

void SessionManager::start(uint32_t i) noexcept {
  const uint32_t entry = entries_[i];
  const Session& known = table_.record_at(entry);
  const uint32_t opener = (word_pin(*table_.word_of(entry)) & kPinSecond) != 0;
  bricks_session& session = sessions_[entry];
  SessionTrack& track = tracks_[entry];
  const uint32_t queued = track.queued;  // where it follows another of the same flow
  track = {};
  track.queued = queued;
  track.known.entry = entry;
  bricks_flow& flow = track.known.flow;
  flow.id = ++next_id_;
  flow.first_seen = times_[i];
  for (uint32_t side = 0; side < 2; ++side) {
    std::copy_n(known.key.address[side ^ opener], 16, flow.address[side]);
    flow.port[side] = known.key.port[side ^ opener];
  }
  flow.vlan = known.key.vlan;
  flow.vni = known.key.vni;
  session = {};
  session.last_seen = times_[i];
  session.state = BRICKS_SESSION_OPENING;
  session.protocol = known.key.protocol;
  session.ip_version = known.key.ip_version;
  session.flow = &flow;
  if (session.protocol == kTcp) tcp_[entry] = {};
  join(SessionList::opening, entry);
  ++counts_.created;
  ++counts_.live;
}

inline void SessionManager::add(Events& events, uint32_t i, bricks_event_type type) noexcept {
  bricks_event& event = events.all[events.count++];
  bricks_packet_view& view = views_[i];
  event.session = &sessions_[entries_[i]];
  event.packet = &view;
  event.context = nullptr;
  event.data = nullptr;
  event.offset = 0;
  event.length = 0;
  event.type = static_cast<uint8_t>(type);
  event.direction = view.direction;
  event.reason = 0;
  event.protocol = event.kind = 0;
  event.entry_ = entries_[i];
}

inline void SessionManager::add_packet(uint32_t i) noexcept {
  const bricks_packet_view& view = views_[i];
  bricks_event& event = packets_.all[packets_.count];
  add(packets_, i, BRICKS_EVENT_PACKET);
  event.length = view.payload_length;
  event.data = view.payload_length ? view.data + view.payload : nullptr;
}

void SessionManager::activate(uint32_t i) noexcept {
  const uint32_t entry = entries_[i];
  sessions_[entry].state = BRICKS_SESSION_ACTIVE;
  leave(entry);
  ++counts_.activated;
  table_.rearm(entry);
  add(active_, i, BRICKS_EVENT_ACTIVE);
}

// The old session's CLOSING comes first; then this packet has another look.
void SessionManager::end_before(uint32_t i, bricks_close_reason reason) noexcept {
  bricks_session& session = sessions_[entries_[i]];
  session.close_reason = static_cast<uint8_t>(reason);
  again_[before_.count] = static_cast<Index>(i);
  add(before_, i, BRICKS_EVENT_CLOSING);
  bricks_event& event = before_.all[before_.count - 1];
  event.reason = static_cast<uint16_t>(reason);
  event.packet = nullptr;  // it is not the old one's
  event.direction = 0;
}

// True: the packet is dealt with.
bool SessionManager::step_tcp(uint32_t i) noexcept {
  const uint32_t entry = entries_[i];
  const bricks_packet_view& view = views_[i];
  bricks_session& session = sessions_[entry];
  TcpSegment segment;
  if (view.fragment || !view_tcp(view, &segment)) return false;
  TcpTrack& track = tcp_[entry];
  const bool closing = tcp_closing(track);
  const uint32_t verdict = tcp_step(track, view.direction, segment);
  if (__builtin_expect(verdict == 0 && closing == tcp_closing(track), 1)) return false;
  if (verdict & kTcpReuse) {
    end_before(i, BRICKS_CLOSE_REUSED_TUPLE);
    return true;
  }
  counts_.tcp_refused += (verdict & (kTcpBadReset | kTcpBadSyn)) != 0;
  constexpr uint32_t kOdd = kTcpBadFlags | kTcpOutOfWindow | kTcpBadAck | kTcpOldStamp;
  counts_.tcp_odd += (verdict & kOdd) != 0;
  if (verdict & kTcpOldStamp) views_[i].stale = 1;
  if (verdict & kTcpEstablished && session.state == BRICKS_SESSION_OPENING) activate(i);
  if (verdict & kTcpFinished) close(session, BRICKS_CLOSE_FIN, &view);
  if (verdict & kTcpReset) close(session, BRICKS_CLOSE_RST, &view);
  if (closing != tcp_closing(track)) table_.rearm(entry);
  return false;
}

// A packet of a session that is over: the last of its kind, or the first of the next session.
void SessionManager::step_ended(uint32_t i) noexcept {
  const uint32_t entry = entries_[i];
  bricks_session& session = sessions_[entry];
  SessionTrack& track = tracks_[entry];
  const bricks_packet_view& view = views_[i];
  const bool error = is_icmp_error(*batch_, in_[i]);
  const Nanos silent = times_[i] > session.last_seen ? times_[i] - session.last_seen : 0;
  if (reopening_) track.forgotten = true;
  if (silent > idle_[static_cast<uint32_t>(SessionClass::lingering)]) track.forgotten = true;
  bool begins = !error && track.forgotten;
  bool second = batch_->packets[in_[i]].flags & kPacketReverse;
  TcpSegment segment;
  if (!error && session.protocol == kTcp && view_tcp(view, &segment)) {
    const bool opens = (segment.flags & (kTcpSyn | kTcpAck | kTcpRst | kTcpFin)) == kTcpSyn;
    // A client that was refused tries again, often with the same number.
    const TcpTrack& tcp = tcp_[entry];
    const TcpEnd& other = tcp.end[1 - view.direction];
    const bool refused = other.state == TcpEndState::reset && !(other.marks & kEndSyn);
    const bool old = segment.seq == tcp.isn[view.direction] &&
                     tcp.end[view.direction].marks & kEndSyn && !refused;
    begins = begins ? tcp_may_open(segment, rules_.midstream) : opens && !old;
    second ^= begins && tcp_answers(segment);
  } else if (session.protocol == kTcp) {
    begins &= rules_.midstream;
  }
  if (!begins && track.forgotten) {
    ++counts_.without;
    places_[i] = PacketPlace::none;
    return;
  }
  if (!begins) {
    ++counts_.late;
    places_[i] = track.blocked ? PacketPlace::blocked : PacketPlace::late;
    // Silence is what a lingering one waits for.
    if (!error) session.last_seen = times_[i];
    return;
  }
  leave(entry);
  uint64_t* word = table_.word_of(entry);
  const auto pin =
      static_cast<uint16_t>((word_pin(*word) & kPinTcp) | (second ? kPinSecond : kPinFirst));
  if (pin != word_pin(*word)) {
    table_.repin(word, pin);
    turned_ = true;
  }
  session.state = 0;
  step(i);
  table_.rearm(entry);
}

void SessionManager::step(uint32_t i) noexcept {
  const uint32_t entry = entries_[i];
  bricks_session& session = sessions_[entry];
  bricks_packet_view& view = views_[i];
  // One that leaves is no longer in the table.
  const bool leaves = session.close_reason != BRICKS_CLOSE_NONE && session.state != 0 &&
                      session.state != BRICKS_SESSION_CLOSED;
  if (turned_ && !leaves) find_direction(i);
  if (__builtin_expect(session.state != BRICKS_SESSION_ACTIVE, 0)) {
    if (session.state == BRICKS_SESSION_CLOSED) return step_ended(i);
    if (session.state == 0) {
      start(i);
      add(opening_, i, BRICKS_EVENT_OPENING);
      if (rules_.udp_active_on_first && session.protocol != kTcp) activate(i);
    }
  }
  const bool error = is_icmp_error(*batch_, in_[i]);
  const Nanos now = times_[i];
  const SessionClass of = class_of(entry);
  const Nanos silent = now > session.last_seen ? now - session.last_seen : 0;
  if (__builtin_expect(silent > idle_[static_cast<uint32_t>(of)], 0)) {
    return end_before(i, timeout_of(of));
  }
  if (rules_.duplicates != Duplicates::off && is_duplicate(i)) return;
  if (!error) {
    if (session.protocol == kTcp) {
      if (step_tcp(i)) return;
    } else if (view.direction && session.state == BRICKS_SESSION_OPENING) {
      activate(i);
    }
    session.last_seen = now;
  }
  ++session.packets[view.direction];
  session.bytes[view.direction] += view.wire_length;
  add_packet(i);
}

// True: nothing more is to be done with it.
bool SessionManager::is_duplicate(uint32_t i) noexcept {
  const bricks_session& session = sessions_[entries_[i]];
  if (session.packets[0] + session.packets[1] >= rules_.duplicate_packets) return false;
  constexpr uint32_t kTimeShift = 10;  // microseconds, nearly
  // All of it is compared but TTL, checksums, and what is before the IP header.
  const PacketDigest digest = packet_digest(*batch_, in_[i], {}, process_hash_seed());
  const auto seen =
      seen_->see(digest, times_[i] >> kTimeShift, rules_.duplicate_window >> kTimeShift);
  if (!seen.before) return false;
  ++counts_.duplicates;
  views_[i].duplicate = rules_.duplicates == Duplicates::mark;
  if (rules_.duplicates != Duplicates::drop) return false;
  places_[i] = PacketPlace::duplicate;
  return true;
}

void SessionManager::reopen(SessionSink& sink) noexcept {
  const uint32_t count = before_.count;
  finish(before_, sink);
  reopening_ = true;
  for (uint32_t k = 0; k < count; ++k) step(again_[k]);
  reopening_ = false;
}

void SessionManager::wave(uint32_t from, uint32_t to, SessionSink& sink) noexcept {
  in_wave_ = true;
  for (uint32_t k = from; k < to; ++k) step(order_[k]);
  if (before_.count) reopen(sink);
  if (opening_.count) {
    for (const bricks_event& event : opening_.span()) sink.began(*event.session);
    sink.lifecycle(opening_.span());
  }
  if (active_.count) sink.lifecycle(active_.span());
  if (packets_.count) sink.packets(packets_.span());
  if (closing_.count) finish(closing_, sink);
  opening_.count = active_.count = packets_.count = 0;
  in_wave_ = false;
}

}  // namespace bricks
