/* An end of a pipe as a netmap program sees it: a netmap_if with transmit and receive rings of its
 * own, beside the shared rings (pipe.h) that carry packets to the other end and from it. Whoever
 * stands in for the kernel (libbricks-netmap) passes indexes between the two at each sync.
 *
 * Three rings of one direction (the sender's, the shared one, the receiver's) have one array of
 * slots, so that a sync moves no slot. Each netmap_ring ends where a page ends. Behind the shared
 * ring are the pages with the slots; behind that of an end is a hole of the same size, over which
 * whoever maps the memory for a program maps those pages.
 *
 * Both ends, all rings and all buffers lie in one memfd, as they do with the kernel module, so that
 * buffers may be exchanged; pipes opened with the nr_mem_id of another lie in that one's memory.
 * The two programs of such a pipe can therefore spoil each other's packets, and nobody else's. */
#ifndef BRICKS_ABI_PIPE_END_H
#define BRICKS_ABI_PIPE_END_H

#include "pipe.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BRICKS_END_RINGS_MAX 16u /* rings of one end in one direction */
#define BRICKS_END_PAGE 4096u

/* Bytes of the slots' pages, and of the hole that stands for them. */
static inline uint64_t bricks_slots_bytes(uint32_t slots) {
  const uint64_t bytes = (uint64_t)slots * sizeof(struct netmap_slot);
  return (bytes + BRICKS_END_PAGE - 1) / BRICKS_END_PAGE * BRICKS_END_PAGE;
}

/* From one ring to the next, of the shared rings and of those of an end alike. */
static inline uint64_t bricks_ring_stride(uint32_t slots) {
  return BRICKS_END_PAGE + bricks_slots_bytes(slots);
}

/* Where the stand-in for the kernel is with one ring of an end; nobody else's business. */
struct bricks_end_ring {
  uint32_t lock;    /* thread id of who syncs this ring; 0: nobody */
  uint32_t current; /* tx: slots before it were published; rx: were given back */
  uint32_t tail;    /* what ring->tail was set to last */
  /* Of a receive ring whose packets an engine fills elsewhere: slots copied from there that the
   * program has not given back yet; and that it has, but nobody told the engine. */
  uint32_t copied, owed;
  uint8_t pad[44];
};
BRICKS_NAIL(sizeof(struct bricks_end_ring) == 64);

enum { /* bricks_end_request.flags */
       BRICKS_END_EXCLUSIVE = 1u,
       BRICKS_END_NO_TX = 2u, /* no transmit rings for this opener */
       BRICKS_END_NO_RX = 4u
};

/* Sent instead of a bricks_attach_request, whose first fields and name it shares. */
struct bricks_end_request {
  uint64_t magic;
  uint32_t version;
  uint32_t operation; /* BRICKS_OPEN_END */
  uint32_t flags;
  uint32_t zero;
  char name[BRICKS_NAME_BYTES]; /* x{ID or x}ID */
  /* Wishes; 0: the default. The pipe's first opener decides, who comes later gets what is there. */
  uint32_t tx_slots, rx_slots, tx_rings, rx_rings;
  uint32_t extra_buffers; /* of this opener alone */
  uint32_t memory_id;     /* 0: of its own; else that of an end this user holds */
};

/* With 5 fds when code is 0: memfd; data and space eventfd of what this end sends; data and space
 * eventfd of what it gets. All offsets are from the start of the memfd. */
struct bricks_end_reply {
  uint64_t magic;
  uint32_t version;
  uint32_t code; /* as in bricks_attach_reply */
  uint64_t region_bytes;
  uint64_t if_offset;      /* of the opener's netmap_if */
  uint64_t tx_rings_state; /* bricks_end_ring, one for each transmit ring */
  uint64_t rx_rings_state;
  /* struct bricks_pipe and the end's netmap_ring of ring 0; ring i lies i bricks_ring_stride()
   * further. */
  uint64_t tx_pipes, rx_pipes;
  uint64_t tx_rings_at, rx_rings_at;
  uint32_t tx_slots, rx_slots, tx_rings, rx_rings; /* of the pipe, whatever this opener left out */
  uint32_t extra_buffers;
  uint32_t memory_id;
  char message[BRICKS_NAME_BYTES * 2];
};

#ifdef __cplusplus
}
#endif
#endif
