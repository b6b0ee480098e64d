// The short way of most packets: the next ones of active sessions that change no state. One pass
// makes view and event and counts; what is anything else is set aside for session_steps.cc, and so
// are all later packets of its session.
#include <algorithm>
#include <cstddef>
#include <cstring>

#include "sessions/packet_views.hh"
#include "sessions/session_manager.hh"
#include "sessions/session_words.hh"
#include "sessions/tcp_plain.hh"

namespace bricks {

namespace {

constexpr uint8_t kTcp = kTcpProtocol, kUdp = kUdpProtocol;
// So many packets are looked up at a time, while the sessions of those before them are on their way
// from memory.
constexpr uint32_t kPlainAhead = 32;

// Of bricks_session, as one word: state, close_reason, protocol and ip_version, then owner_, whose
// lower half is the sink's; the upper one says in which run the session was met last.
static_assert(offsetof(bricks_session, owner_) == offsetof(bricks_session, state) + 4);
constexpr uint32_t kOwnerShift = 32, kMarkShift = 48;
constexpr uint64_t kTold = uint64_t{kSessionOutput | kSessionApplication} << kOwnerShift;
// Shifts out the mark and what sessions may differ in.
constexpr uint32_t kAlikeShift = 18;
static_assert(kTold << kAlikeShift == 0 && kTold >> 1 << kAlikeShift != 0);
uint64_t word_of(const bricks_session& session) noexcept { return load<uint64_t>(&session.state); }
void store_mark(bricks_session& session, uint64_t word) noexcept {
  const auto mark = static_cast<uint16_t>(word >> kMarkShift);
  std::memcpy(reinterpret_cast<uint8_t*>(&session.owner_) + 2, &mark, sizeof mark);
}

// Its lowest bit: has whoever is second in the key opened the session?
uint64_t second_of(uint64_t word) noexcept {
  static_assert(kPinSecond == 2);
  return word >> (kSessionPinShift + 1);
}

// That of a session that is active, and that nobody has closed, without its owner_.
constexpr uint64_t active(uint8_t protocol) noexcept {
  return BRICKS_SESSION_ACTIVE | uint32_t{protocol} << 16 | 4u << 24;
}
constexpr uint64_t kNoSessions = ~0u;

// Its whole TCP header was captured.
inline bool has_tcp(const bricks_packet_view& view) noexcept {
  const uint32_t at = view.transport;
  return view.length == view.wire_length && at + 20 <= view.length &&
         at + (view.data[at + 12] >> 4) * 4u <= view.length;
}

// None of its packets is cut.
bool is_whole(const Batch& batch) noexcept {
  if (batch.plain) return true;
  uint8_t flags = 0;
  for (uint32_t i = 0; i < batch.count; ++i) flags |= batch.packets[i].flags;
  return !(flags & kPacketCut);
}

// The packet counts, and is an event.
inline __attribute__((always_inline)) void take(bricks_session& session, uint32_t entry, Nanos now,
                                                const bricks_packet_view& view, const void* payload,
                                                uint32_t payload_length, uint32_t direction,
                                                uint32_t wire_length,
                                                bricks_event& event) noexcept {
  session.last_seen = now;
  ++session.packets[direction];
  session.bytes[direction] += wire_length;
  event.session = &session;
  event.packet = &view;
  event.context = &session.context_;
  event.data = payload;
  event.offset = 0;
  store_eight(&event.length,
              payload_length | uint64_t{BRICKS_EVENT_PACKET} << 32 | uint64_t{direction} << 40);
  event.protocol = event.kind = 0;
  event.entry_ = entry;
}

}  // namespace

// What stays the same in a wave.
struct SessionManager::WaveFrame {
  bricks_session* sessions;
  TcpTrack* tcp;
  const Packet* packets;
  const Index* in;
  uint64_t usual[2];  // word_of() most sessions of UDP, TCP; their mark is this run's
  Nanos idle[2];      // as long as those may be silent
  uint32_t most;
  uint32_t to;
  std::array<void (SessionManager::*)(const WaveFrame&, Wave&) noexcept, 2> run;  // UDP, TCP

