// What both ends of a TCP connection have said and how far the other has heard it, as far as it can
// be seen from between them. Each end is followed for itself, as Zeek does: so connections whose
// one side, or whose beginning, nobody saw can be followed, too. Sequence numbers are compared
// modulo 2^32 (RFC 9293); resets and SYNs of live connections are judged by RFC 5961, segments with
// an old timestamp by RFC 7323 (PAWS).
#pragma once

#include <cstdint>
#include <string>

namespace bricks {

enum TcpFlag : uint8_t {
  kTcpFin = 1,
  kTcpSyn = 2,
  kTcpRst = 4,
  kTcpPush = 8,
  kTcpAck = 16,
  kTcpUrgent = 32,
};

// What the tracker reads of a packet.
struct TcpSegment {
  uint32_t seq, ack;
  uint32_t payload;  // bytes, as many as were on the wire
  uint16_t window;   // as in the header
  uint8_t flags;
  uint8_t scale;  // of a SYN's window scale option; kNoScale: it has none
  bool stamped;   // it has a timestamp, which is
  uint32_t stamp;
};
inline constexpr uint8_t kNoScale = 255;

// Of a whole TCP header; `length` captured bytes from it on, of `wire` that the datagram had.
// False: there are fewer than 20, or the header's length cannot be.
bool read_tcp(const uint8_t* header, uint32_t length, uint32_t wire, TcpSegment* to) noexcept;

// Zeek's states of an endpoint.
enum class TcpEndState : uint8_t {
  inactive,  // has sent nothing yet
  syn_sent,
  syn_ack_sent,
  partial,  // was there before anybody looked
  established,
  closed,  // its FIN has been acknowledged
  reset,
};

struct TcpEnd {
  uint32_t next;   // the sequence number behind all it has sent
  uint32_t acked;  // what it has acknowledged of the other's; void without kEndAcks
  uint32_t edge;   // up to where it has let the other send
  uint32_t fin;    // behind its FIN; void without kEndFin
  TcpEndState state;
  uint8_t scale;  // of the windows it announces
  uint8_t marks;  // TcpEndMark
  uint8_t noted;  // letters of its history, a bit each
};

inline constexpr uint8_t kTcpNotedAck = 3, kTcpNotedData = 4;  // bits of TcpEnd.noted
enum TcpEndMark : uint8_t {
  kEndAcks = 1,       // it has acknowledged something
  kEndSyn = 2,        // its SYN was seen
  kEndSynAcked = 4,   // and acknowledged, or must have been
  kEndFin = 8,        // it has said FIN
  kEndSynAck = 16,    // its SYN had an ACK
  kEndAnswered = 32,  // it has sent something that acknowledged the other's SYN
  kEndStamps = 64,    // its SYN had a timestamp; where both had one, all segments have (RFC 7323)
  kEndStamped = 128,  // TcpTrack.stamp is there
};

struct TcpTrack {
  TcpEnd end[2];  // 0: whoever opened the connection
  uint32_t isn[2];
  union {
    // A second SYN's, while the other end's acknowledgement is to say which one counts.
    uint32_t other_isn[2];
    // Once it is established: the latest timestamp that the other end takes for that, as it comes
    // with nothing that is ahead of what that end has acknowledged (RFC 7323, 4.3: TS.Recent).
    uint32_t stamp[2];
  };
  // History of what was seen first, Zeek's letters: five bits each, oldest in the lowest.
  uint64_t history;
};

// What a segment means for its session, and what was wrong with it.
enum TcpVerdict : uint32_t {
  kTcpEstablished = 1,  // with this segment, it is
  kTcpFinished = 2,     // both FINs are acknowledged
  kTcpReset = 4,        // one end has reset the connection, and the other believes it
  kTcpReuse = 8,        // a new connection, the old one being as good as over; nothing was changed
  // Not taken into account:
  kTcpBadReset = 16,  // a RST that its receiver would answer with a challenge, or not at all
  kTcpBadSyn = 32,    // a SYN or SYN-ACK that does not belong to this connection
  kTcpBadFlags = 64,  // SYN and FIN, no flag at all, data without ACK, ...
  kTcpOutOfWindow = 128,
  kTcpBadAck = 256,    // acknowledges what cannot have been sent
  kTcpOldStamp = 512,  // its receiver takes it for an old duplicate (RFC 7323, 5: PAWS)
};

// May a connection begin with it? `midstream`: with any segment that is not a mistake.
bool tcp_may_open(const TcpSegment& segment, bool midstream) noexcept;
// Whether the other end opened the connection that begins with this: a SYN-ACK.
inline bool tcp_answers(const TcpSegment& segment) noexcept {
  return (segment.flags & (kTcpSyn | kTcpAck)) == (kTcpSyn | kTcpAck);
}
// side: 0, from whoever opened it. Returns TcpVerdicts.
uint32_t tcp_step(TcpTrack& track, uint32_t side, const TcpSegment& segment) noexcept;
// Has either end said FIN?
inline bool tcp_closing(const TcpTrack& track) noexcept {
  return (track.end[0].marks | track.end[1].marks) & kEndFin;
}

// Zeek's conn_state (S0, SF, REJ, ...) and history ("ShADadFf"), of what has been seen so far.
const char* tcp_conn_state(const TcpTrack& track) noexcept;
std::string tcp_history(const TcpTrack& track);

}  // namespace bricks
