/* Sessions and what happens in them, as plugins see it: C, and unchanged by LuaJIT's ffi. All of it
 * is to be read; changes go through bricks_host (bricks_plugin.h). Times are nanoseconds since
 * 1970; addresses and ports are as on the wire. The states and events are those of Stellar's
 * session manager. */
#ifndef BRICKS_SESSION_H
#define BRICKS_SESSION_H

#include <stdint.h>

typedef enum {
  BRICKS_SESSION_OPENING = 1, /* seen in one direction; TCP: the handshake is not complete */
  BRICKS_SESSION_ACTIVE = 2,
  BRICKS_SESSION_CLOSING = 3,
  BRICKS_SESSION_CLOSED = 4 /* no plugin sees it */
} bricks_session_state;

typedef enum {
  BRICKS_CLOSE_NONE = 0,
  BRICKS_CLOSE_FIN = 1,             /* TCP: both sides said FIN and both were acknowledged */
  BRICKS_CLOSE_RST = 2,             /* TCP: a reset that its receiver accepts (RFC 5961) */
  BRICKS_CLOSE_TIMEOUT_OPENING = 3, /* silence */
  BRICKS_CLOSE_TIMEOUT_ACTIVE = 4,
  BRICKS_CLOSE_TIMEOUT_CLOSING = 5,
  BRICKS_CLOSE_EVICTED_LRU = 6,    /* gave way to another session */
  BRICKS_CLOSE_EVICTED_MEMCAP = 7, /* memory for its streams ran out */
  BRICKS_CLOSE_REUSED_TUPLE = 8,   /* a new connection between the same ports */
  BRICKS_CLOSE_PLUGIN_KILL = 9,
  BRICKS_CLOSE_POISONED = 10, /* the policy for a plugin that failed */
  BRICKS_CLOSE_ADMIN = 11,
  BRICKS_CLOSE_SHUTDOWN = 12,
  BRICKS_CLOSE_EOF = 13, /* all input has ended */
  BRICKS_CLOSE_PARENT = 14
} bricks_close_reason;

/* 128 bytes. Index 0 of pairs: from whoever opened the session; 1: from the other side. */
typedef struct bricks_session {
  uint64_t id; /* of this process, never used again */
  uint64_t last_seen;
  uint64_t packets[2];
  uint64_t bytes[2]; /* of frames, on the wire */
  uint8_t state;     /* bricks_session_state */
  uint8_t close_reason;
  uint8_t protocol; /* 6 TCP, 17 UDP, 1 and 58 ICMP, ... */
  uint8_t ip_version;
  uint16_t application; /* bricks_protocol of bricks_protocols.h; 0: not known (yet) */
  uint16_t output;      /* where its packets go: number of the brick's output */
  uint32_t owner_[2];   /* the host's */
  uint64_t first_seen;
  uint8_t address[2][16]; /* IPv4: the first four bytes */
  uint16_t port[2];       /* big-endian; ICMP: 0, or identifier of echoes */
  uint16_t vlan;          /* where the key has it */
  uint16_t child_type;    /* a child's, as open_child was given; 0: it has packets */
  uint32_t vni;
  uint32_t owner2_[3]; /* the host's */
} bricks_session;

/* The packet of an event; valid during the call. Offsets are from data; 0: there is none. */
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
  uint16_t number_;  /* the host's */
  uint8_t duplicate; /* one like it came a moment ago (option duplicates = "mark") */
  uint8_t zero_[7];
} bricks_packet_view;

typedef enum {
  BRICKS_EVENT_OPENING = 0,
  BRICKS_EVENT_ACTIVE = 1,
  BRICKS_EVENT_PACKET = 2,
  BRICKS_EVENT_PAYLOAD = 3,  /* TCP: the next bytes of one direction, in order */
  BRICKS_EVENT_GAP = 4,      /* TCP: bytes that nobody will see */
  BRICKS_EVENT_PROTOCOL = 5, /* a decoder's record (bricks_protocols.h) */
  BRICKS_EVENT_CLOSING = 6
} bricks_event_type;

/* 64 bytes. A call gets at most one packet's events of any session. */
typedef struct bricks_event {
  bricks_session *session;
  const bricks_packet_view *packet; /* 0: none (a time-out, an end) */
  void **context;                   /* yours, of this session; what is there at the end leaks */
  const void *data; /* PACKET: payload; PAYLOAD: the bytes; PROTOCOL: the record; else 0 */
  uint64_t offset;  /* PAYLOAD, GAP: in the stream of that direction */
  uint32_t length;  /* bytes at data; GAP: bytes missing */
  uint8_t type;     /* bricks_event_type */
  uint8_t direction;
  uint16_t reason;   /* GAP: bricks_gap_reason; CLOSING: bricks_close_reason */
  uint16_t protocol; /* PROTOCOL: bricks_protocol */
  uint16_t kind;     /* PROTOCOL: which record of it */
  uint32_t index_;   /* the host's, like own_ */
  uint64_t own_;
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

#endif
