/* What the two ends of a pipe share, and how an end is asked for over ports.sock.
 *
 * A pipe has two ends, `x{N` and `x}N`, and two directions; each direction is a netmap ring in a
 * memfd, named after the end that reads it, with one producer and one consumer. Each of them is an
 * engine or a program. The producer writes slots and `tail`, the consumer `head` and `cur`.
 * Neither trusts the other: every index is bounded before it is used.
 * A direction that an engine fills has memory of its own, made by the engine. All else is made when
 * a program first asks for it, both directions in one memory (pipe_end.h), and lives as long as
 * anybody holds something of it.
 * Whoever finds nothing to do raises its `waits` word, looks once more, and sleeps on its eventfd.
 * The other side, having moved its index (or producer_state), looks at that word and signals; it
 * may lower the word as it does. */
#ifndef BRICKS_ABI_PIPE_H
#define BRICKS_ABI_PIPE_H

#include "netmap.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BRICKS_PIPE_MAGIC 0x31657069706b6272ull /* "rbkpipe1" in memory order */
#define BRICKS_PIPE_VERSION 1u
#define BRICKS_NAME_BYTES 256u /* a name and its NUL */
#define BRICKS_TRAILER_BYTES 16u

/* In the last 16 bytes of a packet's first buffer, where BRICKS_SLOT_TRAILER is set: because the
 * capture cut the packet short, or its link type is not the pipe's. Both fields always hold. */
struct bricks_trailer {
  uint32_t wire_length; /* bytes the packet had on the wire */
  uint16_t link_type;   /* LINKTYPE_ value */
  uint16_t zero;
  uint64_t reserved;
};

enum { BRICKS_PIPE_UNSTAMPED = 1u }; /* a slot's ptr is no time: readers take their own clock */

enum { /* bricks_pipe.producer_state */
       BRICKS_PRODUCER_LIVE = 0,
       BRICKS_PRODUCER_FINISHED = 1, /* the input has ended; what is in the ring is the last */
       BRICKS_PRODUCER_CLOSED = 2 /* the pipe was taken down; this memory gets nothing any more */
};

/* At `pipe_offset` of the memfd, which is sealed against shrinking (consumers insist: a file that
 * shrinks kills whoever has mapped it). Three parts: constant, the engine's, the consumer's. */
struct bricks_pipe {
  uint64_t magic;
  uint32_t version;
  uint32_t slots;
  uint64_t region_bytes;
  uint64_t if_offset;     /* of the consumer's netmap_if, from the start of the memfd */
  uint64_t ring_offset;   /* of its receive ring */
  uint64_t buffer_offset; /* of buffer 0 */
  uint32_t buffer_bytes;  /* stride; a packet has buffer_bytes - BRICKS_TRAILER_BYTES of it */
  uint32_t buffers;
  uint32_t link_type; /* LINKTYPE_ value of packets without a trailer */
  uint32_t flags;     /* BRICKS_PIPE_UNSTAMPED, the producer's */

  /* Since the pipe was made, for observers (bricks verify), who read along without an end: slots
   * that the engine may have begun to write, told before it does; slots it has published. Written
   * at every turn, so not where the consumer looks. */
  uint64_t slots_begun, slots_published;
  uint8_t pad1[48];

  uint32_t producer_state; /* engine's line */
  uint32_t producer_waits; /* 1: the engine wants `space` signalled when head moves */
  uint64_t lost; /* packets for this pipe that were dropped before they got into the ring */
  uint8_t pad2[48];

  uint32_t consumer_waits; /* consumer's line; 1: it wants `data` signalled when tail moves */
  uint32_t pad3;
  /* Its heartbeat: CLOCK_MONOTONIC in ns, stored whenever it looks for packets, and at least once a
   * second while it waits for some; 0: this consumer has none. A hint, never trusted further. */
  uint64_t consumer_beat;
  uint8_t pad4[48];

  char name[BRICKS_NAME_BYTES];
};
BRICKS_NAIL(offsetof(struct bricks_pipe, slots_begun) == 64);
BRICKS_NAIL(offsetof(struct bricks_pipe, producer_state) == 128);
BRICKS_NAIL(offsetof(struct bricks_pipe, lost) == 136);
BRICKS_NAIL(offsetof(struct bricks_pipe, consumer_waits) == 192);
BRICKS_NAIL(offsetof(struct bricks_pipe, consumer_beat) == 200);
BRICKS_NAIL(sizeof(struct bricks_pipe) == 512);
BRICKS_NAIL(sizeof(struct bricks_trailer) == BRICKS_TRAILER_BYTES);

/* ports.sock: SOCK_SEQPACKET. One request, one reply; then the connection stays open for as long as
 * the end is held: closing it, or dying, gives the end back. */
enum {
  BRICKS_ATTACH = 1,        /* be the consumer at the end `name` */
  BRICKS_ATTACH_WRITER = 2, /* be the producer at the end `name`: what is written at x}0 is read at
                               x{0, and the other way round; the pipe is made if need be */
  BRICKS_OPEN_END = 3,      /* netmap's view of an end: pipe_end.h */
  BRICKS_LIST = 4,          /* what can be read: bricks_list.h */
  BRICKS_TAP = 5            /* be the consumer of a copy of what passes the link `name` */
};
enum { BRICKS_ATTACH_WAIT = 1u }; /* no such pipe yet: answer when there is one, not NOT_FOUND */

struct bricks_attach_request {
  uint64_t magic;
  uint32_t version;
  uint32_t operation;
  uint32_t flags;
  uint32_t zero;
  char name[BRICKS_NAME_BYTES]; /* `x}N`; a leading `netmap:` is ignored */
};

struct bricks_attach_reply { /* with 3 fds when code is 0: memfd, data eventfd, space eventfd */
  uint64_t magic;
  uint32_t version;
  uint32_t code; /* a bricks_result: 0, 2 invalid, 5 permission, 6 not found, 7 busy, 1 else */
  uint64_t pipe_offset;
  uint64_t region_bytes;
  char message[BRICKS_NAME_BYTES * 2];
};

#ifdef __cplusplus
}
#endif
#endif
