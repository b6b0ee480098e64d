/* Sessions as plugins see them: C, and unchanged by LuaJIT's ffi. All of it is to be read; changes
 * go through bricks_host (bricks_plugin.h). Times are nanoseconds since 1970; addresses and ports
 * are as on the wire. The states are those of Stellar's session manager. */
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

/* Whose packets they are, and what is seldom changed: lies apart, so that many sessions' counters
 * stay in the caches. Index 0 of pairs: whoever opened the session; 1: the other side. */
typedef struct bricks_flow {
  uint64_t id; /* the session's: of this process, never used again */
  uint64_t first_seen;
  uint8_t address[2][16]; /* IPv4: the first four bytes */
  uint16_t port[2];       /* big-endian; ICMP: 0, or identifier of echoes */
  uint16_t vlan;          /* where the key has it */
  uint16_t child_type;    /* a child's, as open_child was given; 0: it has packets */
  uint32_t vni;
  uint16_t application; /* bricks_protocol of bricks_protocols.h; 0: not known (yet) */
  uint16_t output;      /* where its packets go: number of the brick's output */
} bricks_flow;

/* 64 bytes, one line of a cache. Index 0 of pairs: from whoever opened the session; 1: from the
 * other side. */
typedef struct bricks_session {
  uint64_t last_seen;
  uint64_t packets[2];
  uint64_t bytes[2]; /* of frames, on the wire */
  uint8_t state;     /* bricks_session_state */
  uint8_t close_reason;
  uint8_t protocol; /* 6 TCP, 17 UDP, 1 and 58 ICMP, ... */
  uint8_t ip_version;
  uint32_t owner_;         /* the host's, like context_ */
  const bricks_flow *flow; /* never 0; good as long as the session */
  void *context_;
} bricks_session;

#endif
