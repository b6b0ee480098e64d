// The short way of most packets: the next ones of active sessions that change no state. One pass
// makes view and event and counts; what is anything else is set aside for session_steps.cc, and so
// are all later packets of its session.
#include <algorithm>
#include <cstddef>
#include <cstring>

#include "sessions/packet_views.hh"
#include "sessions/session_manager.hh"
#include "sessions/tcp_plain.hh"

namespace bricks {

namespace {

constexpr uint8_t kTcp = 6;
// How many packets ahead lines are asked for, while there is enough to do.
constexpr uint32_t kPlainAhead = 24;
static_assert(kPlainAhead <= kSessionAhead);

// bricks_session.owner_[1]: the lower half is the sink's, the upper one says in which run it was
// met last.
struct OwnerWord {
  uint16_t sink, mark;
};

OwnerWord load_owner(const bricks_session& session) noexcept {
  return load<OwnerWord>(reinterpret_cast<const uint8_t*>(&session.owner_[1]));
}
void store_mark(bricks_session& session, uint16_t mark) noexcept {
  std::memcpy(reinterpret_cast<uint8_t*>(&session.owner_[1]) + offsetof(OwnerWord, mark), &mark,
              sizeof mark);
}

// And nobody has closed it.
bool is_active(const bricks_session& session) noexcept {
  return load<uint16_t>(&session.state) == BRICKS_SESSION_ACTIVE;
}

// Its whole TCP header was captured.
inline bool has_tcp(const bricks_packet_view& view) noexcept {
  const uint32_t at = view.transport;
  return view.length == view.wire_length && at + 20 <= view.length &&
         at + (view.data[at + 12] >> 4) * 4u <= view.length;
}

inline void write_event(bricks_event& event, bricks_session& session,
                        const bricks_packet_view& view, void** context, uint64_t direction,
                        uint64_t number) noexcept {
  event.session = &session;
  event.packet = &view;
  event.context = context;
  event.data = view.payload ? view.data + view.payload : nullptr;
  event.offset = 0;
  store_eight(&event.length,
              view.payload_length | uint64_t{BRICKS_EVENT_PACKET} << 32 | direction << 40);
  store_eight(&event.protocol, number << 32);
  event.own_ = 0;
}

}  // namespace

// What stays the same in a wave.
struct SessionManager::WaveFrame {
  const uint64_t* words;
  SessionLines* lines;
  EventContexts contexts;
  uint32_t never;  // added to each protocol: no packet is plain
};

void SessionManager::plain_waves(uint32_t from, uint32_t to, SessionSink& sink) noexcept {
  ++mark_;
  const WaveFrame frame = {look_.word - from, &lines_[0], sink.contexts(),
                           rules_.duplicates == Duplicates::off ? 0u : 256u};
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

// Packets [begin, end): an event of each, or it is set aside. What is written could be anything, as
// far as the compiler knows: it keeps what is local.
void SessionManager::plain_wave(const WaveFrame& shared, uint32_t begin, uint32_t end,
                                SessionSink& sink) noexcept {
  const WaveFrame frame = shared;
  bricks_event* const events = packets_.all;
  const uint16_t mark = mark_;
  Nanos newest = newest_;
  uint32_t count = 0, any = 0, all = ~0u, told = 0;
  for (uint32_t i = begin; i < end; ++i) {
    fetch(frame, frame.words[i + kPlainAhead]);
    const uint64_t word = frame.words[i];
    const uint32_t entry = word_entry(word);
    entries_[i] = entry;
    SessionLines& lines = frame.lines[entry];
    bricks_session& session = lines.session;
    bricks_packet_view& view = views_[i];
    const uint32_t direction = (view.direction ^ word_pin(word) / kPinSecond) & 1;
    view.direction = static_cast<uint8_t>(direction);
    Nanos now = view.timestamp;
    if (__builtin_expect(now < newest, 0)) newest_ = newest, now = time_back(now);
    newest = now;
    const OwnerWord own = load_owner(session);
    const bool repeated = own.mark == mark;
    store_mark(session, mark);
    // Time that goes back makes the difference huge.
    const bool plain =
        !repeated && is_active(session) && session.protocol == (view.protocol | frame.never) &&
        now - session.last_seen <= idle_[static_cast<uint32_t>(kOpeningClass[view.protocol]) + 1] &&
        view.fragment == 0 &&
        (view.protocol != kTcp ||
         (has_tcp(view) &&
          tcp_step_plain(lines.tcp, direction, view.data + view.transport, view.payload_length)));
    if (__builtin_expect(!plain, 0)) {
      times_[i] = now;
      repeated_[aside_count_] = repeated;
      aside_[aside_count_++] = static_cast<Index>(i);
      continue;
    }
    session.last_seen = now;
    ++session.packets[direction];
    session.bytes[direction] += view.wire_length;
    told |= load<uint32_t>(reinterpret_cast<const uint8_t*>(&session.application));
    any |= own.sink;
    all &= own.sink;
    order_[count] = static_cast<Index>(i);
    write_event(events[count++], session, view,
                frame.contexts.at + uint64_t{entry} * frame.contexts.each, direction, i);
  }
  newest_ = newest;
  if (count == 0) return;
  in_wave_ = true;
  sink.plain({{events, count},
              {order_, count},
              frame.contexts,
              all,
              any ^ all,
              told >> 16,
              told & 0xffff});
  if (closing_.count) finish(closing_, sink);
  in_wave_ = false;
}

}  // namespace bricks
