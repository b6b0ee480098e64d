// The short way of most packets: the next ones of active sessions that change no state. One pass
// makes view and event and counts; what is anything else is set aside for session_steps.cc, and so
// are all later packets of its session.
#include <algorithm>

#include "sessions/packet_views.hh"
#include "sessions/session_manager.hh"
#include "sessions/tcp_plain.hh"

namespace bricks {

namespace {

constexpr uint8_t kTcp = 6;
constexpr uint32_t kNoState = 255;
// How many packets ahead lines are asked for, while there is enough to do.
constexpr uint32_t kPlainAhead = 24;
static_assert(kPlainAhead <= kSessionAhead);

// bricks_session.owner_[1]: the lower half is the sink's, the upper one says in which run it was
// met last.
constexpr uint32_t kMarkShift = 16, kSinkMask = 0xffff;

// TCP whose whole header was captured. `data`: the frame.
inline bool has_tcp(const ViewParts& parts, const uint8_t* data) noexcept {
  const auto length = static_cast<uint32_t>(parts.lengths);
  const uint32_t at = parts.offsets >> 16 & 0xffff;
  return length == parts.lengths >> 32 && at + 20 <= length &&
         at + (data[at + 12] >> 4) * 4u <= length;
}

// What the packets of a wave have come to so far.
struct Tally {
  uint32_t count = 0, owner = 0, differ = 0, told = 0;
};

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

// What stays the same in a wave. What is written could be anything, as far as the compiler knows:
// it keeps what is local.
struct SessionManager::WaveFrame {
  const Packet* packets;
  const Index* in;
  const uint64_t* words;
  SessionLines* lines;
  bricks_packet_view* views;
  bricks_event* events;
  Index* order;
  EventContexts contexts;
  uint32_t mark, active;  // active: the state that they must have
};

void SessionManager::plain_waves(uint32_t from, uint32_t to, SessionSink& sink) noexcept {
  const bool compared = rules_.duplicates != Duplicates::off;
  ++mark_;
  const WaveFrame frame = {batch_->packets,
                           in_.data(),
                           look_.word - from,
                           &lines_[0],
                           views_,
                           packets_.all,
                           order_,
                           sink.contexts(),
                           uint32_t{mark_} << kMarkShift,
                           compared ? kNoState : uint32_t{BRICKS_SESSION_ACTIVE}};
  aside_count_ = 0;
  std::fill_n(look_.word + (to - from), kPlainAhead, look_.word[0]);
  for (uint32_t i = from; i < from + kPlainAhead; ++i) fetch(frame, frame.words[i]);
  for (uint32_t at = from; at < to; at += frame.contexts.most) {
    plain_wave(frame, at, std::min(at + frame.contexts.most, to), sink);
  }
}

// Asks for what a packet needs: the session's first line, TCP's, the first plugin's context.
// GCC takes a call of what only prefetches to be of no use, and leaves it out.
inline __attribute__((always_inline)) void SessionManager::fetch(const WaveFrame& frame,
                                                                 uint64_t word) noexcept {
  const uint32_t entry = word_entry(word);
  auto* lines = reinterpret_cast<const uint8_t*>(frame.lines + entry);
  __builtin_prefetch(lines, 0, 2);
  // Not TCP: the first line again.
  static_assert(offsetof(SessionLines, tcp) == 128 && kPinTcp == 4);
  __builtin_prefetch(lines + ((word_pin(word) & kPinTcp) << 5), 0, 2);
  __builtin_prefetch(frame.contexts.at + uint64_t{entry} * frame.contexts.each, 0, 2);
}

// One packet: an event, or it is set aside.
template <typename Tally>
inline __attribute__((always_inline)) void SessionManager::plain_packet(const WaveFrame& frame,
                                                                        uint32_t i,
                                                                        const Packet& packet,
                                                                        const ViewParts& parts,
                                                                        Tally& tally) noexcept {
  const uint64_t word = frame.words[i];
  const uint32_t entry = word_entry(word);
  SessionLines& lines = frame.lines[entry];
  bricks_session& session = lines.session;
  bricks_packet_view& view = frame.views[i];
  const uint32_t protocol = parts.kind >> 8 & 0xff;
  const uint32_t direction = (packet.flags / kPacketReverse ^ word_pin(word) / kPinSecond) & 1;
  write_view(view, packet, parts, direction, i);
  const Nanos now = time_of(packet.timestamp);
  const uint32_t own = session.owner_[1];
  session.owner_[1] = (own & kSinkMask) | frame.mark;
  const bool repeated = (own & ~kSinkMask) == frame.mark;
  const auto state = load<uint64_t>(&session.state);  // and the seven bytes behind it
  const Nanos idle = idle_[static_cast<uint32_t>(kOpeningClass[protocol]) + 1];
  // Time that goes back makes the difference huge.
  const bool plain =
      !repeated && (state & 0xffffff) == (frame.active | protocol << 16) &&
      now - session.last_seen <= idle && parts.kind >> 40 == 0 &&
      (protocol != kTcp ||
       (has_tcp(parts, packet.data) &&
        tcp_step_plain(lines.tcp, direction, packet.data + (parts.offsets >> 16 & 0xffff),
                       parts.payload_length)));
  if (__builtin_expect(!plain, 0)) {
    times_[i] = now;
    repeated_[aside_count_] = repeated;
    aside_[aside_count_++] = static_cast<Index>(i);
    return;
  }
  session.last_seen = now;
  ++session.packets[direction];
  session.bytes[direction] += parts.lengths >> 32;
  tally.told |= static_cast<uint32_t>(state >> 32);
  if (tally.count == 0) tally.owner = own;
  tally.differ |= own ^ tally.owner;
  frame.order[tally.count] = static_cast<Index>(i);
  write_event(frame.events[tally.count++], session, view,
              frame.contexts.at + uint64_t{entry} * frame.contexts.each, packet.data, parts,
              direction, i);
}

void SessionManager::plain_wave(const WaveFrame& shared, uint32_t begin, uint32_t end,
                                SessionSink& sink) noexcept {
  const WaveFrame frame = shared;
  Tally tally;
  const auto other = [&](uint32_t i) __attribute__((noinline)) {
    bricks_packet_view& view = frame.views[i];
    view_packet(*batch_, frame.in[i], &view);
    plain_packet(frame, i, frame.packets[frame.in[i]], parts_of(view), tally);
  };
  for (uint32_t i = begin; i < end; ++i) {
    const Packet& packet = frame.packets[frame.in[i]];
    fetch(frame, frame.words[i + kPlainAhead]);
    ViewParts parts;
    if (__builtin_expect(read_plain(packet, &parts), 1)) {
      plain_packet(frame, i, packet, parts, tally);
    } else {
      other(i);
    }
  }
  if (tally.count == 0) return;
  in_wave_ = true;
  sink.plain({{frame.events, tally.count},
              {frame.order, tally.count},
              frame.contexts,
              tally.owner & kSinkMask,
              tally.differ & kSinkMask,
              tally.told >> 16,
              tally.told & 0xffff});
  if (closing_.count) finish(closing_, sink);
  in_wave_ = false;
}

}  // namespace bricks