  // Asks for what a packet needs: its session, and TCP's state, whose address costs as much as all
  // the rest of this. Without the assembly of nothing GCC takes a call of what only prefetches to
  // be of no use, and leaves it out.
  template <bool kWithTcp>
  __attribute__((always_inline)) void fetch(uint64_t word) const noexcept {
    asm volatile("");
    const auto* session = reinterpret_cast<const uint8_t*>(sessions + word_entry(word));
    __builtin_prefetch(session, 0, 2);
    if constexpr (kWithTcp) {
      // Not TCP: the session again. No branch: nobody can foresee it.
      const auto apart = reinterpret_cast<uintptr_t>(tcp) - reinterpret_cast<uintptr_t>(sessions);
      const uint64_t is_tcp = word_pin(word) / kPinTcp & 1;
      __builtin_prefetch(session + (apart & (0 - is_tcp)), 0, 2);
    }
  }
};

// What becomes of one.
struct SessionManager::Wave {
  Nanos newest;
  uint32_t at, end;                // places of packets
  uint32_t count = 0;              // events
  uint32_t all = ~0u, any = 0;     // of sessions' owner_
  uint32_t others = 0, owner = 0;  // events that took the longer way, and the last one's owner_
};

void SessionManager::plain_waves(uint32_t from, uint32_t to, SessionSink& sink) noexcept {
  const uint64_t owner = uint64_t{usual_owner_} << kOwnerShift | uint64_t{++mark_} << kMarkShift;
  // Duplicates are for the long way to find.
  const bool none = rules_.duplicates != Duplicates::off;
  const auto idle = [this](uint8_t protocol) {
    return idle_[static_cast<uint32_t>(kOpeningClass[protocol]) + 1];
  };
  WaveFrame frame;
  frame.sessions = &sessions_[0];
  frame.tcp = &tcp_[0];
  frame.packets = batch_->packets;
  frame.in = in_.data();
  frame.usual[0] = owner | (none ? kNoSessions : active(kUdp));
  frame.usual[1] = owner | (none ? kNoSessions : active(kTcp));
  frame.idle[0] = idle(kUdp);
  frame.idle[1] = idle(kTcp);
  if (batch_->usual && is_whole(*batch_)) {
    frame.run = {&SessionManager::plain_run<kUdp, true>, &SessionManager::plain_run<kTcp, true>};
  } else {
    frame.run = {&SessionManager::plain_run<kUdp, false>, &SessionManager::plain_run<kTcp, false>};
  }
  frame.to = to;
  frame.most = sink.packets_together();
  aside_count_ = 0;
  looked_ = from;
  look_ahead(frame);
  for (uint32_t at = from; at < to; at += frame.most) {
    plain_wave(frame, at, std::min(at + frame.most, to), sink);
  }
}

// Packets as most are, of one protocol, whose sessions are in need of nothing more: from wave.at on
// up to the first that is not. What is written could be anything, as far as the compiler knows: it
// keeps what is local.
template <uint8_t kProtocol, bool kUsual>
__attribute__((noinline)) void SessionManager::plain_run(const WaveFrame& frame,
                                                         Wave& wave) noexcept {
  constexpr uint32_t kNumber = kProtocol == kTcp;
  const Packet* const packets = frame.packets;
  const Index* const in = frame.in;
  bricks_session* const sessions = frame.sessions;
  const uint64_t usual = frame.usual[kNumber];
  const Nanos idle = frame.idle[kNumber];
  const uint64_t end = wave.end;
  const uint32_t begun = wave.count;
  Nanos newest = wave.newest;
  uint64_t told = 0;
  uint64_t i = wave.at, count = begun;
  for (; i < end; ++i) {
    const uint64_t word = look_.word[i];
    const uint32_t entry = word_entry(word);
    bricks_session& session = sessions[entry];
    const Packet& packet = packets[in[i]];
    const Nanos now = packet.timestamp;
    const uint64_t differs = word_of(session) ^ usual;
    PlainPacket seen;
    if (__builtin_expect(!see_plain<kProtocol, kUsual>(packet, &seen), 0)) break;
    if (__builtin_expect(now < newest || now - session.last_seen > idle, 0)) break;
    // The mark of this run: it has had a packet.
    if (__builtin_expect(differs << kAlikeShift != 0 || differs >> kMarkShift == 0, 0)) break;
    const uint32_t direction = direction_of(packet, second_of(word));
    if (kProtocol == kTcp && !tcp_step_plain(frame.tcp[entry], direction,
                                             packet.data + kPlainTransport, seen.payload_length)) {
      break;
    }
    store_mark(session, usual);
    newest = now;
    told |= differs;
    entries_[i] = entry;
    order_[count] = static_cast<Index>(i);
    bricks_packet_view& view = views_[i];
    view_plain<kProtocol>(packet, seen, direction, &view);
    take(session, entry, now, view, seen.payload, seen.payload_length, direction, packet.length,
         packets_.all[count++]);
  }
  wave.at = static_cast<uint32_t>(i);
  if (count == begun) return;
  wave.newest = newest;
  wave.count = static_cast<uint32_t>(count);
  const auto owner = static_cast<uint32_t>(usual >> kOwnerShift);
  wave.all &= owner;
  wave.any |= owner | static_cast<uint32_t>((told & kTold) >> kOwnerShift);
}

// One that is not as most are, or whose session is not: an event all the same, or it is set aside.
__attribute__((noinline)) void SessionManager::plain_other(const WaveFrame& frame,
                                                           Wave& wave) noexcept {
  const uint32_t i = wave.at++;
  if (look_.word[i] == 0) settle_rest(i);
  const uint64_t word = look_.word[i];
  const uint32_t entry = word_entry(word);
  entries_[i] = entry;
  bricks_session& session = frame.sessions[entry];
  const uint32_t owner = session.owner_;
  const bool repeated = owner >> 16 == mark_;
  store_mark(session, frame.usual[0]);
  const Index index = frame.in[i];
  bricks_packet_view& view = views_[i];
  view_packet(*batch_, index, &view);
  const uint32_t direction = direction_of(frame.packets[index], second_of(word));
  view.direction = static_cast<uint8_t>(direction);
  Nanos now = view.timestamp;
  if (now < wave.newest) newest_ = wave.newest, now = time_back(now);
  wave.newest = now;
  // Time that goes back makes the difference huge.
  const Nanos idle = idle_[static_cast<uint32_t>(kOpeningClass[session.protocol]) + 1];
  if (repeated || session.state != BRICKS_SESSION_ACTIVE ||
      session.close_reason != BRICKS_CLOSE_NONE || session.protocol != view.protocol ||
      rules_.duplicates != Duplicates::off || now - session.last_seen > idle || view.fragment ||
      (view.protocol == kTcp &&
       (!has_tcp(view) || !tcp_step_plain(frame.tcp[entry], direction, view.data + view.transport,
                                          view.payload_length)))) {
    times_[i] = now;
    repeated_[aside_count_] = repeated;
    aside_[aside_count_++] = static_cast<Index>(i);
    return;
  }
  wave.all &= owner;
  wave.any |= owner;
  wave.owner = owner;
  ++wave.others;
  order_[wave.count] = static_cast<Index>(i);
  const uint8_t* payload = view.payload ? view.data + view.payload : nullptr;
  take(session, entry, now, view, payload, view.payload_length, direction, view.wire_length,
       packets_.all[wave.count++]);
}

// Looks up the next packets, and asks for their sessions.
void SessionManager::look_ahead(const WaveFrame& frame) noexcept {
  const uint32_t end = std::min(looked_ + kPlainAhead, frame.to);
  const auto look = [&](auto fetch) { table_.look_for_words(look_, looked_, end, fetch); };
  if (tcp_met_) {
    look([&](uint64_t word) { frame.fetch<true>(word); });
  } else {
    look([&](uint64_t word) { frame.fetch<false>(word); });
  }
  looked_ = end;
}

// Packets [begin, end): an event of each, or it is set aside.
void SessionManager::plain_wave(const WaveFrame& frame, uint32_t begin, uint32_t end,
                                SessionSink& sink) noexcept {
  Wave wave{newest_, begin, begin};
  bool tcp = false;
  while (wave.at < end) {
    const uint32_t at = wave.at;
    if (at == wave.end) {
      wave.end = std::min(looked_, end);
      look_ahead(frame);
    }
    const Packet& next = frame.packets[frame.in[at]];
    if (is_usual(next) && next.length > kPlainTransport) {
      const bool is_tcp = plain_protocol(next) == kTcp;
      tcp |= is_tcp;
      (this->*frame.run[is_tcp])(frame, wave);
    }
    if (wave.at == at) plain_other(frame, wave);
  }
  tcp_met_ = tcp;
  constexpr uint32_t kDiffer = kSessionOutput | kSessionApplication;
  if (wave.others > wave.count / 2) usual_owner_ = static_cast<uint16_t>(wave.owner & ~kDiffer);
  newest_ = wave.newest;
  if (wave.count == 0) return;
  in_wave_ = true;
  sink.plain(
      {{packets_.all, wave.count}, {order_, wave.count}, wave.all & 0xffff, wave.any & 0xffff});
  if (closing_.count) finish(closing_, sink);
  in_wave_ = false;
}

}  // namespace bricks
