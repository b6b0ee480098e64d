// How sessions end, and what becomes of them then.
#include "sessions/session_manager.hh"

namespace bricks {

bricks_close_reason SessionManager::timeout_of(SessionClass of) noexcept {
  switch (of) {
    case SessionClass::tcp_closing:
      return BRICKS_CLOSE_TIMEOUT_CLOSING;
    case SessionClass::tcp_active:
    case SessionClass::udp_active:
    case SessionClass::icmp_active:
    case SessionClass::other_active:
      return BRICKS_CLOSE_TIMEOUT_ACTIVE;
    default:
      return BRICKS_CLOSE_TIMEOUT_OPENING;
  }
}

uint32_t SessionManager::idle_ticks(uint32_t entry) const noexcept {
  if (crowded()) return UINT32_MAX;
  // Later than a packet of it would find out, so that what a packet says does not depend on this.
  const Nanos idle = idle_[static_cast<uint32_t>(class_of(entry))];
  return static_cast<uint32_t>(idle >> kSessionTickShift) + 2;
}

bool SessionManager::gives_way(uint32_t entry) const noexcept {
  if (crowded()) return false;
  const uint8_t state = sessions_[entry].state;
  return state != BRICKS_SESSION_ACTIVE && state != BRICKS_SESSION_CLOSING;
}

void SessionManager::ended(uint32_t entry, SessionEnd end) noexcept {
  bricks_session& session = sessions_[entry];
  if (session.state == 0 || session.state == BRICKS_SESSION_CLOSED) return release(entry);
  leave(entry);
  session.close_reason = static_cast<uint8_t>(
      end == SessionEnd::gave_way ? BRICKS_CLOSE_EVICTED_LRU : timeout_of(class_of(entry)));
  ended_[end_ended_++ % kSessionsKept] = entry;
}

void SessionManager::end_later(uint32_t entry, bricks_close_reason reason) noexcept {
  table_.take_out(entry);
  leave(entry);
  sessions_[entry].close_reason = static_cast<uint8_t>(reason);
  ended_[end_ended_++ % kSessionsKept] = entry;
}

// Nobody knows it any more: the table may use its entry when its last packet has left the queues.
void SessionManager::release(uint32_t entry) noexcept {
  leave(entry);
  sessions_[entry].state = 0;
  tracks_[entry].ended = tracks_[entry].queued != 0;
  if (!tracks_[entry].ended) table_.give_back(entry);
}

void SessionManager::left_queue(uint32_t entry) noexcept {
  SessionTrack& track = tracks_[entry];
  if (--track.queued != 0 || !track.ended) return;
  track.ended = false;
  table_.give_back(entry);
}

void SessionManager::join(SessionList list, uint32_t entry) noexcept {
  SessionTrack& track = tracks_[entry];
  uint32_t& last = last_[static_cast<uint32_t>(list)];
  track.list = list;
  track.next = 0;
  track.previous = last;
  (last ? tracks_[last].next : first_[static_cast<uint32_t>(list)]) = entry;
  last = entry;
  ++(list == SessionList::opening ? counts_.opening : counts_.lingering);
}

void SessionManager::leave(uint32_t entry) noexcept {
  SessionTrack& track = tracks_[entry];
  if (track.list == SessionList::none) return;
  const auto list = static_cast<uint32_t>(track.list);
  --(track.list == SessionList::opening ? counts_.opening : counts_.lingering);
  (track.previous ? tracks_[track.previous].next : first_[list]) = track.next;
  (track.next ? tracks_[track.next].previous : last_[list]) = track.previous;
  track.list = SessionList::none;
}

void SessionManager::close(bricks_session& session, bricks_close_reason reason,
                           const bricks_packet_view* packet) noexcept {
  if (session.close_reason != BRICKS_CLOSE_NONE) return;  // it is closing
  const uint32_t entry = entry_of(session);
  if (!in_wave_) return end_later(entry, reason);
  session.close_reason = static_cast<uint8_t>(reason);
  bricks_event& event = closing_.all[closing_.count++];
  event = {};
  event.session = &session;
  event.entry_ = entry;
  event.packet = packet;
  event.type = BRICKS_EVENT_CLOSING;
  event.reason = static_cast<uint16_t>(reason);
  event.direction = packet ? packet->direction : uint8_t{0};
}

void SessionManager::count_end(bricks_session& session) noexcept {
  ++counts_.closed;
  --counts_.live;
  switch (session.close_reason) {
    case BRICKS_CLOSE_FIN:
      ++counts_.closed_fin;
      break;
    case BRICKS_CLOSE_RST:
      ++counts_.closed_rst;
      break;
    case BRICKS_CLOSE_TIMEOUT_OPENING:
      ++counts_.timeouts_opening;
      break;
    case BRICKS_CLOSE_TIMEOUT_ACTIVE:
      ++counts_.timeouts_active;
      break;
    case BRICKS_CLOSE_TIMEOUT_CLOSING:
      ++counts_.timeouts_closing;
      break;
    case BRICKS_CLOSE_EVICTED_LRU:
    case BRICKS_CLOSE_EVICTED_MEMCAP:
      ++counts_.evicted;
      break;
    case BRICKS_CLOSE_REUSED_TUPLE:
      ++counts_.reused_tuple;
      break;
    case BRICKS_CLOSE_PLUGIN_KILL:
    case BRICKS_CLOSE_POISONED:
      ++counts_.killed;
      break;
    default:
      ++counts_.closed_other;
  }
}

// CLOSING for sessions that are still in the table: there they linger.
void SessionManager::finish(Events& events, SessionSink& sink) noexcept {
  for (bricks_event& event : events.span()) event.session->state = BRICKS_SESSION_CLOSING;
  sink.lifecycle(events.span());
  for (bricks_event& event : events.span()) {
    bricks_session& session = *event.session;
    const uint32_t entry = entry_of(session);
    sink.over(session);
    count_end(session);
    leave(entry);
    session.state = BRICKS_SESSION_CLOSED;
    join(SessionList::lingering, entry);
    tracks_[entry].blocked = session.close_reason == BRICKS_CLOSE_PLUGIN_KILL;
    table_.rearm(entry);
  }
  events.count = 0;
}

}  // namespace bricks
