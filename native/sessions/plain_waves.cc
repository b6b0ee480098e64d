// The short way of most packets: the next ones of active sessions that change no state. One pass
// makes view and event and counts; what is anything else is set aside for session_steps.cc, and so
// are all later packets of its session.
#include <algorithm>

#include "sessions/packet_views.hh"
#include "sessions/session_manager.hh"
#include "sessions/tcp_plain.hh"

namespace bricks {

namespace {

constexpr uint16_t kOpenerSecond = 2;
constexpr uint8_t kTcp = 6;

// bricks_session.owner_[1]: the lower half is the sink's, the upper one says in which run it was
// met last.
constexpr uint32_t kMarkShift = 16, kSinkMask = 0xffff;

// TCP of which a whole header was captured, and is where `parts` say; no later fragment.
inline bool has_tcp(const ViewParts& parts) noexcept {
  const auto length = static_cast<uint32_t>(parts.lengths);
  const bool fragment = parts.kind >> 40 & 0xff;
  return length == parts.lengths >> 32 && (parts.offsets >> 16 & 0xffff) + 20 <= length &&
         !fragment;
}

inline void write_view(bricks_packet_view& view, const Packet& packet, const ViewParts& parts,
                       uint32_t direction, uint32_t number) noexcept {
  view.data = packet.data;
  view.timestamp = packet.timestamp;
  store_eight(&view.length, parts.lengths);
  store_eight(&view.network, parts.offsets);
  store_eight(&view.ip_version, parts.kind | direction << 24 | uint64_t{number} << 48);
  store_eight(&view.duplicate, 0);
}

inline void write_event(bricks_event& event, bricks_session& session,
                        const bricks_packet_view& view, void** context, const uint8_t* data,
                        const ViewParts& parts, uint32_t direction, uint32_t number) noexcept {
  event.session = &session;
  event.packet = &view;
  event.context = context;
  event.data = parts.payload_length ? data + parts.payload : nullptr;
  event.offset = 0;
  store_eight(&event.length, parts.payload_length | uint64_t{BRICKS_EVENT_PACKET} << 32 |
                                 uint64_t{direction} << 40);
  store_eight(&event.protocol, uint64_t{number} << 32);
  event.own_ = 0;
}

}  // namespace

void SessionManager::plain_waves(uint32_t from, uint32_t to, SessionSink& sink) noexcept {
  const EventContexts contexts = sink.contexts();
  aside_count_ = 0;
  ++mark_;
  const uint32_t* entries = entries_;
  for (uint32_t i = from; contexts.at && i < to; ++i) {
    __builtin_prefetch(contexts.at + uint64_t{entries[i]} * contexts.each, 0, 2);
  }
  for (uint32_t at = from; at < to; at += contexts.most) {
    plain_wave({from, at, std::min(at + contexts.most, to)}, sink, contexts);
  }
}

// False: it is not to go the short way. `state`: eight bytes from there on.
inline bool SessionManager::step_plain(SessionLines& lines, uint64_t state, Nanos now,
                                       const uint8_t* data, const ViewParts& parts,
                                       uint32_t direction) noexcept {
  const uint32_t protocol = parts.kind >> 8 & 0xff;
  const Nanos idle = idle_[static_cast<uint32_t>(kOpeningClass[protocol]) + 1];
  if ((state & 0xffffff) != (BRICKS_SESSION_ACTIVE | protocol << 16)) return false;
  // Time that goes back makes the difference huge.
  if (now - lines.session.last_seen > idle || parts.kind >> 40) return false;
  return protocol != kTcp ||
         (has_tcp(parts) &&
          tcp_step_plain(lines.tcp, direction, data + (parts.offsets >> 16 & 0xffff),
                         parts.payload_length));
}

void SessionManager::plain_wave(Wave wave, SessionSink& sink,
                                const EventContexts& contexts) noexcept {
  const bool compared = rules_.duplicates != Duplicates::off;
  // What this writes could be anything the compiler knows: it keeps what is local.
  const Packet* const packets = batch_->packets;
  const Index* const in = in_.data();
  const uint64_t* const words = look_.word - wave.from;
  SessionLines* const all = &lines_[0];
  void** const context = contexts.at;
  const uint64_t each = contexts.each;
  const uint32_t mark = uint32_t{mark_} << kMarkShift;
  uint32_t count = 0, owner = 0, differ = 0, told = 0;
  for (uint32_t i = wave.begin; i < wave.end; ++i) {
    const Packet& packet = packets[in[i]];
    const uint64_t word = words[i];
    const uint32_t entry = word_entry(word);
    SessionLines& lines = all[entry];
    bricks_session& session = lines.session;
    const Nanos now = time_of(packet.timestamp);
    ViewParts parts;
    if (__builtin_expect(!read_plain(packet, &parts), 0)) {
      view_packet(*batch_, in[i], &views_[i]);
      parts = parts_of(views_[i]);
    }
    const uint32_t direction =
        (packet.flags / kPacketReverse & 1) ^ (word_pin(word) / kOpenerSecond & 1);
    write_view(views_[i], packet, parts, direction, i);
    const uint32_t own = session.owner_[1];
    session.owner_[1] = (own & kSinkMask) | mark;
    const bool repeated = (own & ~kSinkMask) == mark;
    const auto state = load<uint64_t>(reinterpret_cast<const uint8_t*>(&session.state));
    if (__builtin_expect(
            repeated || compared || !step_plain(lines, state, now, packet.data, parts, direction),
            0)) {
      times_[i] = now;
      repeated_[aside_count_] = repeated;
      aside_[aside_count_++] = static_cast<Index>(i);
      continue;
    }
    session.last_seen = now;
    ++session.packets[direction];
    session.bytes[direction] += parts.lengths >> 32;
    told |= static_cast<uint32_t>(state >> 32);
    if (count == 0) owner = own;
    differ |= own ^ owner;
    write_event(packets_.all[count], session, views_[i], context + entry * each, packet.data, parts,
                direction, i);
    order_[count++] = static_cast<Index>(i);
  }
  if (count == 0) return;
  in_wave_ = true;
  sink.plain({{packets_.all, count},
              {order_, count},
              contexts,
              owner & kSinkMask,
              differ & kSinkMask,
              told >> 16,
              told & 0xffff});
  if (closing_.count) finish(closing_, sink);
  in_wave_ = false;
}

}  // namespace bricks
