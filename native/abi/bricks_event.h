/* What happens in sessions, as plugins see it: events, and the packets that bring them. C, and
 * unchanged by LuaJIT's ffi. The events are those of Stellar's session manager, and what else comes
 * of TCP's bytes. */
#ifndef BRICKS_EVENT_H
#define BRICKS_EVENT_H

#include "bricks_session.h"

/* The packet of an event; valid during the call. Offsets are from data; 0: there is none, but for
 * network, which is 0 also where frames begin with IP: ip_version tells. */
typedef struct bricks_packet_view {
  const uint8_t *data; /* the frame */
  uint64_t timestamp;
  uint32_t length;      /* captured bytes */
  uint32_t wire_length; /* and on the wire */
  uint16_t network;     /* the IP header that names the session */
  uint16_t transport;
  uint16_t payload;
  uint16_t payload_length; /* captured; without padding of the frame */
  uint8_t ip_version, protocol;
  uint8_t tcp_flags;
  uint8_t direction; /* 0: from whoever opened the session */
  uint8_t dropped;   /* somebody has dropped it; nothing undoes that */
  uint8_t fragment;  /* a later fragment: no transport header */
  uint16_t unused_;
  uint8_t duplicate; /* one like it came a moment ago (option duplicates = "mark") */
  uint8_t stale;     /* TCP: with an old timestamp; its receiver discards it (RFC 7323, PAWS) */
  uint8_t zero_[6];
} bricks_packet_view;

typedef enum {
  BRICKS_EVENT_OPENING = 0,
  BRICKS_EVENT_ACTIVE = 1,
  BRICKS_EVENT_PACKET = 2,
  BRICKS_EVENT_PAYLOAD = 3,  /* TCP: the next bytes of one direction, in order */
  BRICKS_EVENT_GAP = 4,      /* TCP: bytes that nobody will see */
  BRICKS_EVENT_PROTOCOL = 5, /* a decoder's record (bricks_protocols.h) */
  BRICKS_EVENT_CLOSING = 6,
  BRICKS_EVENT_CONFLICT = 7 /* TCP: bytes that came twice and were not the same */
} bricks_event_type;

/* 64 bytes. A call gets at most one packet's events of any session. */
typedef struct bricks_event {
  bricks_session *session;
  const bricks_packet_view *packet; /* 0: none (a time-out, an end) */
  void **context;                   /* yours, of this session; what is there at the end leaks */
  const void *data; /* PACKET: payload; PAYLOAD: the bytes; PROTOCOL: the record; CONFLICT:
                     * bricks_conflict; else 0 */
  uint64_t offset;  /* PAYLOAD, GAP, CONFLICT: in the stream of that direction */
  uint32_t length;  /* bytes at data; GAP: bytes missing; CONFLICT: bytes of each version */
  uint8_t type;     /* bricks_event_type */
  uint8_t direction;
  uint16_t reason;   /* GAP: bricks_gap_reason; CLOSING: bricks_close_reason; CONFLICT:
                      * bricks_conflict_reason */
  uint16_t protocol; /* PROTOCOL: bricks_protocol */
  uint16_t kind;     /* PROTOCOL: which record of it */
  uint32_t entry_;   /* the host's, like unused_ */
  uint64_t unused_;
} bricks_event;

typedef enum {
  BRICKS_GAP_ACK_PASSED = 1, /* the other side acknowledged what was not seen */
  BRICKS_GAP_CAP = 2,        /* there was no memory to wait longer */
  BRICKS_GAP_FLUSH = 3,      /* the session ended */
  BRICKS_GAP_TIMEOUT = 4,
  BRICKS_GAP_MIDSTREAM = 5, /* before the first packet that was seen */
  BRICKS_GAP_DEPTH = 6,     /* as many bytes as are wanted have been given */
  BRICKS_GAP_URGENT = 7     /* an urgent byte, taken out of the stream */
} bricks_gap_reason;

typedef enum {
  BRICKS_CONFLICT_DELIVERED = 1, /* the first version has been given out, and stays */
  BRICKS_CONFLICT_WAITING = 2    /* neither has: the brick's `overlaps` chooses, byte by byte */
} bricks_conflict_reason;

/* What a segment brings, from the first byte on that differs to the last one, against what was
 * there: one of the two is for somebody else's eyes (quantum insert, evasion by overlaps). Bytes
 * are valid during the call: `length` of the event each, 2,048 at most; longer ones come in
 * parts. Digests: of those bytes, the same for the same bytes as long as the process runs. */
typedef struct bricks_conflict {
  const uint8_t *before, *now;
  uint64_t before_digest, now_digest;
} bricks_conflict;

#endif
