/* The reading end of a pipe's ring, for libbricks (C) and for ports/pipe_input.cc (C++). Every word
 * of shared memory is read once and bounded before it is used: whatever the other end writes,
 * nothing outside the mapping is touched. What cannot be makes the reader `broken`, for good.
 * Packets are taken out by pipe_packets.h. */
#ifndef BRICKS_ABI_PIPE_READER_H
#define BRICKS_ABI_PIPE_READER_H

#include <stdbool.h>
#include <string.h>

#include "pipe.h"

#define BRICKS_READER_SLOTS_MAX 65536u
#define BRICKS_READER_BUFFER_MAX 65536u
#define BRICKS_READER_FRAME_MAX 65535u

struct bricks_reader {
  struct bricks_pipe *pipe; /* shared, as is *ring; all else here is our own, checked once */
  struct netmap_ring *ring;
  const uint8_t *buffers;
  uint32_t slots, stride, payload, buffer_count;
  uint32_t head;      /* slots before it are given back */
  uint32_t cursor;    /* the next slot to read */
  uint32_t tail;      /* the end, as last seen */
  uint32_t state;     /* producer_state, as last seen */
  uint32_t link_type; /* of packets without a trailer, as last seen */
  bool broken;
  bool unstamped; /* slots hold no receive time */
  bool unread;    /* packets were in the ring when last looked at */
};

/* Looks whether packets are there: true when there are. The state is read before the tail, so that
 * an empty ring after FINISHED is the end. What is left in the ring at CLOSED is not ours any more:
 * the ledger has it as unread, and in a shared region its buffers have another owner. */
static inline bool bricks_reader_look(struct bricks_reader *r) {
  r->state = __atomic_load_n(&r->pipe->producer_state, __ATOMIC_ACQUIRE);
  const uint32_t tail = __atomic_load_n(&r->ring->tail, __ATOMIC_SEQ_CST);
  r->link_type = __atomic_load_n(&r->pipe->link_type, __ATOMIC_RELAXED) & 0xffffu;
  r->unstamped = __atomic_load_n(&r->pipe->flags, __ATOMIC_RELAXED) & BRICKS_PIPE_UNSTAMPED;
  if (tail >= r->slots) r->broken = true;
  if (r->broken) return false;
  r->unread = tail != r->cursor;
  r->tail = r->state == BRICKS_PRODUCER_CLOSED ? r->cursor : tail;
  return r->tail != r->cursor;
}

/* Checks the pipe at `pipe_offset` of the `mapped` bytes at `base` and starts at its head. Returns
 * NULL, or what is wrong with it. */
static inline const char *bricks_reader_open(struct bricks_reader *r, uint8_t *base,
                                             uint64_t mapped, uint64_t pipe_offset) {
  struct bricks_pipe p; /* the constant part */
  memset(r, 0, sizeof *r);
  if (pipe_offset % 64 || mapped < sizeof p || pipe_offset > mapped - sizeof p) {
    return "its header lies outside its memory";
  }
  r->pipe = (struct bricks_pipe *)(void *)(base + pipe_offset);
  memcpy(&p, r->pipe, offsetof(struct bricks_pipe, link_type));
  if (p.magic != BRICKS_PIPE_MAGIC) return "its header is not a pipe's";
  if (p.version != BRICKS_PIPE_VERSION) return "it has another version of the layout";
  if (p.slots < 2 || p.slots > BRICKS_READER_SLOTS_MAX) return "its number of slots cannot be";
  const uint64_t ring_bytes = sizeof(struct netmap_ring) + p.slots * sizeof(struct netmap_slot);
  if (p.ring_offset % 8 || ring_bytes > mapped || p.ring_offset > mapped - ring_bytes) {
    return "its ring lies outside its memory";
  }
  if (p.buffer_bytes <= BRICKS_TRAILER_BYTES || p.buffer_bytes > BRICKS_READER_BUFFER_MAX ||
      p.buffer_bytes % 8 || p.buffer_offset % 8 || p.buffer_offset > mapped ||
      (uint64_t)p.buffers * p.buffer_bytes > mapped - p.buffer_offset) {
    return "its buffers lie outside its memory";
  }
  r->ring = (struct netmap_ring *)(void *)(base + p.ring_offset);
  r->buffers = base + p.buffer_offset;
  r->slots = p.slots;
  r->stride = p.buffer_bytes;
  r->payload = p.buffer_bytes - BRICKS_TRAILER_BYTES;
  r->buffer_count = p.buffers;
  const uint32_t head = __atomic_load_n(&r->ring->head, __ATOMIC_ACQUIRE);
  /* An impossible head was left by a consumer gone mad: where to go on is unknown, so at the end.
   */
  if (head < r->slots) r->cursor = head;
  bricks_reader_look(r);
  if (head >= r->slots) r->cursor = r->tail;
  r->head = r->cursor;
  return NULL;
}

#endif
