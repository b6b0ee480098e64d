#include "sessions/tcp_tracker.hh"

#include <algorithm>

#include "wire/bytes.hh"

namespace bricks {

namespace {

constexpr uint8_t kScaleMax = 14;     // RFC 7323
constexpr uint32_t kHistoryMax = 12;  // letters

int32_t ahead(uint32_t a, uint32_t b) noexcept { return static_cast<int32_t>(a - b); }
uint32_t later(uint32_t a, uint32_t b) noexcept { return ahead(a, b) > 0 ? a : b; }

// A letter at its first time for each end; capital: whoever opened the connection.
constexpr char kLetters[] = "?shadfri";
enum Letter : uint8_t {
  kSyn = 1,
  kSynAck,
  kAck = kTcpNotedAck,
  kData = kTcpNotedData,
  kFin,
  kReset,
  kInconsistent
};

void note(TcpTrack& track, uint32_t side, uint8_t letter) noexcept {
  if (track.end[side].noted >> letter & 1) return;
  track.end[side].noted |= static_cast<uint8_t>(1u << letter);
  const uint64_t code = letter | (side ? 8u : 16u);  // never 0
  for (uint32_t i = 0; i < kHistoryMax; ++i) {
    const uint64_t known = track.history >> i * 5 & 31;
    if (known == code) return;
    if (known) continue;
    track.history |= code << i * 5;
    return;
  }
}

bool strange(uint8_t flags) noexcept {
  const uint8_t control = flags & (kTcpSyn | kTcpFin | kTcpRst);
  if (control & (control - 1)) return true;  // two of them
  return !(flags & (kTcpSyn | kTcpRst | kTcpAck));
}

// In which range the receiver's next expected number must be: all it has acknowledged to all that
// was sent. A reset has to hit it (RFC 5961, 3.2).
bool believes_reset(const TcpTrack& track, uint32_t side, const TcpSegment& segment) noexcept {
  const TcpEnd& from = track.end[side];
  const TcpEnd& to = track.end[1 - side];
  const bool to_knows = to.marks & kEndAcks;
  if (from.state == TcpEndState::inactive) {
    // The answer to a SYN must acknowledge it; what has acknowledged nothing believes no more.
    if (to_knows) return segment.seq == to.acked;
    const uint32_t isn = track.isn[1 - side];
    return segment.flags & kTcpAck && ahead(segment.ack, isn) > 0 &&
           ahead(segment.ack, to.next) <= 0;
  }
  if (!to_knows) return segment.seq == from.next;
  return ahead(segment.seq, to.acked) >= 0 && ahead(segment.seq, later(from.next, to.acked)) <= 0;
}

uint32_t step_reset(TcpTrack& track, uint32_t side, const TcpSegment& segment) noexcept {
  const bool first =
      track.end[0].state == TcpEndState::inactive && track.end[1].state == TcpEndState::inactive;
  if (!first && !believes_reset(track, side, segment)) return kTcpBadReset;
  track.end[side].state = TcpEndState::reset;
  note(track, side, kReset);
  return kTcpReset;
}

void take_window(TcpEnd& from, const TcpSegment& segment) noexcept {
  if (!(segment.flags & kTcpAck)) return;
  const uint8_t scale = segment.flags & kTcpSyn ? 0 : from.scale;
  const uint32_t edge = segment.ack + (uint32_t{segment.window} << scale);
  if (!(from.marks & kEndAcks)) {
    from.acked = segment.ack;
    from.edge = edge;
  } else {
    from.acked = later(from.acked, segment.ack);
    from.edge = later(from.edge, edge);
  }
  from.marks |= kEndAcks;
}

bool is_established(const TcpTrack& track) noexcept {
  return track.end[0].marks & track.end[1].marks & kEndSynAcked;
}

uint32_t establish(TcpTrack& track, bool before) noexcept {
  if (before || !is_established(track)) return 0;
  track.stamp[0] = track.stamp[1] = 0;
  for (TcpEnd& end : track.end) {
    if (end.state < TcpEndState::established) end.state = TcpEndState::established;
  }
  return kTcpEstablished;
}

void begin_end(TcpTrack& track, uint32_t side, const TcpSegment& segment) noexcept {
  TcpEnd& end = track.end[side];
  const bool answer = segment.flags & kTcpAck;
  track.isn[side] = track.other_isn[side] = segment.seq;
  end.next = segment.seq + 1 + segment.payload;
  end.state = answer ? TcpEndState::syn_ack_sent : TcpEndState::syn_sent;
  end.scale = segment.scale == kNoScale ? 0 : std::min(segment.scale, kScaleMax);
  end.marks |= kEndSyn | (answer ? kEndSynAck : 0) | (segment.stamped ? kEndStamps : 0);
}

// Scales count only where both SYNs have the option (RFC 7323, 2.2).
void agree_on_scale(TcpTrack& track, const TcpSegment& segment) noexcept {
  if (segment.scale != kNoScale) return;
  track.end[0].scale = track.end[1].scale = 0;
}

// The number that the other end's SYN had must be what this acknowledges.
bool acknowledges_syn(TcpTrack& track, uint32_t of, uint32_t ack) noexcept {
  TcpEnd& end = track.end[of];
  if (ack == track.other_isn[of] + 1 && ack != track.isn[of] + 1) {
    std::swap(track.isn[of], track.other_isn[of]);
    end.next = ack;
  }
  return ahead(ack, track.isn[of]) > 0 && ahead(ack, end.next) <= 0;
}

uint32_t step_syn_ack(TcpTrack& track, uint32_t side, const TcpSegment& segment) noexcept {
  TcpEnd& from = track.end[side];
  TcpEnd& to = track.end[1 - side];
  if (to.marks & kEndSyn) {
    if (!acknowledges_syn(track, 1 - side, segment.ack)) return kTcpBadSyn;
  } else if (to.state == TcpEndState::inactive) {
    to.next = segment.ack;  // it must have sent a SYN
  } else if (segment.ack != to.next) {
    return kTcpBadSyn;
  }
  const bool fresh = !(from.marks & kEndSyn);
  const uint8_t scale_before = to.scale;
  if (fresh) begin_end(track, side, segment);
  if (!fresh && from.state == TcpEndState::syn_ack_sent) track.other_isn[side] = segment.seq;
  if (!fresh && from.state == TcpEndState::syn_sent) from.state = TcpEndState::syn_ack_sent;
  from.marks |= kEndSynAck | kEndAnswered;
  to.marks |= kEndSynAcked;
  to.scale = scale_before;
  if (to.marks & kEndSyn) agree_on_scale(track, segment);
  take_window(from, segment);
  note(track, side, kSynAck);
  return 0;
}

uint32_t step_syn(TcpTrack& track, uint32_t side, const TcpSegment& segment) noexcept {
  TcpEnd& from = track.end[side];
  TcpEnd& to = track.end[1 - side];
  const bool before = is_established(track);
  const bool again = from.marks & kEndSyn && (segment.seq == track.isn[side] ||
                                              (!before && segment.seq == track.other_isn[side]));
  const bool answer = segment.flags & kTcpAck;
  const bool open = from.state >= TcpEndState::partial || to.state >= TcpEndState::partial;
  if (open && !(again && answer && !before)) {
    if (again) return 0;  // sent again, or late
    if (answer) return kTcpBadSyn;
    const bool over = from.marks & to.marks & kEndFin;
    const bool reset = from.state == TcpEndState::reset || to.state == TcpEndState::reset;
    const bool alone = from.state == TcpEndState::partial && to.state == TcpEndState::inactive;
    if (reset || over || alone) return kTcpReuse;
    return kTcpBadSyn;  // the receiver answers with a challenge (RFC 5961, 4)
  }
  if (answer) {
    const uint32_t verdict = step_syn_ack(track, side, segment);
    return verdict ? verdict : establish(track, before);
  }
  note(track, side, kSyn);
  if (from.state == TcpEndState::inactive) {
    // Its answer came first: only the SYN that it answered belongs here.
    if (to.marks & kEndAnswered && segment.seq + 1 != from.next) return kTcpBadSyn;
    begin_end(track, side, segment);
    if (to.marks & kEndSyn && from.marks & kEndSynAcked) agree_on_scale(track, segment);
    return establish(track, before);
  }
  if (!again) {
    track.other_isn[side] = track.isn[side];
    track.isn[side] = segment.seq;
    from.next = segment.seq + 1 + segment.payload;
  }
  return 0;
}

// Unknown ends have no window; that of one whose scale nobody saw may be of any size.
bool in_window(const TcpTrack& track, uint32_t side, const TcpSegment& segment) noexcept {
  const TcpEnd& from = track.end[side];
  const TcpEnd& to = track.end[1 - side];
  if (from.state == TcpEndState::inactive || !(to.marks & kEndAcks)) return true;
  uint32_t edge = to.edge;
  if (!(to.marks & kEndSyn)) edge = to.acked + ((edge - to.acked) << kScaleMax);
  // A window's length behind what is acknowledged: sent again. One byte before and one behind it:
  // keep-alives and probes of a closed window.
  const uint32_t behind = std::max<uint32_t>(to.edge - to.acked, 65535);
  const uint32_t end = segment.seq + segment.payload;
  return ahead(end, to.acked - behind) >= 0 && ahead(segment.seq, later(edge, to.acked)) <= 0;
}

// Both SYNs had a timestamp, and the handshake is complete.
bool stamps_count(const TcpTrack& track, const TcpSegment& segment) noexcept {
  return segment.stamped && is_established(track) &&
         track.end[0].marks & track.end[1].marks & kEndStamps;
}

void take_stamp(TcpTrack& track, uint32_t side, const TcpSegment& segment) noexcept {
  TcpEnd& from = track.end[side];
  const TcpEnd& to = track.end[1 - side];
  if (!(to.marks & kEndAcks) || ahead(segment.seq, to.acked) > 0) return;
  if (from.marks & kEndStamped && ahead(segment.stamp, track.stamp[side]) < 0) return;
  track.stamp[side] = segment.stamp;
  from.marks |= kEndStamped;
}

uint32_t step_ack(TcpTrack& track, uint32_t side, const TcpSegment& segment) noexcept {
  TcpEnd& from = track.end[side];
  TcpEnd& to = track.end[1 - side];
  if (to.marks & kEndSyn && !(to.marks & kEndSynAcked)) {
    if (!acknowledges_syn(track, 1 - side, segment.ack)) return kTcpBadAck;
    to.marks |= kEndSynAcked;
    from.marks |= kEndAnswered;
    take_window(from, segment);
    return 0;
  }
  if (to.state == TcpEndState::inactive) to.next = segment.ack;
  if (ahead(segment.ack, to.next) > 0) {
    // Of what was lost before it came by here; no more than it has let the other send.
    const bool unknown = !(to.marks & kEndSyn);
    const bool allowed = from.marks & kEndAcks && ahead(segment.ack, from.edge) <= 0;
    if (!unknown && !allowed) return kTcpBadAck;
    to.next = segment.ack;
  }
  take_window(from, segment);
  return 0;
}

}  // namespace

bool read_tcp(const uint8_t* header, uint32_t length, uint32_t wire, TcpSegment* to) noexcept {
  if (length < 20) return false;
  const uint32_t bytes = (header[12] >> 4) * 4u;
  if (bytes < 20 || bytes > wire) return false;
  to->seq = load_be32(header + 4);
  to->ack = load_be32(header + 8);
  to->payload = wire - bytes;
  to->window = static_cast<uint16_t>(load_be16(header + 14));
  to->flags = header[13] & 63;
  to->scale = kNoScale;
  to->stamped = false;
  const uint32_t end = std::min(bytes, length);
  for (uint32_t at = 20; at < end && header[at] != 0;) {
    if (header[at] == 1) {
      ++at;
      continue;
    }
    if (at + 2 > end || header[at + 1] < 2) break;
    if (header[at] == 3 && header[at + 1] == 3 && at + 3 <= end) to->scale = header[at + 2];
    if (header[at] == 8 && header[at + 1] == 10 && at + 10 <= end) {
      to->stamped = true;
      to->stamp = load_be32(header + at + 2);
    }
    at += header[at + 1];
  }
  return true;
}

bool tcp_may_open(const TcpSegment& segment, bool midstream) noexcept {
  if (strange(segment.flags)) return false;
  return midstream || segment.flags & kTcpSyn;
}

uint32_t tcp_step(TcpTrack& track, uint32_t side, const TcpSegment& segment) noexcept {
  if (strange(segment.flags)) {
    note(track, side, kInconsistent);
    return kTcpBadFlags;
  }
  if (segment.flags & kTcpRst) return step_reset(track, side, segment);
  if (segment.flags & kTcpSyn) return step_syn(track, side, segment);
  TcpEnd& from = track.end[side];
  TcpEnd& to = track.end[1 - side];
  if (!in_window(track, side, segment)) return kTcpOutOfWindow;
  const bool before = is_established(track);
  const bool stamped = stamps_count(track, segment);
  if (stamped && from.marks & kEndStamped && ahead(segment.stamp, track.stamp[side]) < 0) {
    return kTcpOldStamp;
  }
  const bool fresh = from.state == TcpEndState::inactive;
  // An end that was only heard of begins where it is now.
  const bool known = !fresh || to.marks & kEndAnswered;
  uint32_t verdict = step_ack(track, side, segment);
  if (verdict & kTcpBadAck) return verdict;
  if (stamped) take_stamp(track, side, segment);
  if (fresh && !(to.state == TcpEndState::syn_sent && segment.payload == 0)) {
    // A bare ACK that answers a SYN is the first part of a split handshake: its SYN is to come.
    from.state = TcpEndState::partial;
    from.next = known ? later(from.next, segment.seq) : segment.seq;
    if (to.state != TcpEndState::inactive) from.marks |= kEndSynAcked;
    if (to.state == TcpEndState::partial) to.marks |= kEndSynAcked;
  }
  if (from.state != TcpEndState::inactive) {
    from.next = later(from.next, segment.seq + segment.payload);
  }
  note(track, side, segment.payload ? kData : kAck);
  if (segment.flags & kTcpFin && from.state != TcpEndState::inactive) {
    from.fin = segment.seq + segment.payload + 1;
    from.marks |= kEndFin;
    from.next = later(from.next, from.fin);
    note(track, side, kFin);
  }
  verdict |= establish(track, before);
  bool over = true;
  for (uint32_t i = 0; i < 2; ++i) {
    TcpEnd& end = track.end[i];
    const TcpEnd& peer = track.end[1 - i];
    const bool acked =
        end.marks & kEndFin && peer.marks & kEndAcks && ahead(peer.acked, end.fin) >= 0;
    if (acked && end.state == TcpEndState::established) end.state = TcpEndState::closed;
    over &= acked;
  }
  return over ? verdict | kTcpFinished : verdict;
}

const char* tcp_conn_state(const TcpTrack& track) noexcept {
  const TcpEnd& opener = track.end[0];
  const TcpEnd& answerer = track.end[1];
  const bool syn = opener.marks & kEndSyn, syn_ack = answerer.marks & kEndSyn;
  const bool fins[2] = {(opener.marks & kEndFin) != 0, (answerer.marks & kEndFin) != 0};
  const bool both = is_established(track) && syn && syn_ack;
  if (opener.state == TcpEndState::reset) {
    return both ? "RSTO" : syn && !syn_ack ? "RSTOS0" : syn ? "RSTO" : "OTH";
  }
  if (answerer.state == TcpEndState::reset) {
    if (both) return "RSTR";
    if (syn) return syn_ack ? "RSTR" : "REJ";
    return syn_ack ? "RSTRH" : "OTH";
  }
  if (!syn && !syn_ack) return "OTH";
  if (!syn) return fins[1] ? "SHR" : "OTH";
  if (!syn_ack) return fins[0] ? "SH" : "S0";
  if (!both) return fins[0] ? "SH" : "S0";
  if (fins[0] && fins[1]) {
    const bool over = opener.state == TcpEndState::closed && answerer.state == TcpEndState::closed;
    return over ? "SF" : opener.state == TcpEndState::closed ? "S2" : "S3";
  }
  return fins[0] ? "S2" : fins[1] ? "S3" : "S1";
}

std::string tcp_history(const TcpTrack& track) {
  std::string made;
  for (uint32_t i = 0; i < kHistoryMax; ++i) {
    const uint64_t code = track.history >> i * 5 & 31;
    if (code == 0) break;
    const char letter = kLetters[code & 7];
    made += code & 16 ? static_cast<char>(letter - 32) : letter;
  }
  return made;
}

}  // namespace bricks
